"""The words of the page: those that occur are explained, with the rules that are applied."""

from rdstats.report.reading import glossary


def test_methods_controls_and_claims_of_this_cube(study):
    terms = dict(glossary(study))
    assert terms["mp, up and rp"].startswith("mp: magnitude pruning; up: undecayed pruning")
    assert "nothing removed" in terms["control (sham)"]
    assert {"intensified", "de-intensified", "collapsed", "undecided"} & set(terms)
    assert terms["collapsed"].startswith("over a tenth of the networks")
    assert "changed relative to the control, spread undecided" not in terms
