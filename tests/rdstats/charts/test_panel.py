"""Where marks are placed in a panel."""

import math

import pytest

from rdstats.charts.panel import pixels, place, positions, view


def test_huge_intervals_do_not_flatten_the_values():
    frame = view([0.8, 1.0, 1.2], [-50.0, 60.0, 0.9])
    assert frame.low < 0.8 < 1.2 < frame.high
    assert frame.high - frame.low < 2
    row = {"value": 1.0, "lower": -50.0, "upper": 1.1, "collapsed": False}
    drawn = place([row], frame)[0]
    assert drawn["y_lower"] == frame.low
    assert drawn["y_upper"] == 1.1
    assert drawn["cut_low"]
    assert not drawn["cut_high"]


def test_small_intervals_are_wholly_seen():
    frame = view([0.8, 1.0], [0.75, 1.05])
    assert frame.low < 0.75
    assert frame.high > 1.05


def test_series_stand_side_by_side_around_their_ratio():
    names = ["a", "b", "c"]
    x = positions([2, 4], names)
    assert x["b", 2] == 2
    assert x["a", 2] < x["b", 2] < x["c", 2] < x["a", 4]
    assert x["a", 2] * x["c", 2] == pytest.approx(4, rel=1e-12)
    assert positions([4], ["a"]) == {("a", 4): 4}
    log_width = math.log(4 * 1.45 / (2 / 1.45))
    step = math.log(x["b", 2] / x["a", 2])
    assert pixels([2, 4], 3, 360) == pytest.approx(step / log_width * 360, rel=1e-12)


def test_one_value_has_room_around_it():
    frame = view([1.0], [])
    assert frame.low < 1 < frame.high
    assert frame.high - frame.low == pytest.approx(1.12 * 0.2, rel=1e-12)
