"""Tables of every kind: one row an example, one row a count."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix

from rdstats.comparison.files import compare_files
from rdstats.cube import digest, open_cube, save
from rdstats.errors import InputError
from rdstats.readers import import_files, preview, read_column

LABELS = ["cat", "cat", "cat", "dog", "dog", "owl"]
DENSE = ["cat", "cat", "dog", "dog", "dog", "owl"]
MP = ["cat", "dog", "dog", "dog", "cat", "cat"]
FRAME = pd.DataFrame({"label": LABELS, "dense": DENSE, "mp": MP})
WIDE = FRAME.to_csv(index=False)


def check(found: Any) -> None:
    """The cube is that of scikit-learn's matrices."""
    cube = found.cube()
    assert cube["class_name"].values.tolist() == ["cat", "dog", "owl"]
    assert cube["confusion_dense"].values.tolist() == confusion_matrix(LABELS, DENSE).tolist()
    assert cube["confusion"].sel({"method": "mp"}).values.tolist() == confusion_matrix(LABELS, MP).tolist()


def store(path: Path, kind: str) -> Path:
    """Write the frame as a file of some kind."""
    if kind == "csv":
        path.write_text(WIDE)
    elif kind == "tsv":
        path.write_text(WIDE.replace(",", "\t"))
    elif kind == "semicolons":
        path.write_text(WIDE.replace(",", " ; "))
    elif kind == "bom":
        path.write_text("\ufeff" + WIDE, encoding="utf-8")
    elif kind == "utf-16":
        path.write_text(WIDE, encoding="utf-16")
    elif kind == "crlf":
        path.write_bytes(WIDE.replace("\n", "\r\n").encode() + b"\r\n\r\n")
    elif kind == "quoted":
        FRAME.to_csv(path, index=False, quoting=csv.QUOTE_ALL)
    elif kind == "gzip":
        path.write_bytes(gzip.compress(WIDE.encode()))
    elif kind == "parquet":
        FRAME.to_parquet(path, row_group_size=2)
    elif kind == "categories":
        FRAME.astype("category").to_parquet(path)
    elif kind == "feather":
        FRAME.to_feather(path)
    elif kind == "shuffled":
        FRAME.set_axis([3, 1, 4, 5, 9, 2]).to_parquet(path)
    elif kind == "indexed":
        FRAME.set_axis(pd.Index(range(6), name="image")).to_feather(path)
    elif kind == "frame":
        path.write_text(FRAME.to_json())
    elif kind == "records":
        path.write_text(FRAME.to_json(orient="records"))
    elif kind == "lists":
        path.write_text(json.dumps(FRAME.to_dict("list")))
    elif kind == "lines":
        path.write_text("\ufeff" + FRAME.to_json(orient="records", lines=True), encoding="utf-8")
    else:
        np.savez(path, **{name: np.array(values) for name, values in FRAME.to_dict("list").items()})
    return path


KINDS = {
    "csv": ".csv", "tsv": ".tsv", "semicolons": ".csv", "bom": ".csv", "utf-16": ".txt", "crlf": ".csv",
    "quoted": ".csv", "gzip": ".csv.gz", "parquet": ".parquet", "categories": ".pq", "feather": ".feather",
    "shuffled": ".parquet", "indexed": ".feather", "frame": ".json", "records": ".json", "lists": ".json",
    "lines": ".jsonl", "arrays": ".npz",
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_table_gives_one_cube(tmp_path: Path, kind: str) -> None:
    pytest.importorskip("pyarrow")
    path = store(tmp_path / f"a b ü{KINDS[kind]}", kind)
    check(import_files(path))
    assert read_column(path, "mp").values.tolist() == MP


@pytest.mark.parametrize("kind", ["parquet", "categories", "enum", "strings", "ipc", "lines"])
def test_frames_that_polars_wrote(tmp_path: Path, kind: str) -> None:
    polars = pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    frame = polars.DataFrame(FRAME.to_dict("list"))
    path = tmp_path / {"ipc": "a.arrow", "lines": "a.jsonl"}.get(kind, "a.parquet")
    if kind in ("ipc", "lines"):
        {"ipc": frame.write_ipc, "lines": frame.write_ndjson}[kind](path)
    else:
        enum = polars.Enum(sorted(set(LABELS)))
        cast = {"categories": polars.Categorical, "enum": enum}.get(kind, polars.String)
        frame.cast(cast).write_parquet(path)
    check(import_files(path))


def test_the_index_of_a_frame_is_no_model_unless_named_so(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    frame = FRAME.set_axis(pd.Index(FRAME["mp"].tolist(), name="mp")).drop(columns="mp")
    frame.assign(sham=LABELS).to_parquet(tmp_path / "a.parquet")
    assert import_files(tmp_path / "a.parquet").cube()["method"].values.tolist() == ["sham"]
    check(import_files(tmp_path / "a.parquet", predicted=["dense", "mp"]))


@pytest.mark.parametrize(
    ("document", "line"),
    [({"label": {"0": "cat"}, "dense": {"1": "cat"}}, "a.json: 'dense' and 'label' have other rows; one set of rows is "
      "accepted"),
     ({"label": "cat", "dense": "dog"}, "a.json: 'label' is no list; a list of records, or columns as lists, is "
      "accepted"),
     ({}, "a.json: JSON of another kind; a list of values or records, or lists by name are accepted"),
     (7, "a.json: JSON of another kind; a list of values or records, or lists by name are accepted"),
     ([["cat"], {"label": "cat"}], "a.json: JSON of another kind; a list of values or records, or lists by name are "
      "accepted")],
)  # fmt: skip
def test_json_that_is_no_table(tmp_path: Path, document: Any, line: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document))
    for read in (lambda: read_column(path, "dense"), lambda: compare_files(*[f"{path}:dense"] * 2, labels=str(path))):
        with pytest.raises(InputError) as error:
            read()
        assert str(error.value).replace(f"{tmp_path}/", "") == line


def test_json_that_is_one_column(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(MP))
    assert read_column(path).values.tolist() == MP
    assert compare_files(str(path), str(path), labels=str(path))["churn"].value == 0


@pytest.mark.parametrize("kind", ["csv", "lines", "parquet"])
def test_a_name_that_lies_about_the_kind(tmp_path: Path, kind: str) -> None:
    pytest.importorskip("pyarrow")
    check(import_files(store(tmp_path / {"csv": "a", "lines": "a.json", "parquet": "a.csv"}[kind], kind)))


def test_the_file_written_equals_the_cube_in_memory(tmp_path: Path) -> None:
    found = import_files(store(tmp_path / "a.csv", "csv"))
    found.save(tmp_path / "saved.nc")
    save(found.cube(), tmp_path / "cube.nc")
    with open_cube(tmp_path / "saved.nc") as saved, open_cube(tmp_path / "cube.nc") as cube:
        assert digest(saved) == digest(cube) == digest(found.cube())
        assert saved["prediction"].values.tolist() == [[0, 1, 1, 1, 0, 0]]
        assert saved["label"].values.tolist() == [0, 0, 0, 1, 1, 2]
        assert saved["both_correct"].values.tolist() == [[1, 1, 0]]
        assert saved["status"].values.tolist() == [1]


@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_chunks_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    pytest.importorskip("pyarrow")
    for module in ("text_table", "arrow_table", "json_table"):
        monkeypatch.setattr(f"rdstats.readers.{module}.ROWS", chunk)
    for kind in ("csv", "parquet", "feather", "lines"):
        check(import_files(store(tmp_path / f"a{KINDS[kind]}", kind)))


COUNTS = """seed;method;ratio;true;predicted;count
0;dense;1;a;a;9
0;dense;1;a;b;1
0;dense;1;b;b;10
0;mp;2,5;a;a;7
0;mp;2,5;a;b;3,0
0;mp;2,5;b;b;10
0;sham;1;a;a;9
0;sham;1;a;b;1
0;sham;1;b;b;10
"""


def test_one_row_a_count_with_decimal_commas(write: Any) -> None:
    found = import_files(write("counts.csv", COUNTS))
    cube = found.cube()
    assert cube["confusion"].dims == ("seed", "method", "ratio", "true_class", "predicted_class")
    assert cube["confusion_dense"].dims == ("seed", "true_class", "predicted_class")
    assert cube["ratio"].values.tolist() == [1.0, 2.5]
    assert cube["seed"].values.tolist() == [0]
    assert cube["confusion"].sel({"method": "mp", "ratio": 2.5}).values.tolist() == [[[7, 3], [0, 10]]]
    assert cube["confusion"].sel({"method": "sham", "ratio": 1}).values.tolist() == [[[9, 1], [0, 10]]]
    assert np.isnan(cube["confusion"].sel({"method": "mp", "ratio": 1}).values).all()
    assert "both_correct" not in cube


def test_stage_tells_before_from_after(write: Any) -> None:
    text = "stage,label,prediction,n\nbefore,x,x,5\nbefore,y,y,5\nAfter,x,x,4\nafter,x,y,1\nafter,y,y,5\n"
    cube = import_files(write("a.csv", text)).cube()
    assert cube["confusion_dense"].values.tolist() == [[5, 0], [0, 5]]
    assert cube["confusion"].values.tolist() == [[4, 1], [0, 5]]


def test_repeated_rows_are_refused_or_added(write: Any, refused: Any) -> None:
    line = refused(write("a.csv", COUNTS + "0;mp;2,5;b;b;1\n"))
    assert line.startswith("a.csv: row 11: repeats the count of true 'b', predicted 'b' of the same network;")
    path = write("a.csv", COUNTS + "0;mp;2,5;b;b;1\n0;dense;1;b;b;1\n0;sham;1;b;b;1\n")
    cube = import_files(path, sum=True).cube()
    assert cube["confusion"].sel({"method": "mp", "ratio": 2.5}).values.tolist() == [[[7, 3], [0, 11]]]


def test_a_row_that_repeats_one_of_an_earlier_chunk(write: Any, refused: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdstats.readers.text_table.ROWS", 2)
    assert "row 11: repeats" in refused(write("a.csv", COUNTS + "0;mp;2,5;b;b;1\n"))


def long_rows(order: dict[str, list[int]]) -> str:
    rows = ["image_id,model,label,prediction"]
    for model, predictions in (("dense", DENSE), ("mp", MP)):
        rows += [f"i{i},{model},{LABELS[i]},{predictions[i]}" for i in order[model]]
    return "\n".join(rows)


def test_examples_are_paired_by_name(write: Any) -> None:
    straight = import_files(write("a.csv", long_rows({"dense": [0, 1, 2, 3, 4, 5], "mp": [0, 1, 2, 3, 4, 5]})))
    mixed = import_files(write("b.csv", long_rows({"dense": [0, 1, 2, 3, 4, 5], "mp": [5, 1, 4, 3, 0, 2]})))
    assert mixed.cube()["both_correct"].values.tolist() == [[1, 1, 0]]
    assert digest(straight.cube()) == digest(mixed.cube())
    assert "by the names of the examples" in preview(mixed)


def test_without_names_another_order_is_not_paired(write: Any) -> None:
    rows = long_rows({"dense": [0, 1, 2, 3, 4, 5], "mp": [5, 1, 4, 3, 0, 2]}).split("\n")
    text = "\n".join(row.split(",", 1)[1] for row in rows)
    found = import_files(write("a.csv", text))
    assert "both_correct" not in found.cube()
    assert "not paired: examples before and after compression at method=mp are not in one order" in preview(found)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ({"dense": [0, 1, 2, 3, 4, 5], "mp": [0, 1, 2, 3, 4, 4]}, "example 'i4' is there twice"),
        ({"dense": [0, 1, 2, 3, 4, 5], "mp": [0, 1, 3, 4, 5]}, "1 examples at method=mp are in only one of the"),
    ],
)
def test_examples_without_a_counterpart(write: Any, refused: Any, order: Any, expected: str) -> None:
    assert expected in refused(write("a.csv", long_rows(order)))


def test_unequal_lengths_without_names(write: Any, refused: Any) -> None:
    text = "model,label,prediction\ndense,x,x\ndense,y,y\ndense,y,y\nmp,x,x\nmp,y,y\n"
    line = refused(write("a.csv", text))
    assert line.startswith("support differs before and after at method=mp, class=y: 2 and 1 test images;")


def test_seeds_share_labels_or_have_their_own(write: Any) -> None:
    same = "seed,label,dense,mp\n0,x,x,x\n0,y,y,x\n1,x,x,x\n1,y,y,y\n"
    cube = import_files(write("a.csv", same)).cube()
    assert cube["label"].dims == ("sample",)
    own = import_files(write("b.csv", same.replace("1,x,x,x\n1,y,y,y", "1,y,y,y\n1,x,x,x"))).cube()
    assert own["label"].dims == ("seed", "sample")
    assert own["label"].values.tolist() == [[0, 1], [1, 0]]
    assert own["both_correct"].values.tolist() == cube["both_correct"].values.tolist() == [[[1, 0]], [[1, 1]]]


def test_datasets_have_their_own_classes(write: Any) -> None:
    text = "dataset,label,dense,mp\nd1,x,x,x\nd1,y,y,x\nd2,p,p,p\nd2,q,q,r\nd2,r,r,r\n"
    found = import_files(write("a.csv", text))
    cube = found.cube()
    assert cube["n_classes"].values.tolist() == [2, 3]
    assert cube["class_name"].values.tolist() == [["x", "y", ""], ["p", "q", "r"]]
    assert cube["confusion"].sel({"dataset": "d2", "method": "mp"}).values.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 1]]
    assert np.isnan(cube["confusion"].sel({"dataset": "d1"}).values[..., 2, :]).all()
    assert "2 of d1 (x, y)" in preview(found)


def test_pattern_reads_columns(write: Any) -> None:
    text = "y_true,pred_dense,pred_mp-2,pred_mp-4\na,a,a,b\nb,b,b,b\n"
    cube = import_files(write("a.csv", text), pattern="{method}-{ratio}").cube()
    assert cube["confusion"].dims[:2] == ("method", "ratio")
    assert cube["confusion"].sel({"method": "mp", "ratio": 4}).values.tolist() == [[0, 1], [0, 1]]
    assert cube["confusion_dense"].values.tolist() == [[1, 0], [0, 1]]


def test_one_file_a_model(write: Any) -> None:
    files = [write("dense.csv", "y_true,y_pred\na,a\nb,b\n"), write("q8.csv", "y_true,y_pred\na,a\nb,a\n")]
    cube = import_files(files).cube()
    assert cube["method"].values.tolist() == ["q8"]
    assert cube["both_correct"].values.tolist() == [[1, 0]]


def test_parts_of_one_table(write: Any, refused: Any) -> None:
    files = [write("1.csv", "y_true,dense,mp\na,a,a\n"), write("2.csv", "y_true,dense,mp\nb,b,a\n")]
    assert "have examples of one network: --join if they are parts of one table" in refused(*files)
    assert import_files(files, join=True).cube()["confusion"].values.tolist() == [[[1, 0], [1, 0]]]
    cube = import_files(files, pattern="{seed}.csv").cube()
    assert cube["confusion_dense"].dims[0] == "seed"


def test_ratio_one_is_before_but_a_control_is_not(write: Any) -> None:
    rows = "method,ratio,label,prediction,count\n"
    cells = {("mp", 1): 9, ("mp", 2): 8, ("up", 1): 9, ("up", 2): 7, ("sham", 1): 6}
    rows += "".join(f"{m},{r},a,a,{n}\n{m},{r},a,b,{10 - n}\n{m},{r},b,b,5\n" for (m, r), n in cells.items())
    found = import_files(write("a.csv", rows))
    cube = found.cube()
    assert cube["confusion_dense"].dims == ("true_class", "predicted_class")
    assert cube["confusion"].sel({"method": "sham", "ratio": 1}).values[0, 0] == 6
    assert "told by ratio 1" in preview(found)
    own = import_files(write("b.csv", rows.replace("up,1,a,a,9", "up,1,a,a,8").replace("up,1,a,b,1", "up,1,a,b,2")))
    assert own.cube()["confusion_dense"].dims[0] == "method"


def test_labels_that_are_numbers_are_one_class_however_written(write: Any) -> None:
    text = "label,dense,mp\n10,10.0,2\n2,2,2.0\n9, 9,10\n"
    found = import_files(write("a.csv", text))
    assert found.classes[""] == ["2", "9", "10"]
    assert found.cube()["confusion_dense"].values.tolist() == np.eye(3).tolist()


@pytest.mark.parametrize(
    ("options", "classes", "row"),
    [
        ({"unknown": "keep"}, ["cat", "dog", "owl"], [1, 0, 1]),
        ({"classes": ["dog", "cat"], "unknown": "keep"}, ["dog", "cat", "owl"], [0, 1, 1]),
        ({"unknown": "other"}, ["cat", "dog", "other"], [1, 0, 1]),
        ({"classes": ["dog", "cat"], "unknown": "other"}, ["dog", "cat", "other"], [0, 1, 1]),
        ({"classes": ["owl", "cat", "elk", "dog"]}, ["owl", "cat", "elk", "dog"], [1, 1, 0, 0]),
    ],
)
def test_predictions_that_are_no_label(write: Any, options: Any, classes: list[str], row: list[int]) -> None:
    path = write("a.csv", "label,dense,mp\ncat,cat,cat\ncat,cat,owl\ndog,dog,dog\n")
    found = import_files(path, **options)
    assert found.classes[""] == classes
    assert found.cube()["confusion"].values[0, classes.index("cat")].tolist() == row


def test_labels_that_only_look_like_numbers_stay_apart(write: Any) -> None:
    found = import_files(write("a.csv", "label,dense,mp\n01,01,1\n1,1,1\n1e3,1e3,1000\n1000,1000,1e3\n"))
    assert found.classes[""] == ["01", "1", "1000", "1e3"]
    assert np.trace(found.cube()["confusion_dense"].values) == 4


def test_a_class_that_is_only_a_label_stays(write: Any) -> None:
    found = import_files(write("a.csv", "label,dense,mp\ncat,cat,cat\ndog,cat,cat\n"))
    assert found.classes[""] == ["cat", "dog"]
    assert "never predicted: dog (1)" in preview(found)


@pytest.mark.parametrize(("limit", "stored"), [(12, True), (11, False)])
def test_predictions_are_stored_up_to_a_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, stored: bool
) -> None:
    monkeypatch.setattr("rdstats.readers.imported.STORED", limit)
    path = store(tmp_path / "a.csv", "csv")
    cube = import_files(path).cube()
    assert ("prediction" in cube) is stored
    assert cube["both_correct"].values.tolist() == [[1, 1, 0]]
    assert "prediction" in import_files(path, predictions=True).cube()
    assert "label" not in import_files(path, predictions=False).cube()


def test_too_many_predictions_to_keep_leave_the_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdstats.readers.collect.MOST_KEPT", 10)
    found = import_files(store(tmp_path / "a.csv", "csv"))
    check(found)
    assert "both_correct" not in found.cube()
    assert "too many predictions to pair" in preview(found)


def test_preview_says_what_was_understood(write: Any) -> None:
    found = import_files(write("counts.csv", COUNTS))
    assert found.preview() == preview(found)
    assert preview(found).splitlines() == [
        "kind:    one row a count",
        "files:   1",
        "columns: label = 'true', prediction = 'predicted', count = 'count', seed = 'seed', method = 'method', "
        "ratio = 'ratio'",
        "before:  1 network ('dense'), one for each seed; told by the name 'dense'",
        "dims:    seed 1 (0); method 2 (mp, sham); ratio 2 (1, 2.5)",
        "classes: 2 (a, b)",
        "cells:   2 after compression, of a grid of 4, 2 of them with the network before",
        "images:  20 a network",
        "predictions: not paired: the files hold counts",
    ]
