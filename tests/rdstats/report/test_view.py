"""Tables of the page: order of cells, reasons, downloads."""

from rdstats.report.view import SHOWN_ROWS, ranks, sort_key, view, views
from rdstats.tables import TABLES, Table, to_csv


def test_names_sort_as_people_sort_them():
    names = ["resnet110", "resnet20", "b", "A", "resnet020", "10", "9", ""]
    assert sorted(names, key=sort_key) == ["", "9", "10", "A", "b", "resnet020", "resnet20", "resnet110"]
    assert sort_key("9" * 9000) > sort_key("8")
    assert sorted([2.5, "x", -1, 10], key=sort_key) == [-1, 2.5, 10, "x"]


def test_places_follow_exact_values_not_what_is_shown():
    table = Table(
        "t", ("a",), (("0.001",), ("0.001",), ("–",), ("0.001",)), "", values=((2e-3,), (1e-3,), (None,), (2e-3,))
    )
    assert ranks(table) == [[1], [0], [None], [1]]


def test_a_table_without_values_is_sorted_by_its_text():
    assert ranks(Table("t", ("a", "b"), (("b", "–"), ("a", "x")), "")) == [[1, None], [0, 0]]


def test_every_table_has_places_and_records(usual, crumbling, large):
    for analysis in (usual, crumbling, large):
        for name, kind in TABLES.items():
            for table in kind.tables(analysis):
                assert len(table.values) == len(table.rows), name
                assert all(len(values) == len(table.columns) for values in table.values), name
                for row, values in zip(table.rows, table.values, strict=True):
                    assert all(
                        (value is None) <= (text in ("–", "?")) for text, value in zip(row, values, strict=True)
                    ), name
                assert table.records or not table.rows, name


def test_records_of_the_parts_are_those_of_the_whole(large):
    for name in ("slopes", "control", "classes", "tradeoff", "sampling"):
        parts = [
            record for table in TABLES[name].tables(large) for record in table.records if "without" not in table.title
        ]
        assert parts[: len(TABLES[name].records(large))] == TABLES[name].records(large), name


def test_view_of_a_long_table():
    records = tuple({"x": i, "reason": "too_few_seeds"} for i in range(SHOWN_ROWS + 1))
    rows = tuple(("–",) for _ in records)
    found = view(Table("t", ("x",), rows, "c", tuple("too_few_seeds" for _ in rows), records=records), "n")
    assert found.long
    assert found.rows[0][0].reason == "too few networks"
    assert found.csv == to_csv(records)
    assert [one.id for one in views([Table("t", ("x",), (), "")] * 2, "n")] == ["table-n-1", "table-n-2"]


def test_cells_are_sorted_by_the_exact_values_of_their_records(large):
    exact = {
        "slopes": {"slope": "mean", "interval": "lower", "spread": "spread", "ratio": "ratio", "method": "method"},
        "control": {"delta": "mean", "interval": "lower", "log spread": "log_spread", "corrected": "corrected"},
        "tests": {"difference": "estimate", "p": "p", "p corrected": "p_corrected", "df": "df"},
        "tradeoff": {"accuracy": "accuracy", "slope": "slope", "achieved": "achieved_ratio"},
        "classes": {"change": "change", "class": "class_name"},
    }
    for name, columns in exact.items():
        seen = set()
        for table in TABLES[name].tables(large):
            if "without" in table.title or table.title.startswith("Corrected p"):
                continue
            for i, heading in enumerate(table.columns):
                if heading in columns:
                    seen.add(heading)
                    expected = [record[columns[heading]] for record in table.records]
                    assert [row[i] for row in table.values] == expected, (name, heading)
        assert seen == set(columns), name
