"""How sentences name cells, places and ranges."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rdstats._labelled import METHOD, RATIO
from rdstats.records import Record
from rdstats.tables.table import label, number

MAX_GROUPS = 4
"""Longest enumeration over several datasets and archs; the table has the rest."""

MAX_PLACES = 4
"""Longest enumeration of datasets and archs."""
LONGEST = 40
"""Letters of a name."""

Choice = Callable[[Record], bool]


def cells_phrase(records: Sequence[Record], chosen: Choice) -> str:
    """Return the chosen cells in words: methods with equal ratios together, likewise places."""
    groups: dict[str, list[str]] = {}
    places = list(dict.fromkeys(map(place_of, records)))
    for place in places:
        for phrase in _phrases([record for record in records if place_of(record) == place], chosen):
            groups.setdefault(phrase, []).append(place)
    if len(places) < 2:
        return join(list(groups))
    items = [f"{phrase} ({_few(where)})" for phrase, where in groups.items()]
    more = ["and further cells of the table"] if len(items) > MAX_GROUPS else []
    return ", ".join([*items[:MAX_GROUPS], *more])


def _few(places: Sequence[str]) -> str:
    """Return places with commas, from `MAX_PLACES` on only how many more there are."""
    more = len(places) - MAX_PLACES
    return ", ".join([*places[:MAX_PLACES], *([f"{more} more"] if more > 0 else [])])


def cell_phrase(record: Record, records: Sequence[Record]) -> str:
    """Return one of the cells in words: ``mp at ratio 4``, with its place where there are several."""
    several = len(set(map(place_of, records))) > 1
    return f"{method_of(record)}{_ratio_phrase([record], 0)}" + (f" ({place_of(record)})" if several else "")


def _phrases(records: Sequence[Record], chosen: Choice) -> list[str]:
    """Return ``mp and up at ratios 2 and 4`` for every group of methods with equal ratios, in one place."""
    methods: dict[str, list[str]] = {}
    for method in dict.fromkeys(map(method_of, records)):
        own = [record for record in records if method_of(record) == method]
        here = [record for record in own if chosen(record)]
        if here:
            methods.setdefault(_ratio_phrase(here, len(own)), []).append(method)
    return [f"{join(names)}{phrase}" for phrase, names in methods.items()]


def _ratio_phrase(records: Sequence[Record], n_all: int) -> str:
    if RATIO not in records[0]:
        return ""
    if len(records) == n_all > 1:
        return " at every ratio"
    ratios = [label(record[RATIO]) for record in records]
    return f" at ratio{'s' if len(ratios) > 1 else ''} {join(ratios)}"


def method_of(record: Record) -> str:
    """Return the method of a record; a cube without methods compresses in one way."""
    return short(str(record.get(METHOD, "compression")))


def place_of(record: Record) -> str:
    """Return dataset, arch and further labels of a record."""
    dims = list(record)[: list(record).index("mean")]
    return " ".join(short(label(record[dim])) for dim in dims if dim not in (METHOD, RATIO, "control"))


def short(name: str) -> str:
    """Return a name, cut off where it is too long for a sentence."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def range_text(values: Iterable[float | None]) -> str:
    """Return ``0.5 to 1.2`` of the values that are known, one number where they are equal."""
    numbers = [value for value in values if value is not None]
    ends = dict.fromkeys(number(value) for value in (min(numbers), max(numbers))) if numbers else {}
    return " to ".join(ends)


def span(numbers: Sequence[int]) -> str:
    """Return ``8 to 10``, one number where they are equal."""
    return " to ".join(dict.fromkeys(f"{value:,}" for value in (min(numbers), max(numbers))))


def join(items: Sequence[str]) -> str:
    """Return ``a, b and c``."""
    return f"{', '.join(items[:-1])} and {items[-1]}" if len(items) > 1 else "".join(items)


def plural(n: int, noun: str) -> str:
    """Return ``1 cell``, ``2 cells``."""
    return f"{n} {noun}{'s' if n != 1 else ''}"


def all_text(n: int) -> str:
    """Return ``both comparisons``, ``all 3 comparisons``."""
    return "both comparisons" if n == 2 else f"all {plural(n, 'comparison')}"
