"""Tests, intervals, regressions and corrections against base R.

Inputs and outputs are those of tests/data/r_reference.json, whose header names the version of R and the call; R
itself is not needed here.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from rdstats.array import (
    correct,
    independent_ttest,
    normalized_balance,
    paired_ttest,
    r_squared,
    recall,
    slope,
    t_interval,
    tost,
)
from rdstats.array.intervals import half_width

R = json.loads((Path(__file__).parents[2] / "data" / "r_reference.json").read_text())
SAMPLES = {name: np.array(values) for name, values in R["samples"].items()}
LEVELS = R["levels"]
ALTERNATIVES = {"two.sided": "two-sided", "less": "less", "greater": "greater"}
TESTS = {
    "paired": paired_ttest,
    "welch": independent_ttest,
    "pooled": lambda *args, **kwargs: independent_ttest(*args, equal_variance=True, **kwargs),
}


def numbers(values):
    """Values as float64, null (infinite or missing in R) as NaN."""
    return np.array(values, dtype=np.float64)


def name_of(case):
    return "-".join(str(value) for value in case.values() if isinstance(value, str))


def test_header_says_where_the_values_come_from():
    assert R["header"]["R"].startswith("R version")
    assert R["header"]["call"].startswith("Rscript --vanilla tests/data/r_reference.R")
    assert len(R["t_test"]) == 54


@pytest.mark.parametrize("case", R["t_test"], ids=name_of)
def test_t_test(case):
    """t.test(first, second, alternative, paired, var.equal, conf.level)."""
    first, second, test = SAMPLES[case["first"]], SAMPLES[case["second"]], TESTS[case["kind"]]
    found = test(first, second, alternative=ALTERNATIVES[case["alternative"]])
    expected = [case[name] for name in ("estimate", "statistic", "parameter", "p_value")]
    np.testing.assert_allclose([found.estimate, found.statistic, found.df, found.p], expected, rtol=1e-10)
    lower, upper = numbers(case["lower"]), numbers(case["upper"])
    for i, level in enumerate(LEVELS):
        # R's one-sided bound at a level is an end of the two-sided interval that leaves as much on either side
        ours = test(first, second, level=level if case["alternative"] == "two.sided" else 2 * level - 1)
        if case["alternative"] != "less":
            np.testing.assert_allclose(ours.lower, lower[i], rtol=1e-10)
        if case["alternative"] != "greater":
            np.testing.assert_allclose(ours.upper, upper[i], rtol=1e-10)
    assert np.isnan(lower).all() == (case["alternative"] == "less")
    assert np.isnan(upper).all() == (case["alternative"] == "greater")


@pytest.mark.parametrize("case", [c for c in R["t_test"] if c["alternative"] == "two.sided"], ids=name_of)
@pytest.mark.parametrize("m", [4, 25])
def test_interval_of_a_family_is_that_at_the_corrected_level(case, m):
    place = LEVELS.index(1 - 0.05 / m)
    found = TESTS[case["kind"]](SAMPLES[case["first"]], SAMPLES[case["second"]], level=0.95, m=m)
    np.testing.assert_allclose([found.lower, found.upper], [case["lower"][place], case["upper"][place]], rtol=1e-10)


@pytest.mark.parametrize("case", R["one_sample"], ids=name_of)
def test_t_interval(case):
    """t.test(sample, conf.level)$conf.int, mean and sd."""
    values = SAMPLES[case["sample"]]
    for i, level in enumerate(LEVELS):
        found = t_interval(values, level=level)
        np.testing.assert_allclose([found.lower, found.upper], [case["lower"][i], case["upper"][i]], rtol=1e-10)
    np.testing.assert_allclose([found.mean, found.sd, found.n], [case["mean"], case["sd"], case["n"]], rtol=1e-12)
    found, place = t_interval(values, k=25), LEVELS.index(1 - 0.05 / 25)
    np.testing.assert_allclose([found.lower, found.upper], [case["lower"][place], case["upper"][place]], rtol=1e-10)


@pytest.mark.parametrize("case", R["tost"], ids=name_of)
def test_tost(case):
    """The larger p of t.test(d, mu = -margin, "greater") and t.test(d, mu = margin, "less")."""
    difference = SAMPLES[case["first"]] - SAMPLES[case["second"]]
    found = tost(difference.mean(), difference.std(ddof=1), difference.size, margin=case["margin"])
    np.testing.assert_allclose(found.p, case["p_value"], rtol=1e-10)


@pytest.mark.parametrize("case", R["lm"], ids=name_of)
def test_regression_of_balances(case):
    """lm(y ~ x - 1) on normalised balances that R made of the counts: coefficient and (uncentred) r.squared."""
    support = numbers(case["support"])
    before, after = (
        normalized_balance(recall(case[name], support), support, case["reference"]) for name in ("before", "after")
    )
    np.testing.assert_allclose(before, case["x"], rtol=1e-10)
    np.testing.assert_allclose(after, case["y"], rtol=1e-10)
    np.testing.assert_allclose(slope(before, after), case["slope"], rtol=1e-10)
    np.testing.assert_allclose(r_squared(before, after), case["r_squared"], rtol=1e-10)


@pytest.mark.parametrize("case", R["lm"], ids=name_of)
def test_regression_with_intercept(case):
    """lm(y ~ x): the slope of centred values; balances against the macro mean have no intercept to lose."""
    x, y = numbers(case["x"]), numbers(case["y"])
    centred = x - x.mean(), y - y.mean()
    np.testing.assert_allclose(slope(*centred), case["free_slope"], rtol=1e-10)
    np.testing.assert_allclose(r_squared(*centred), case["free_r_squared"], rtol=1e-10)
    intercept = y.mean() - slope(*centred) * x.mean()
    # a difference of means of order .1, in R by orthogonal decomposition
    np.testing.assert_allclose(intercept, case["free_intercept"], atol=1e-14)
    if case["reference"] == "macro":
        np.testing.assert_allclose(slope(x, y), case["free_slope"], rtol=1e-10)


@pytest.mark.parametrize("case", R["p_adjust"], ids=lambda case: f"{len(case['p'])} of {case['m']}")
@pytest.mark.parametrize("method", ["bonferroni", "holm", "bh"])
def test_corrections(method, case):
    """p.adjust(p, method, n = m), m beyond the p-values and NA included."""
    found = correct(numbers(case["p"]), method, case["m"])
    np.testing.assert_allclose(found, numbers(case[method]), rtol=1e-10)


@pytest.mark.parametrize("case", R["qt"], ids=lambda case: f"df {case['df']}")
def test_t_quantiles(case):
    """qt(tail, df, lower.tail = FALSE)."""
    tails = numbers(case["tail"])
    found = half_width(np.array(1.0), np.array(float(case["df"])), tails)
    np.testing.assert_allclose(found, case["t"], rtol=1e-10)


@pytest.mark.parametrize("case", R["mcnemar"], ids=lambda case: f"{case['only_before']} {case['only_after']}")
def test_discordant_images(case):
    """binom.test(b, b + c), and its mid-p by dbinom, agree with scipy.stats.binom (scipy 1.12 and later)."""
    low, n = min(case["only_before"], case["only_after"]), case["only_before"] + case["only_after"]
    exact, point = 2 * stats.binom.cdf(low, n, 0.5), stats.binom.pmf(low, n, 0.5)
    balanced = 2 * low == n
    np.testing.assert_allclose(min(1.0, exact), case["exact_p"], rtol=1e-10)
    np.testing.assert_allclose(1 - point / 2 if balanced else exact - point, case["mid_p"], rtol=1e-10)
