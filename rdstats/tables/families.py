"""The tests of a family: corrected p as the paper lays it out, and every test in full."""

from __future__ import annotations

from rdstats._labelled import RATIO
from rdstats.analysis import Analysis, FamilyResult
from rdstats.records import Record, test_records
from rdstats.tables.table import (
    NONE,
    Column,
    Table,
    between,
    cell_dims,
    conditional,
    dropped,
    fixed_text,
    label,
    labels,
    n_text,
    num,
    number,
    p_value,
    percent,
    probability,
    table,
)

_SIDES = {"less": "one-sided (first < second)", "greater": "one-sided (first > second)"}
_QUANTITIES = {"slope": "mean slope of {}", "delta": "mean difference of the slope of {} from the control's"}


def family_tables(analysis: Analysis) -> list[Table]:
    """Return two tables a family: corrected p in the paper's layout, then estimates with intervals."""
    records = test_records(analysis)
    result, start = [], 0
    for one in analysis.families:
        own = records[start : start + one.tests.sizes["test"]]
        start += len(own)
        result += [*_paper_tables(analysis, one, own), *_full_tables(analysis, one, own)]
    return result


def _paper_tables(analysis: Analysis, one: FamilyResult, records: list[Record]) -> list[Table]:
    """Return corrected p with the compared pairs as rows and ratios, archs or columns across."""
    dims = cell_dims(analysis)
    if not records:
        return []
    shared = [dim for dim in dims if len({str(record[dim]) for record in records}) == 1]
    paired = [dim for dim in dims if any(isinstance(record[dim], list) for record in records)]
    across = [dim for dim in one.family.across if dim not in shared]
    placed = [_place(record, dims, across, [*shared, *paired]) for record in records]
    if len(set(placed)) < len(placed):  # a family of one's own, whose sides differ in several ways
        placed = [("", _sides(record, dims, shared), "p") for record in records]
    tables: dict[str, dict[str, dict[str, Record]]] = {}
    for (title, row, column), record in zip(placed, records, strict=True):
        tables.setdefault(title, {}).setdefault(row, {})[column] = record
    several = len(tables) > 1
    result = []
    for i, (title, rows) in enumerate(tables.items()):
        columns = list(dict.fromkeys(column for cells in rows.values() for column in cells))
        shown = [[cells.get(column, {}) for column in columns] for cells in rows.values()]
        result.append(
            Table(
                f"Corrected p: family {one.family.name}" + (f": {title}" if several and title else ""),
                ("", *columns),
                tuple(
                    (row, *(p_value(r.get("p_corrected")) for r in own)) for row, own in zip(rows, shown, strict=True)
                ),
                _caption(analysis, one, records),
                captioned=i == len(tables) - 1,
                values=tuple((row, *(r.get("p_corrected") for r in own)) for row, own in zip(rows, shown, strict=True)),
                records=tuple(record for own in shown for record in own if record),
            )
        )
    return result


def _place(record: Record, dims: list[str], across: list[str], shared: list[str]) -> tuple[str, str, str]:
    """Return table, row and column of a test; what all tests share is said in the caption."""
    pairs = [dim for dim in dims if isinstance(record[dim], list)]
    fixed = [dim for dim in dims if dim not in pairs and dim not in shared]
    pair = label(record[pairs[0]]) if pairs else "all"
    columns = [dim for dim in fixed if dim in across]
    rows = [dim for dim in fixed if dim not in columns and dim == RATIO]
    titles = [dim for dim in fixed if dim not in columns and dim not in rows]
    row = " ".join([pair, *(_named(record, dim) for dim in rows)])
    return " ".join(label(record[d]) for d in titles), row, " ".join(_named(record, d) for d in columns) or "p"


def _sides(record: Record, dims: list[str], shared: list[str]) -> str:
    """Return both sides of a test in full: ``mp t=2 vs up t=4``."""
    sides = []
    for i in range(2):
        one = {dim: record[dim][i] if isinstance(record[dim], list) else record[dim] for dim in dims}
        sides.append(" ".join(_named(one, dim) for dim in dims if dim not in shared))
    return " vs ".join(sides)


def _named(record: Record, dim: str) -> str:
    return f"t={label(record[dim])}" if dim == RATIO else label(record[dim])


def _full_tables(analysis: Analysis, one: FamilyResult, records: list[Record]) -> list[Table]:
    """Return every test with its estimate, interval, statistic, raw and corrected p, one table a family."""
    dims = cell_dims(analysis)
    varying = [dim for dim in dims if len({str(record[dim]) for record in records}) > 1]
    effect = [num("g_av", "g_av", 2)] if one.family.paired else []
    columns = [
        *map(labels, varying), num("difference", "estimate"), between("interval"), num("t", "statistic", 2),
        Column("df", _df, lambda record: record["df"]),
        probability("p", "p"), probability("p corrected", "p_corrected"), *effect,
    ]  # fmt: skip
    caption = _caption(analysis, one, records)
    name = f"Tests: family {one.family.name}"
    tables = [table(name, records, columns, caption, captioned=not records, keys=len(varying))]
    changed = [r for r in records if analysis.without and r["n_without"] != r["n"]]
    if changed:
        without = [
            *columns[: len(varying)], num("difference", "estimate"), num("n", "n", 0),
            probability("p corrected", "p_corrected"), num("difference without", "estimate_without"),
            num("n without", "n_without", 0), probability("p without", "p_corrected_without"),
        ]  # fmt: skip
        caption = "The tests that degenerate networks change, with and without them; p corrected."
        tables.append(table(f"{name} without degenerate networks", changed, without, caption, keys=len(varying)))
    return tables


def _df(record: Record) -> str:
    df = record["df"]
    return NONE if df is None else number(df, 0 if float(df).is_integer() else 1)


def _caption(analysis: Analysis, one: FamilyResult, records: list[Record]) -> str:
    family, tests = one.family, one.tests
    fixed = fixed_text(records, cell_dims(analysis))
    m = ", ".join(dict.fromkeys(str(value) for value in family.describe()["m"].values())) or "0"
    missing = f" ({tests.attrs['missing']} without a result)" if tests.attrs["missing"] else ""
    pairing = f", paired by {tests.attrs['pair_by']}" if family.paired else ""
    quantity = _QUANTITIES[family.quantity].format(analysis.slopes.attrs["measure"])
    effect = " g_av: difference in units of the columns' standard deviation." if family.paired else ""
    return (
        f"Family '{family.name}': {family.test}{pairing}, {_SIDES.get(family.alternative, 'two-sided')}, of the "
        f"{quantity}{fixed}; null hypothesis: {family.question}; correction: {family.correction} within a column of "
        f"m = {m} declared comparisons{missing}; {n_text(records)}; two-sided intervals simultaneous at "
        f"{percent(family.level)}; degenerate networks {dropped(analysis)}; {conditional(analysis)}.{effect}"
    )
