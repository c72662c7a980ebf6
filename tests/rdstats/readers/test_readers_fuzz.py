"""Whatever a file holds, a reader gives a cube or one line that says why not."""

from __future__ import annotations

import csv
import gzip
import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rdstats.cube import class_counts, open_cube
from rdstats.errors import InputError
from rdstats.readers import Imported, import_files, preview, read_column, read_matrix

pytest.importorskip("pyarrow")

SETTINGS = settings(
    max_examples=120, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
SUFFIXES = (".csv", ".tsv", ".csv.gz", ".parquet", ".arrow", ".json", ".jsonl", ".npy", ".npz", ".bin")


def read(path: Path, **options: Any) -> Imported | None:
    """Import a file; None where it is refused, in one line that names the file or an option."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            found = import_files(path, **options)
        except InputError as error:
            check_line(error)
            return None
    assert preview(found)
    cube = found.cube()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        class_counts(cube)
    return found


def one_line(call: Callable[[], Any]) -> None:
    """Call a reader; it may refuse, in one line."""
    try:
        call()
    except InputError as error:
        check_line(error)


def check_line(error: InputError) -> None:
    """An error is one line with something in it."""
    assert str(error).strip()
    assert not set(str(error)) & set("\n\r\0"), repr(str(error))


@SETTINGS
@given(data=st.binary(max_size=300), suffix=st.sampled_from(SUFFIXES))
def test_any_bytes(tmp_path: Path, data: bytes, suffix: str) -> None:
    path = tmp_path / f"any{suffix}"
    path.write_bytes(data)
    read(path)
    one_line(lambda: read_matrix(path))
    one_line(lambda: read_column(path))


def valid() -> dict[str, bytes]:
    """Small files of every kind that are in order."""
    frame = pd.DataFrame({"label": ["a", "b", "b", "a"], "dense": ["a", "b", "b", "b"], "mp": ["a", "b", "a", "b"]})
    text = frame.to_csv(index=False).encode()
    parquet, arrow, npz, npy = io.BytesIO(), io.BytesIO(), io.BytesIO(), io.BytesIO()
    frame.to_parquet(parquet)
    frame.to_feather(arrow, compression="uncompressed")
    np.savez(npz, confusion_dense=np.array([[5, 1], [2, 4]]), confusion=np.array([[4, 2], [2, 4]]))
    np.save(npy, np.array([[[5, 1], [2, 4]], [[4, 2], [2, 4]]]))
    choices = [["-1", "True"], ["-2", "False"]]
    log = "\n".join(json.dumps({"doc_id": i, "target": str(i % 2), "filtered_resps": choices}) for i in range(4))
    return {
        ".csv": text, ".csv.gz": gzip.compress(text, mtime=0), ".parquet": parquet.getvalue(),
        ".arrow": arrow.getvalue(),
        ".json": json.dumps({"dense": [[5, 1], [2, 4]], "mp": [[4, 2], [2, 4]]}).encode(), ".npz": npz.getvalue(),
        ".npy": npy.getvalue(), ".jsonl": log.encode(),
    }  # fmt: skip


VALID = valid()


@SETTINGS
@given(
    suffix=st.sampled_from(sorted(VALID)), place=st.integers(0, 2**16), byte=st.integers(0, 255),
    how=st.sampled_from(["change", "cut", "insert", "repeat"]),
)  # fmt: skip
def test_files_with_a_wrong_byte(tmp_path: Path, suffix: str, place: int, byte: int, how: str) -> None:
    data = VALID[suffix]
    at = place % len(data)
    changed = {
        "change": data[:at] + bytes([byte]) + data[at + 1 :],
        "cut": data[:at],
        "insert": data[:at] + bytes([byte]) + data[at:],
        "repeat": data[:at] + data[: at + byte] + data[at:],
    }[how]
    path = tmp_path / f"dense{suffix}"
    path.write_bytes(changed)
    read(path, dims=["stage"] if suffix == ".npy" else None)
    one_line(lambda: read_column(path, "label"))


NAMES = st.sampled_from(
    ["label", "y_true", "prediction", "y_pred", "dense", "pred_mp", "count", "n", "seed", "method", "ratio", "stage",
     "dataset", "fold", "id", "", " label", "ärger", "a,b", "\u202e"]
)  # fmt: skip
CLASS = st.sampled_from(["a", "b", "c", "0", "1", "10", "1.0", "other", "NA"])
ODD = st.one_of(
    st.sampled_from([None, "", "nan", "\x00", "\ud800", "a\nb", '"', "1,5", "-1", "1e400", "9" * 400, "before", "after",
                     "sham", True, 0, 1, 2, -1, 1.5, 3.0, float("nan"), float("inf"), 2**70, 2**31]),
    st.text(max_size=3),
)  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> dict[str, list[Any]]:
    names = draw(st.lists(NAMES, min_size=1, max_size=6, unique=True))
    if draw(st.booleans()):
        names = list(dict.fromkeys(["label", "prediction", "method", *names]))
    n = draw(st.integers(0, 6))
    odd = draw(st.booleans())
    value: dict[str, st.SearchStrategy[Any]] = {
        "method": st.sampled_from(["dense", "mp", "sham"]), "ratio": st.sampled_from(["1", "2", "2,5"]),
        "count": st.sampled_from(["0", "3", "4.0"]), "n": st.integers(0, 5), "seed": st.integers(0, 1),
        "stage": st.sampled_from(["before", "after"]), "id": st.integers(0, 9),
    }  # fmt: skip
    table = {}
    for name in names:
        values = ODD if odd and draw(st.integers(0, 3)) == 0 else value.get(name, CLASS)
        table[name] = draw(st.lists(values, min_size=n, max_size=n))
    return table


@st.composite
def likely_tables(draw: st.DrawFn) -> dict[str, list[Any]]:
    """A table that is in order in most cases: one row an example or a count, of one or several models."""
    n = draw(st.integers(2, 8))
    labels = draw(st.lists(st.sampled_from(["a", "b", "10", "9"]), min_size=n, max_size=n))
    predictions = [draw(st.lists(CLASS, min_size=n, max_size=n)) for _ in range(2)]
    seed = draw(st.booleans())
    if draw(st.booleans()):
        table: dict[str, list[Any]] = {"label": labels, "dense": predictions[0], "mp": predictions[1]}
        return {**table, "seed": [i % 2 for i in range(n)]} if seed else table
    table = {"label": labels * 2, "prediction": predictions[0] + predictions[1], "method": ["dense"] * n + ["mp"] * n}
    if draw(st.booleans()):
        table["count"] = draw(st.lists(st.integers(0, 5), min_size=n, max_size=n)) * 2
    if draw(st.booleans()):
        table["id"] = [*range(n), *draw(st.permutations(range(n)))]
    return table


def as_csv(table: dict[str, list[Any]], separator: str) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator)
    writer.writerow(table)
    writer.writerows(zip(*table.values(), strict=True))
    return out.getvalue().encode("utf-8", "surrogatepass")


@settings(SETTINGS, max_examples=250)
@given(
    table=st.one_of(tables(), likely_tables()),
    kind=st.sampled_from([",", ";", "\t", "json", "columns", "jsonl", "parquet"]),
    unknown=st.sampled_from([None, "error", "other"]), add=st.booleans(),
)  # fmt: skip
def test_any_table(tmp_path: Path, table: dict[str, list[Any]], kind: str, unknown: str | None, add: bool) -> None:
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    path = tmp_path / ("t.csv" if len(kind) == 1 else f"t.{'json' if kind == 'columns' else kind}")
    if len(kind) == 1:
        path.write_bytes(as_csv(table, kind))
    elif kind == "parquet":
        try:
            pd.DataFrame(table).astype(object).to_parquet(path)
        except Exception:  # pyarrow cannot hold mixed values in a column: no such file exists
            return
    else:
        lines = "\n".join(map(json.dumps, rows))
        path.write_text({"json": json.dumps(rows), "columns": json.dumps(table), "jsonl": lines}[kind])
    found = read(path, unknown=unknown, sum=add)
    if found is not None:
        saved = tmp_path / "cube.nc"
        found.save(saved)
        with open_cube(saved) as cube:
            counted = float(cube["confusion"].sum() + cube["confusion_dense"].sum())
        networks = [*found.layout.after.values(), *found.layout.before.values()]
        assert counted == sum(int(one.counts.sum()) for one in networks)
        if "columns: label = 'label', prediction = 'dense', 'mp'" in preview(found):
            assert counted == 2 * len(rows)  # every row is counted once for each model


@SETTINGS
@given(rows=st.lists(st.lists(st.one_of(st.integers(0, 9).map(str), ODD.map(str)), max_size=4), min_size=1, max_size=5))
def test_any_grid_of_text_is_a_matrix_or_refused(tmp_path: Path, rows: list[list[str]]) -> None:
    path = tmp_path / "dense.csv"
    path.write_text("\n".join(",".join(row) for row in rows), encoding="utf-8", errors="replace")
    one_line(lambda: read_matrix(path))
    read(path)


KEYS = st.sampled_from(["dense", "mp", "classes", "seed", "ratio", "doc_id", "target", "filtered_resps"])
NESTED = st.recursive(
    st.one_of(st.integers(-2, 9), st.booleans(), st.none(), st.floats(), st.text(max_size=2)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=20,
)


@SETTINGS
@given(document=NESTED)
def test_any_json(tmp_path: Path, document: Any) -> None:
    path = tmp_path / "dense.json"
    path.write_text(json.dumps(document))
    read(path)
    lines = tmp_path / "dense.jsonl"
    lines.write_text(json.dumps(document) + "\n" + json.dumps(document))
    read(lines)
    one_line(lambda: read_column(path))


@SETTINGS
@given(
    shape=st.lists(st.integers(0, 3), max_size=4),
    kind=st.sampled_from(["i8", "u1", "f4", "f8", "?", "U3", "S2", "M8[s]", "c8"]),
    name=st.sampled_from(["confusion", "dense", "label", "y_pred", "class_names", "mp"]), seed=st.integers(0, 9),
)  # fmt: skip
def test_any_array(tmp_path: Path, shape: list[int], kind: str, name: str, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 4, shape)
    array = values.astype("f8").astype(kind) if kind == "f4" else values.astype(kind)
    path = tmp_path / "any.npz"
    np.savez(path, **{name: array, "before": np.array([[3, 1], [1, 3]])})
    read(path)
    np.savez(path, label=np.array([0, 1]), **({} if name == "label" else {name: array}))
    read(path)
    np.save(tmp_path / "any.npy", array)
    read(tmp_path / "any.npy", dims=["stage"])
