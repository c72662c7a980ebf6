"""The sentences: one branch a test, each on a cube with a known effect."""

import re
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import rdstats
from rdstats.array import CLAIMS
from rdstats.records import control_records, slope_records
from rdstats.report import finding, findings
from rdstats.report.finding import reason_undecided, strongest
from rdstats.report.phrases import cells_phrase

WORDS = {
    "intensified": r"pruning intensified differences in \w+ between classes (in|for) ",
    "de-intensified": r"runing de-intensified these differences (in|for) ",
    "practically none": r"he effect of pruning is practically none ",
    "changed relative to the control": r"the slope changed, but the interval of the spread contains 0",
}


def claims_in(found):
    """Return what the sentences claim, and refuse a claim that stands in another's place."""
    one, two, three = found.sentences
    place = {
        "intensified": one,
        "de-intensified": two,
        "practically none": two,
        "changed relative to the control": three,
    }
    said = {word for word, text in place.items() if re.search(WORDS[word], text)}
    everywhere = {word for word, pattern in WORDS.items() for text in found.sentences if re.search(pattern, text)}
    assert said == everywhere
    return said


def analyse(sim, arms, **options):
    return rdstats.analyze(sim.simulate(arms, **options))


def test_intensified_names_delta_control_and_basis(sim):
    analysis = analyse(sim, {"sham": sim.CONTROL, "mp": [sim.CONTROL, sim.Arm(spread=1.3), sim.Arm(spread=1.6)]})
    found = findings(analysis)
    assert claims_in(found) == {"intensified", "practically none"}
    assert "(control: sham), pruning intensified differences in recall between classes" in found.intensified
    assert "in 2 of 3 comparisons (mp at ratios 4 and 10); clearest for mp at ratio 10" in found.intensified
    best = analysis.control.sel({"method": "mp", "ratio": 10}).squeeze()
    slope = analysis.summary.sel({"method": "mp", "ratio": 10}).squeeze()
    low, high = best["interval"].values
    values = f"slope, {float(slope['mean']):.3f} ({float(slope['expected']):.3f} expected from accuracy alone), lies "
    assert f"{values}{float(best['mean']):.3f} above the control's (95% simultaneous" in found.intensified
    assert f"{low:.3f} to {high:.3f}" in found.intensified
    assert f"spread {float(np.exp(best['log_spread'])):.2f} times as far" in found.intensified
    assert "in 1 of 3 comparisons (mp at ratio 2), the largest difference among them being" in found.unchanged
    assert found.undecided == "No comparison is undecided."
    sham = float(analysis.summary["mean"].sel({"method": "sham", "ratio": 1}).squeeze())
    assert f"the control's: {sham:.3f}, so slopes below 1 occur without pruning too" in found.basis
    pruned = [r["mean"] for r in slope_records(analysis) if r["method"] == "mp"]
    assert f"{min(pruned):.3f} to {max(pruned):.3f}" in found.basis
    assert "Basis: 8 seeds, 2,000 test images per class" in found.basis
    assert finding(analysis) == " ".join((*found.sentences, found.basis))


def test_claims_that_no_test_set_checked_say_so(sim):
    found = findings(analyse(sim, {"sham": sim.CONTROL, "mp": sim.Arm(spread=1.6)}))
    assert "(the sampling of test images could not be checked for all of them)" in found.intensified


def test_claims_that_the_correction_supports_need_no_such_remark(make_study):
    analysis = rdstats.analyze(make_study({"sham": 1.0, "mp": [1.0, 1.9]}, images=400, noise=0.01), folds=0)
    found = findings(analysis)
    assert "in 1 of 2 comparisons (mp at ratio 4)" in found.intensified
    assert "checked" not in found.intensified


def test_de_intensified(sim):
    found = findings(analyse(sim, {"sham": sim.CONTROL, "up": sim.Arm(spread=0.6)}))
    assert claims_in(found) == {"de-intensified"}
    assert "it is in none of the 3 comparisons shown that pruning intensified" in found.intensified
    assert found.unchanged.startswith(
        "Pruning de-intensified these differences in all 3 comparisons (up at every ratio)"
    )
    assert re.search(
        r"lies 0\.\d{3} below the control's \(95% simultaneous interval of the difference -", found.unchanged
    )


def test_one_comparison_alone(sim):
    found = findings(analyse(sim, {"sham": sim.CONTROL, "mp": sim.Arm(spread=1.6)}, ratios=(4,)))
    assert "between classes for mp at ratio 4; the slope, " in found.intensified
    noisy = sim.Arm(noise=0.06)
    found = findings(analyse(sim, {"sham": noisy, "mp": noisy}, ratios=(4,), images=200, seeds=6))
    assert "it is not shown that pruning intensified" in found.intensified
    assert found.undecided.startswith("Undecided is 1 comparison: the interval of the difference contains 0; intervals")


def test_both_directions_and_collapse(study):
    found = findings(study)
    assert "(mp at every ratio)" in found.intensified
    assert "de-intensified these differences in 3 of 9 comparisons (up at every ratio)" in found.unchanged
    assert "networks collapsed (no classifiers any more) for rp at ratio 10" in found.undecided.replace("Net", "net")


def test_changed_with_undecided_spread(sim):
    analysis = analyse(sim, {"sham": sim.CONTROL, "gp": sim.Arm(turn=0.9)})
    found = findings(analysis)
    assert claims_in(found) == set()  # no predictions: no corrected difference supports the change
    assert "changed without a change of the spread, and that cannot be checked on this test set" in found.undecided
    changed = analysis.control["claim"].copy(data=np.full(analysis.control["claim"].shape, CLAIMS[4], object))
    found = findings(replace(analysis, control=analysis.control.assign(claim=changed)))
    assert claims_in(found) == {"changed relative to the control"}
    assert found.undecided.startswith("Undecided are all 3 comparisons: the slope changed, but")


def test_practically_none_is_the_only_claim_of_a_null(sim):
    quiet = dict.fromkeys(("sham", "mp", "up"), sim.Arm(noise=0.003))
    for rng in range(4):
        found = findings(analyse(sim, quiet, rng=rng, images=5000))
        assert claims_in(found) == {"practically none"}
        assert "(the slope differs by less than 0.1) in all 6 comparisons (mp and up at every ratio)" in found.unchanged


def test_noisy_null_is_undecided(sim):
    noisy = sim.Arm(noise=0.06)
    analysis = analyse(sim, {"sham": noisy, "mp": noisy, "up": noisy}, images=200, seeds=6)
    found = findings(analysis)
    assert claims_in(found) == set()
    assert found.unchanged.startswith("Nowhere is it shown")
    assert "Undecided are all 6 comparisons: the interval of the difference contains 0" in found.undecided
    halves = [(r["upper"] - r["lower"]) / 2 for r in control_records(analysis)]
    assert f"reach ±{min(halves):.3f} to ±{max(halves):.3f} around the differences" in found.undecided


def test_reasons_are_counted():
    def record(n=8, lower=-0.1, upper=0.1, support="", claim="undecided", reason="", gone=False):
        return {
            "n": n, "lower": lower, "upper": upper, "support": support, "claim": claim, "reason": reason,
            "control_collapsed": gone,
        }  # fmt: skip

    assert "too few seeds" in reason_undecided(record(n=4))
    assert "all seeds give one difference" in reason_undecided(record(lower=0.3, upper=0.3, reason="no_variation"))
    assert "the control has no result" in reason_undecided(record(n=0, lower=None, upper=None, reason="missing"))
    assert "the control collapsed" in reason_undecided(record(gone=True))
    assert "contains 0" in reason_undecided(record())
    assert "does not hold once" in reason_undecided(record(lower=0.05, support="not supported"))
    assert "cannot be checked" in reason_undecided(record(lower=0.05, support="not checked"))
    assert "opposite directions" in reason_undecided(record(upper=-0.05, support="supported"))


def test_slopes_below_one_in_every_arm_prove_nothing(sim):
    low = sim.Arm(spread=0.6)
    analysis = analyse(sim, {"sham": low, "mp": low, "up": low}, images=5000)
    verdicts = analysis.summary["verdict"].where(analysis.summary["n"] > 0, "<").values.ravel()
    assert set(verdicts) == {"<"}
    found = findings(analysis)
    assert not {"intensified", "de-intensified"} & claims_in(found)
    assert "by themselves no evidence of a corrective effect" in found.basis


def test_control_above_one_needs_no_caution(sim):
    text = finding(analyse(sim, {"sham": sim.Arm(spread=1.3), "mp": sim.Arm(spread=1.3)}))
    assert "corrective" not in text


@pytest.mark.parametrize("seeds", [1, 3, 4])
def test_too_few_seeds(sim, seeds):
    arms = {"sham": sim.CONTROL, "mp": [sim.Arm(spread=2.0)] * 2 + [sim.COLLAPSED]}
    found = findings(analyse(sim, arms, seeds=seeds))
    assert found.intensified.startswith(f"Too few seeds ({seeds}; 5 are needed)")
    assert claims_in(found) == set()
    assert "Networks collapsed (no classifiers any more) for mp at ratio 10." in found.undecided
    assert "Everything else is undecided" in found.undecided


def test_no_control_makes_no_claim(sim):
    found = findings(analyse(sim, {"mp": sim.Arm(spread=0.6), "up": sim.Arm(spread=1.5)}))
    assert found.intensified.startswith("There is no control")
    assert "no claim about pruning is made" in found.intensified
    assert claims_in(found) == set()
    assert "Mean slopes after pruning: 0." in found.basis
    assert "no evidence of a corrective effect" in found.basis


def test_method_without_its_own_control(sim):
    text = finding(analyse(sim, {"sham": sim.CONTROL, "mp": sim.Arm(spread=1.5), "lth": sim.Arm(spread=1.5)}))
    assert "No claim is made for lth: the cube has no control for it." in text
    assert "in all 3 comparisons (mp at every ratio)" in text


def test_columns_that_were_not_computed(sim):
    arms = {"sham": sim.CONTROL, "mp": sim.Arm(spread=1.5), "up": sim.CONTROL}
    found = findings(analyse(sim, arms, missing=[("mp", 4), *(("up", r) for r in (2, 4, 10))]))
    assert found.undecided == "There is no result for mp at ratio 4 and up at every ratio."


def test_nothing_computed_and_nothing_pruned(sim):
    arms = {"sham": sim.CONTROL, "mp": sim.CONTROL}
    nothing = analyse(sim, arms, missing=[("sham", 1), *(("mp", r) for r in (2, 4, 10))])
    assert finding(nothing).startswith("No network of the cube has a slope")
    assert finding(analyse(sim, {"sham": sim.CONTROL})).startswith("The cube holds the control alone")


def test_short_for_four_methods(sim):
    grow = [sim.CONTROL, sim.Arm(spread=1.5), sim.Arm(spread=1.8)]
    arms = {"sham": sim.CONTROL, "mp": grow, "gp": grow, "up": grow, "rp": grow}
    found = findings(analyse(sim, arms, images=5000))
    assert "mp, gp, up and rp at ratios 4 and 10" in found.intensified
    assert sum(len(text.split()) for text in found.sentences) <= 145
    assert "\n" not in finding(analyse(sim, arms))


def test_places_with_equal_words_are_grouped(sim):
    places = (("digits", "lenet"), ("mnist", "lenet"), ("mnist", "resnet20"))
    found = findings(analyse(sim, {"sham": sim.CONTROL, "mp": sim.Arm(spread=1.6)}, places=places))
    assert "(mp at every ratio (digits lenet, mnist lenet, mnist resnet20))" in found.intensified


def test_long_enumerations_end(study):
    records = [{**r, "dataset": f"d{i}", "ratio": r["ratio"] + i} for i in range(9) for r in control_records(study)]
    phrase = cells_phrase(records, lambda record: record["claim"] == "collapsed")
    assert phrase.endswith("(d3 lenet), and further cells of the table")


def test_strongest_is_farthest_from_zero_by_its_interval():
    def record(claim, mean, half):
        return {"claim": claim, "mean": mean, "lower": mean - half, "upper": mean + half}

    wide, tight = record("intensified", 1.0, 0.95), record("de-intensified", -0.5, 0.1)
    assert strongest([wide, tight]) is tight
    assert strongest([]) is None


def test_never_more_than_the_claims(sim):
    for rng in range(6):
        draw = np.random.default_rng(rng)
        arms = {m: sim.Arm(*draw.uniform([0.5, 0.5, 0], [1.5, 0.85, 0.6]), 0.03) for m in ("sham", "mp", "up")}
        analysis = analyse(sim, arms, rng=rng, images=300, seeds=6)
        words = {r["claim"].removesuffix(", spread undecided") for r in control_records(analysis)}
        assert claims_in(findings(analysis)) == words & set(WORDS)


def test_a_collapsed_control_is_nothing_to_compare_with(make_study):
    """Against networks that name one class, everything would look de-intensified."""
    gone = {(seed, "sham", 1.0) for seed in range(6)}
    cube = make_study({"sham": 1.0, "mp": (1.0, 2.0)}, images=200, noise=0.01, collapse=gone)
    for exclude in (False, True):
        analysis = rdstats.analyze(cube, folds=0, exclude_degenerate=exclude)
        found = findings(analysis)
        assert claims_in(found) == set()
        assert found.undecided.startswith("Undecided are both comparisons: the control collapsed")
        assert "reach" not in found.undecided
        assert "the control's" not in found.basis
        assert any("the control collapsed" in line for line in analysis.warnings)
    # two of ten is more than a tenth as well, one of ten is not
    for n, claimed in ((2, False), (1, True)):
        some = {(seed, "sham", 1.0) for seed in range(n)}
        cube = make_study({"sham": 1.0, "mp": (2.0, 2.0)}, images=200, noise=0.01, seeds=10, collapse=some)
        words = {r["claim"] for r in control_records(rdstats.analyze(cube, folds=0, exclude_degenerate=True))}
        assert (words == {"intensified"}) is claimed


def test_a_control_without_a_result(make_study):
    missing = {(seed, "sham", 1.0) for seed in range(6)}
    found = findings(rdstats.analyze(make_study({"sham": 1.0, "mp": 2.0}, missing=missing), folds=0))
    assert found.intensified.startswith("The control (the same fine-tuning without pruning) has no result")
    assert "too few seeds" not in found.undecided


def test_a_control_that_is_not_wanted(sim):
    found = findings(rdstats.analyze(sim.simulate({"sham": sim.CONTROL, "mp": sim.CONTROL}), against="one"))
    assert found.intensified.startswith("The control is not in use here, as was asked")


def test_one_difference_in_every_seed_is_undecided(sim):
    """Real cubes whose seeds are equal: no chance was seen, so none can be excluded."""
    cube = sim.simulate({"sham": sim.CONTROL, "mp": sim.Arm(spread=1.6)}, seeds=1)
    cube = rdstats.select(cube, seed=[0])
    same = xr.concat([cube.assign_coords(seed=[i]) for i in range(6)], "seed").assign_attrs(cube.attrs)
    found = findings(rdstats.analyze(same))
    assert claims_in(found) == set()
    assert found.undecided == "Undecided are all 3 comparisons: all seeds give one difference."


def test_what_holds_together_and_what_was_selected(sim):
    cube = sim.simulate({"sham": sim.CONTROL, "mp": sim.CONTROL, "up": sim.CONTROL})
    basis = findings(rdstats.analyze(cube)).basis
    assert "hold together over the 3 ratios of one method, not over all 2 columns" in basis
    one = rdstats.select(cube, method=["sham", "mp"]).assign_attrs(selected="method=sham,mp")
    found = findings(rdstats.analyze(one))
    assert "hold together" not in found.basis
    assert "Selected part only (method=sham,mp)" in found.basis


def test_long_names_and_many_places_stay_short(sim):
    long = "m" * 100
    places = tuple(("digits", f"a{i}") for i in range(9))
    found = findings(rdstats.analyze(sim.simulate({"sham": sim.CONTROL, long: sim.Arm(spread=1.6)}, places=places)))
    assert long not in finding(rdstats.analyze(sim.simulate({"sham": sim.CONTROL, long: sim.Arm(spread=1.6)})))
    assert "digits a3, 5 more)" in found.intensified
