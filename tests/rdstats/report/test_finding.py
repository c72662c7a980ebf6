"""The paragraph: one branch a test, each on a cube with a known effect."""

import re
from dataclasses import replace

import numpy as np
import pytest

import rdstats
from rdstats.array import CLAIMS
from rdstats.records import control_records, slope_records
from rdstats.report import finding
from rdstats.report.finding import cells_phrase, strongest

CLAIM_WORDS = ("intensified", "de-intensified", "practically none", "changed relative to the control")


def claims_in(text):
    found = {word for word in CLAIM_WORDS[1:] if word in text}
    return found | ({"intensified"} if re.search(r"(?<!de-)intensified", text) else set())


def analyse(sim, arms, **options):
    return rdstats.analyze(sim.simulate(arms, **options))


def test_intensified_names_delta_control_and_basis(sim):
    analysis = analyse(sim, {"sham": sim.CONTROL, "mp": [sim.CONTROL, sim.Arm(spread=1.3), sim.Arm(spread=1.6)]})
    text = finding(analysis)
    assert claims_in(text) == {"intensified", "practically none"}
    assert "pruning intensified differences in recall between classes for mp at ratios 4 and 10" in text
    best = analysis.control.sel({"method": "mp", "ratio": 10}).squeeze()
    low, high = best["interval"].values
    assert f"mp at ratio 10, slope {float(best['mean']):.3f} above the control's" in text
    assert f"{low:.3f} to {high:.3f}" in text
    assert f"{float(np.exp(best['log_spread'])):.2f} times as far" in text
    sham = float(analysis.summary["mean"].sel({"method": "sham", "ratio": 1}).squeeze())
    assert f"the control's: {sham:.3f}, so slopes below 1 occur without pruning too" in text
    pruned = [r["mean"] for r in slope_records(analysis) if r["method"] == "mp"]
    assert f"{min(pruned):.3f} to {max(pruned):.3f}" in text
    assert "Basis: 8 seeds, 2,000 test images per class" in text


def test_de_intensified(sim):
    text = finding(analyse(sim, {"sham": sim.CONTROL, "up": sim.Arm(spread=0.6)}))
    assert claims_in(text) == {"de-intensified"}
    assert "for up at every ratio" in text
    assert re.search(r"slope 0\.\d{3} below the control's \(95% simultaneous interval of the difference -", text)


def test_both_directions_share_a_sentence(study):
    text = finding(study)
    assert (
        "pruning intensified differences in recall between classes for mp at every ratio; it de-intensified them"
        in text
    )
    assert "networks collapsed (no classifiers any more) for rp at ratio 10" in text


def test_changed_with_undecided_spread(sim):
    analysis = analyse(sim, {"sham": sim.CONTROL, "gp": sim.Arm(turn=0.9)})
    assert claims_in(finding(analysis)) == set()  # no predictions: no corrected difference supports the change
    changed = analysis.control["claim"].copy(data=np.full(analysis.control["claim"].shape, CLAIMS[4], object))
    text = finding(replace(analysis, control=analysis.control.assign(claim=changed)))
    assert claims_in(text) == {"changed relative to the control"}
    assert "spread undecided, for gp at every ratio" in text


def test_practically_none_is_the_only_claim_of_a_null(sim):
    quiet = dict.fromkeys(("sham", "mp", "up"), sim.Arm(noise=0.003))
    for rng in range(4):
        text = finding(analyse(sim, quiet, rng=rng, images=5000))
        assert claims_in(text) == {"practically none"}
        assert "(within 0.1) for mp and up at every ratio" in text
        assert "Largest of these" in text


def test_noisy_null_is_undecided(sim):
    noisy = sim.Arm(noise=0.06)
    text = finding(analyse(sim, {"sham": noisy, "mp": noisy, "up": noisy}, images=200, seeds=6))
    assert claims_in(text) == set()
    assert "no claim about pruning is supported: the comparison is undecided for mp and up at every ratio" in text
    assert "Clearest" not in text


def test_slopes_below_one_in_every_arm_prove_nothing(sim):
    low = sim.Arm(spread=0.6)
    analysis = analyse(sim, {"sham": low, "mp": low, "up": low}, images=5000)
    verdicts = analysis.summary["verdict"].where(analysis.summary["n"] > 0, "<").values.ravel()
    assert set(verdicts) == {"<"}
    text = finding(analysis)
    assert "intensified" not in text
    assert "by themselves no evidence of a corrective effect" in text


def test_control_above_one_needs_no_caution(sim):
    text = finding(analyse(sim, {"sham": sim.Arm(spread=1.3), "mp": sim.Arm(spread=1.3)}))
    assert "corrective" not in text


@pytest.mark.parametrize("seeds", [1, 3, 4])
def test_too_few_seeds(sim, seeds):
    text = finding(analyse(sim, {"sham": sim.CONTROL, "mp": [sim.Arm(spread=2.0)] * 2 + [sim.COLLAPSED]}, seeds=seeds))
    assert text.startswith(f"Too few seeds ({seeds}; 5 are needed)")
    assert claims_in(text) == set()
    assert "Networks collapsed (no classifiers any more) for mp at ratio 10." in text


def test_no_control_makes_no_claim(sim):
    text = finding(analyse(sim, {"mp": sim.Arm(spread=0.6), "up": sim.Arm(spread=1.5)}))
    assert text.startswith("There is no control")
    assert "no claim about pruning is made" in text
    assert claims_in(text) == set()
    assert "Mean slopes after pruning: 0." in text
    assert "no evidence of a corrective effect" in text


def test_method_without_its_own_control(sim):
    text = finding(analyse(sim, {"sham": sim.CONTROL, "mp": sim.Arm(spread=1.5), "lth": sim.Arm(spread=1.5)}))
    assert "No claim is made for lth: the cube has no control for it." in text
    assert "for mp at every ratio;" in text or "for mp at every ratio." in text


def test_columns_that_were_not_computed(sim):
    arms = {"sham": sim.CONTROL, "mp": sim.Arm(spread=1.5), "up": sim.CONTROL}
    text = finding(analyse(sim, arms, missing=[("mp", 4), *(("up", r) for r in (2, 4, 10))]))
    assert "there is no result for mp at ratio 4 and up at every ratio" in text


def test_nothing_computed_and_nothing_pruned(sim):
    arms = {"sham": sim.CONTROL, "mp": sim.CONTROL}
    nothing = analyse(sim, arms, missing=[("sham", 1), *(("mp", r) for r in (2, 4, 10))])
    assert finding(nothing).startswith("No network of the cube has a slope")
    assert finding(analyse(sim, {"sham": sim.CONTROL})).startswith("The cube holds the control alone")


def test_short_for_four_methods(sim):
    grow = [sim.CONTROL, sim.Arm(spread=1.5), sim.Arm(spread=1.8)]
    arms = {"sham": sim.CONTROL, "mp": grow, "gp": grow, "up": grow, "rp": grow}
    text = finding(analyse(sim, arms, images=5000))
    assert "mp, gp, up and rp at ratios 4 and 10" in text
    assert len(text.split()) <= 120
    assert "\n" not in text


def test_places_with_equal_words_are_grouped(sim):
    places = (("digits", "lenet"), ("mnist", "lenet"), ("mnist", "resnet20"))
    text = finding(analyse(sim, {"sham": sim.CONTROL, "mp": sim.Arm(spread=1.6)}, places=places))
    assert "for mp at every ratio (digits lenet, mnist lenet, mnist resnet20)." in text


def test_long_enumerations_end(study):
    records = [{**r, "dataset": f"d{i}", "ratio": r["ratio"] + i} for i in range(9) for r in control_records(study)]
    assert cells_phrase(records, "collapsed").endswith("(d4 lenet), and further cells of the table")


def test_strongest_is_farthest_from_zero_by_its_interval():
    def record(claim, mean, half):
        return {"claim": claim, "mean": mean, "lower": mean - half, "upper": mean + half}

    wide, tight = record("intensified", 1.0, 0.95), record("de-intensified", -0.5, 0.1)
    none = record("practically none", 0.05, 0.02)
    assert strongest([wide, none, tight]) is tight
    assert strongest([none, record("practically none", -0.01, 0.02)]) is none
    assert strongest([record("undecided", 3.0, 0.1), record("collapsed", 9.0, 0.1)]) is None


def test_never_more_than_the_claims(sim):
    for rng in range(6):
        draw = np.random.default_rng(rng)
        arms = {m: sim.Arm(*draw.uniform([0.5, 0.5, 0], [1.5, 0.85, 0.6]), 0.03) for m in ("sham", "mp", "up")}
        analysis = analyse(sim, arms, rng=rng, images=300, seeds=6)
        words = {r["claim"].removesuffix(", spread undecided") for r in control_records(analysis)}
        assert claims_in(finding(analysis)) == words & set(CLAIM_WORDS)
