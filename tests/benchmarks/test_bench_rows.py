"""Rows of the benchmarks' table: what they hold, how they are printed, what JSON makes of them."""

from __future__ import annotations

import json
import math

import pytest

from benchmarks.row import NOT_MEASURED, Aim, Row, Sample, once
from benchmarks.table import HEADING, WIDTH, lines, number

TIMES = Sample.of([3.0, 1.0, 2.0, 10.0])


def test_sample_is_median_and_range() -> None:
    assert Sample(2.5, 1.0, 10.0, 4) == TIMES
    assert TIMES.times(1e3) == Sample(2500.0, 1000.0, 10000.0, 4)
    assert TIMES.times(-1) == Sample(-2.5, -10.0, -1.0, 4)


@pytest.mark.parametrize(
    ("aim", "median", "met"),
    [
        (Aim("at least", 1), 1.0, True),
        (Aim("at least", 1), 0.999, False),
        (Aim("at most", 20), 20.0, True),
        (Aim("at most", 20), 20.1, False),
        (Aim("at least", 1), math.nan, False),
    ],
)
def test_aim_is_of_the_median(aim: Aim, median: float, met: bool) -> None:
    assert Row("what", Sample(median, 0, 100, 3), "s", aim=aim).met is met


def test_aim_of_the_ratio_leaves_the_value_alone() -> None:
    row = Row("what", once(7.0), "s", once(0.5), "of by hand", Aim("at least", 1, "ratio"))
    assert row.met is False
    assert Row("what", once(0.5), "s", once(7.0), "of by hand", Aim("at least", 1, "ratio")).met is True
    assert Row("what", once(7.0), "s").met is None


def test_direction_comes_from_unit_and_aim() -> None:
    assert [Row("what", once(1), unit).better for unit in ("images/s", "s", "GiB", "% of time")] == [1, -1, -1, 0]
    ratio = {"ratio": once(1.0), "compared": "of by hand"}
    assert Row("what", once(1), "s", **ratio, aim=Aim("at least", 1, "ratio")).better_ratio == 1
    assert Row("what", once(1), "s", **ratio, aim=Aim("at most", 1, "ratio")).better_ratio == -1
    assert Row("what", once(1), "s", **ratio).better_ratio == 0


def test_what_does_not_belong_together_is_refused() -> None:
    with pytest.raises(ValueError, match="belong together"):
        Row("what", once(1), "s", ratio=once(2))
    with pytest.raises(ValueError, match="belong together"):
        Row("what", once(1), "s", compared="times as fast")
    with pytest.raises(ValueError, match="there is none"):
        Row("what", once(1), "s", aim=Aim("at least", 1, "ratio"))
    with pytest.raises(ValueError, match="'above'"):
        Aim("above", 1)


@pytest.mark.parametrize(
    "row",
    [
        Row("bare", once(0.1), "s"),
        Row("all", TIMES, "images/s", Sample.of([1.0, 1.1]), "of by hand", Aim("at least", 1.0, "ratio"), "a note"),
    ],
)
def test_json_round_trip(row: Row) -> None:
    assert Row.read(json.loads(json.dumps(row.document(), allow_nan=False))) == row


def test_json_of_what_was_not_measured_is_null() -> None:
    document = json.loads(json.dumps(Row("missing", NOT_MEASURED, "s").document(), allow_nan=False))
    assert document["value"] == {"median": None, "low": None, "high": None, "repeats": 0}
    assert math.isnan(Row.read(document).value.median)


def test_printed_row() -> None:
    ratio = Sample.of([1.02, 0.98, 1.07])
    row = Row("LeNet: engine", Sample.of([14500, 14600, 15000]), "images/s", ratio, "of by hand")
    assert lines(row) == (
        "LeNet: engine                               14,600 images/s 14,500-15,000 (3) 1.020 of by hand (0.980-1.070)"
    )
    assert lines(Row("size", once(9.7), "MiB", note="on disk")) == (
        "size                                        9.70 MiB                          on disk"
    )
    assert lines(Row("PyCM", NOT_MEASURED, "s")) == "PyCM                                        not measured"


def test_what_has_no_room_goes_below() -> None:
    note = "a note that is much longer than the room that its column has, so that it goes on in a second line " * 2
    row = Row("what", TIMES, "s", TIMES, "times as fast", Aim("at most", 2), note)
    first, *below = lines(row).splitlines()
    assert first.endswith("2.50 times as fast (1.000-10.0)")
    assert below[0].strip().startswith("aim: at most 2, MISSED; a note")
    assert {len(line) - len(line.lstrip()) for line in below} == {44}
    assert max(map(len, (first, *below))) <= WIDTH
    assert " ".join(line.strip() for line in below).count("so that it goes on") == 2


def test_heading_stands_over_its_columns() -> None:
    row = lines(Row("w", Sample.of([1, 2]), "s", once(3), "times"))
    assert HEADING.index("median") == row.index("1.500 s")
    assert HEADING.index("min-max") == row.index("1.000-2.00")
    assert HEADING.index("compared") == row.index("3.00 times")


@pytest.mark.parametrize(
    ("value", "text"),
    [(14590.6, "14,591"), (100.4, "100"), (56.78, "56.8"), (3.0, "3.00"), (1.0214, "1.021"), (0.98, "0.980"),
     (0.0617, "0.062"), (0.00051, "0.00051"), (-12.34, "-12.3")],
)  # fmt: skip
def test_number(value: float, text: str) -> None:
    assert number(value) == text
