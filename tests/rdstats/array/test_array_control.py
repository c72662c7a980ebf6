"""Against the control: spread, equivalence and the words of a claim."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.weightstats import DescrStatsW

from rdstats.array import CLAIMS, TInterval, claim, log_spread_difference, t_interval, tost
from rdstats.errors import InputError

NAN = np.nan
PROPERTY = settings(deadline=None, derandomize=True, max_examples=50)
COLLAPSED, NONE, INTENSIFIED, DE_INTENSIFIED, CHANGED, UNDECIDED = CLAIMS


def interval(lower, upper, n=10, reason=""):
    return TInterval(*(np.asarray(v) for v in ((lower + upper) / 2, 1.0, n, lower, upper, reason)))


ABOVE, BELOW, AROUND = interval(0.1, 0.3), interval(-0.3, -0.1), interval(-0.1, 0.1)
UNKNOWN = interval(NAN, NAN, 2, "too_few_seeds")


def test_log_spread_difference():
    result = log_spread_difference([2.0, 1.0, 0.0, 1.0, NAN], [1.0, 1.0, 1.0, 0.0, 1.0])
    np.testing.assert_allclose(result, [np.log(2), 0, NAN, NAN, NAN], rtol=1e-14)
    with pytest.raises(InputError, match="spread_control"):
        log_spread_difference(1.0, -1.0)


def test_tost_matches_statsmodels():
    """statsmodels.stats.weightstats.DescrStatsW(x).ttost_mean(low, upp)[0], 0.14 and later."""
    values = np.random.default_rng(0).normal(0.03, 0.05, size=(20, 10))
    result = tost(values.mean(-1), values.std(-1, ddof=1), 10)
    expected = [DescrStatsW(row).ttost_mean(-0.1, 0.1)[0] for row in values]
    np.testing.assert_allclose(result.p, expected, rtol=1e-10)
    np.testing.assert_array_equal(result.equivalent, result.p < 0.05)


@given(st.floats(-0.3, 0.3), st.floats(0.01, 0.5), st.integers(3, 40), st.integers(1, 8))
@PROPERTY
def test_tost_is_the_interval_at_one_minus_two_alpha(mean, sd, n, k):
    """Equivalent exactly where the interval at 1 - 2 (1 - level) / k lies inside the margin."""
    values = np.random.default_rng(1).normal(size=n)
    values = mean + sd * (values - values.mean()) / values.std(ddof=1)
    bounds = t_interval(values, level=1 - 2 * 0.05 / k)
    room = min(0.1 - bounds.upper, bounds.lower + 0.1)
    if abs(room) > 1e-9:
        assert tost(bounds.mean, bounds.sd, bounds.n, k=k).equivalent == (room > 0)


def test_tost_about_one():
    np.testing.assert_allclose(tost(1.02, 0.05, 9, null=1.0).p, tost(0.02, 0.05, 9).p, rtol=1e-10)


@pytest.mark.parametrize(("mean", "sd", "n"), [(0, 0.0, 10), (0, 0.01, 2), (NAN, 0.01, 9), (0, NAN, 9)])
def test_tost_without_evidence(mean, sd, n):
    result = tost(mean, sd, n)
    assert np.isnan(result.p)
    assert not result.equivalent


def test_tost_shapes_and_refusals():
    result = tost(np.zeros((3, 2)), 0.05, 10, k=[1, 5])
    assert result.p.shape == result.equivalent.shape == (3, 2)
    with pytest.raises(InputError, match="margin"):
        tost(0, 0.1, 10, margin=0)
    with pytest.raises(InputError, match="sd"):
        tost(0, -0.1, 10)


@pytest.mark.parametrize(
    ("delta", "spread", "equivalent", "collapsed", "words"),
    [
        (ABOVE, ABOVE, False, True, COLLAPSED),
        (UNKNOWN, UNKNOWN, False, True, COLLAPSED),
        (ABOVE, ABOVE, True, False, NONE),
        (AROUND, AROUND, True, False, NONE),
        (ABOVE, ABOVE, False, False, INTENSIFIED),
        (BELOW, BELOW, False, False, DE_INTENSIFIED),
        (ABOVE, AROUND, False, False, CHANGED),
        (BELOW, AROUND, False, False, CHANGED),
        (BELOW, UNKNOWN, False, False, CHANGED),
        (ABOVE, BELOW, False, False, UNDECIDED),
        (BELOW, ABOVE, False, False, UNDECIDED),
        (AROUND, ABOVE, False, False, UNDECIDED),
        (AROUND, AROUND, False, False, UNDECIDED),
        (UNKNOWN, ABOVE, False, False, UNDECIDED),
        (interval(0.1, 0.3, 4), interval(0.1, 0.3, 4), False, False, UNDECIDED),
        (interval(-0.01, 0.01, 4), AROUND, True, False, UNDECIDED),
        (interval(0.2, 0.2, 9, "no_variation"), ABOVE, False, False, UNDECIDED),
        (interval(0.0, 0.0, 9, "no_variation"), ABOVE, True, False, UNDECIDED),
    ],
)
def test_words_of_a_claim(delta, spread, equivalent, collapsed, words):
    assert claim(delta, spread, equivalent=equivalent, collapsed=collapsed) == words


def test_claims_of_a_whole_column():
    delta = t_interval(np.array([[0.3, 0.2, 0.25, 0.35, 0.3], [-0.3, -0.2, -0.25, -0.35, -0.3]]))
    result = claim(delta, delta, equivalent=[False, False], collapsed=False)
    np.testing.assert_array_equal(result, [INTENSIFIED, DE_INTENSIFIED])


def test_flags_must_be_boolean():
    with pytest.raises(InputError, match="equivalent"):
        claim(ABOVE, ABOVE, equivalent=NAN, collapsed=False)
