"""Two runs side by side: what is told as a difference, what as noise."""

from __future__ import annotations

import pytest

from benchmarks import judge
from benchmarks.results import Part, Results
from benchmarks.row import NOT_MEASURED, Aim, Row, Sample, once


def run(*rows: Row, name: str = "fake", **machine: str) -> Results:
    return Results(machine, [Part(name, rows, 1.0, 0.5, 0.75)])


def difference(old: list[float], new: list[float], better: int = -1) -> judge.Difference:
    return judge.Difference("fake", "what", Sample.of(old), Sample.of(new), better)


@pytest.mark.parametrize(
    ("old", "new", "judged", "factor"),
    [
        ([1.0, 2.0, 3.0], [3.5, 4.0, 9.0], "more", 2.0),
        ([1.0, 2.0, 3.0], [3.0, 4.0, 9.0], "within the spread", 2.0),  # the ranges touch
        ([2.0, 4.0, 5.0], [1.0, 1.0, 1.9], "less", 0.25),
        ([2.0, 4.0, 5.0], [1.0, 1.0, 2.0], "within the spread", 0.25),
        ([1.0, 2.0], [50.0], "measured once", 50 / 1.5),
    ],
)
def test_ranges_decide(old: list[float], new: list[float], judged: str, factor: float) -> None:
    one = difference(old, new)
    assert one.judged == judged
    assert one.factor == pytest.approx(factor)


def test_worse_needs_the_factor_and_the_spread() -> None:
    slower = difference([1.0, 1.0], [1.3, 1.3])
    assert slower.is_worse(1.2)
    assert not slower.is_worse(1.4)
    assert not difference([1.3, 1.3], [1.0, 1.0]).is_worse(1.2)
    assert not difference([1.0, 1.0], [1.0, 1.6]).is_worse(1.2)  # the ranges touch
    assert difference([1.3, 1.3], [1.0, 1.0], better=1).is_worse(1.2)
    assert not difference([1.0, 1.0], [1.3, 1.3], better=1).is_worse(1.2)
    assert not difference([1.0, 1.0], [9.0, 9.0], better=0).is_worse(1.2)


def test_line_says_better_or_worse() -> None:
    assert difference([1.0, 1.0], [2.0, 2.0]).line().split()[-4:] == ["2.00", "2.00", "more", "(worse)"]
    assert difference([1.0, 1.0], [2.0, 2.0], better=1).line().endswith("more (better)")
    assert difference([1.0, 1.0], [2.0, 2.0], better=0).line().endswith("more")


def test_ratios_are_compared_if_they_are_of_the_same() -> None:
    def row(seconds: float, ratio: list[float], compared: str) -> Row:
        return Row("engine", once(seconds), "s", Sample.of(ratio), compared, Aim("at least", 1, "ratio"))

    old, new = run(row(2.0, [1.2, 1.3], "of by hand")), run(row(3.0, [0.9, 0.8], "of by hand"))
    both, removed, added = judge.differences(old, new, ["fake"])
    assert [(one.judged, one.better) for one in both] == [("measured once", -1), ("less", 1)]
    assert (removed, added) == ([], [])
    assert both[1].is_worse(1.2)
    other = run(row(3.0, [0.9, 0.8], "times as fast"))
    assert len(judge.differences(old, other, ["fake"])[0]) == 1


def test_rows_are_told_apart_by_unit_and_benchmark() -> None:
    old = run(Row("rd report", once(1.0), "s"), Row("rd report", once(0.2), "GiB"))
    new = run(Row("rd report", once(1.0), "s"), Row("rd plot", once(0.2), "GiB"))
    both, removed, added = judge.differences(old, new, ["fake"])
    assert [one.what for one in both] == ["rd report [s]"]
    assert (removed, added) == (["fake: rd report (GiB)"], ["fake: rd plot (GiB)"])
    assert judge.differences(old, run(*new.parts[0].rows, name="other"), ["fake"]) == (
        [], ["fake: rd report (s)", "fake: rd report (GiB)"], []
    )  # fmt: skip


def test_table_names_what_differs_between_the_machines() -> None:
    rows = (Row("rd report", once(1.0), "s"), Row("PyCM", NOT_MEASURED, "s"))
    old, new = run(*rows, torch="2.6", python="3.11"), run(*rows, torch="2.7", python="3.11")
    text = "\n".join(judge.table(old, new, ["fake"]))
    assert "torch: 2.6 | 2.7" in text
    assert "python" not in text
    assert "fake: load 0.50 to 0.75 | load 0.50 to 0.75" in text
    assert next(line for line in text.splitlines() if line.startswith("PyCM")).endswith("nan  not measured")
    assert "only in" not in text
