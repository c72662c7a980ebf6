"""Confusion matrices: stacks, one a file, folders, nested lists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rdstats.errors import InputError
from rdstats.readers import import_files, preview, read_matrix
from rdstats.readers.pattern import parse_pattern

BEFORE, AFTER = np.array([[8, 2], [1, 9]]), np.array([[6, 4], [3, 7]])
NAMES = ["cat", "dog"]


def test_archive_with_labels_of_its_own(tmp_path: Path) -> None:
    stack = np.stack([[AFTER, AFTER + 0.0], [AFTER, np.full((2, 2), np.nan)]])
    np.savez(
        tmp_path / "a.npz", confusion_dense=np.stack([BEFORE, BEFORE]), confusion=stack, seed=[3, 4], ratio=[2.0, 4.0],
        class_names=NAMES,
    )  # fmt: skip
    found = import_files(tmp_path / "a.npz", dims=["seed", "ratio"])
    cube = found.cube()
    assert cube["confusion"].dims == ("seed", "ratio", "true_class", "predicted_class")
    assert cube["seed"].values.tolist() == [3, 4]
    assert cube["confusion_dense"].values.tolist() == [BEFORE.tolist()] * 2
    assert np.isnan(cube["confusion"].sel({"seed": 4, "ratio": 4}).values).all()
    assert cube["class_name"].values.tolist() == NAMES
    assert "3 after compression, of a grid of 4" in preview(found)


def test_stack_with_a_stage_axis(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.asfortranarray(np.stack([BEFORE, AFTER]).astype(np.float32)))
    cube = import_files(tmp_path / "a.npy", dims=["stage"], classes=NAMES).cube()
    assert dict(cube.sizes) == {"true_class": 2, "predicted_class": 2}
    assert cube["confusion_dense"].values.tolist() == BEFORE.tolist()
    assert cube["confusion"].values.tolist() == AFTER.tolist()


def test_one_array_a_file(tmp_path: Path) -> None:
    np.save(tmp_path / "dense.npy", BEFORE)
    np.save(tmp_path / "mp.npy", AFTER)
    cube = import_files([tmp_path / "dense.npy", tmp_path / "mp.npy"]).cube()
    assert cube["method"].values.tolist() == ["mp"]
    assert cube["confusion"].values[0].tolist() == AFTER.tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "a.npy has 1 axes before the two of the matrix; name them in order"),
        ({"dims": ["seed", "ratio"]}, "a.npy has 1 axes before the two of the matrix, --dims names 2: seed, ratio"),
        ({"dims": ["ratio"]}, "a.npy: the axis ratio has no labels; give them with --coords ratio=1,2,4"),
        ({"dims": ["ratio"], "coords": {"ratio": ["1"]}}, "a.npy: 1 labels of ratio for an axis of 2"),
        ({"dims": ["ratio"], "coords": {"ratio": ["1", "0.5"]}}, "a.npy: ratio '0.5'; a ratio of 1 or more"),
        ({"dims": ["method"], "coords": {"method": ["a", "a"]}}, "a.npy: method has twice 'a'"),
        ({"dims": ["true_class"]}, "mapping: dimension 'true_class'"),
        ({"dims": ["stage"], "classes": ["a"]}, "a.npy: 1 names of classes for 2 classes"),
    ],
)
def test_axes_that_are_not_understood(tmp_path: Path, refused: Any, options: Any, message: str) -> None:
    np.save(tmp_path / "a.npy", np.stack([BEFORE, AFTER]))
    assert refused(tmp_path / "a.npy", **options).startswith(message)


TEXTS = {
    "numbers": "8,2\n1,9\n",
    "header": "cat,dog\n8,2\n1,9\n",
    "names": "cat,8,2\ndog,1,9\n",
    "both": ",cat,dog\ncat,8,2\ndog,1,9\n",
    "titled": "true\\predicted;cat;dog\r\ncat;8;2\r\ndog;1;9\r\n",
    "blanks": "8 2\n1 9\n",
    "savetxt": "8.000000000000000000e+00 2.000000000000000000e+00\n1.000000000000000000e+00 9.000000000000000000e+00\n",
    "tabs": "\ufeff8\t2\n1\t9\n\n",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_matrices_as_text(write: Any, text: str) -> None:
    counts, rows, columns = read_matrix(write("m.csv", text))
    assert counts.tolist() == BEFORE.tolist()
    assert rows == columns == (NAMES if "cat" in text else None)


def test_pandas_and_numpy_write_what_is_read(tmp_path: Path) -> None:
    frame = pd.DataFrame(BEFORE, NAMES, NAMES)
    frame.to_csv(tmp_path / "a.csv")
    frame.to_csv(tmp_path / "b.csv", index=False)
    np.savetxt(tmp_path / "c.txt", BEFORE)
    pd.DataFrame(BEFORE).to_csv(tmp_path / "d.csv")
    found = [read_matrix(tmp_path / name) for name in ("a.csv", "b.csv", "c.txt", "d.csv")]
    assert all(one.counts.tolist() == BEFORE.tolist() for one in found)
    assert all(one.rows == one.columns for one in found)
    assert [one.rows for one in found] == [NAMES, NAMES, None, ["0", "1"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3\n4,5,6\n", "m.csv: 2 rows and 3 columns; a square matrix"),
        ("1,2\n3\n", "m.csv: 2 rows and 1 columns"),
        ("1\n2,3\n", "m.csv: row 1: 1 values; 2 are accepted, as in the other rows"),
        ("1,2\n3,x\n", "m.csv: row 2: value 2: 'x'; whole numbers of test images are accepted"),
        ("1,2\n3,-1\n", "m.csv: row 2: value 2: '-1'; whole numbers from 0 to"),
        ("0.5,0.5\n0.1,0.9\n", "m.csv: row 1: value 1: '0.5'; whole numbers of test images are accepted, not fract"),
        ("1,2\n3,\n", "m.csv: row 2: value 2: no value; a count is accepted"),
        ("x,5,1,0\n9,1,4,0\n", "m.csv: 2 rows and 4 columns; a square matrix"),
        (",a,a\na,1,2\nc,3,4\n", "m.csv: column 'a' is there twice"),
        (",a,b\nc,1,2\nc,3,4\n", "m.csv: row 'c' is there twice"),
        (",a,b,c\n,1,2,3\nc,3,4,5\n", "m.csv: row 1 has no name"),
        ("1,2\n3,99999999999\n", "m.csv: row 2: value 2: '99999999999'; whole numbers from 0 to"),
    ],
)
def test_matrices_as_text_that_are_refused(write: Any, text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_matrix(write("m.csv", text))
    assert message in str(caught.value)


def test_folder_by_pattern(write: Any) -> None:
    for name, counts in (("dense-1-0", BEFORE), ("mp-2-0", AFTER), ("up-released-2-0", AFTER), ("mp-10-0", AFTER)):
        path = write(f"cm/{name}.csv", "\n".join(",".join(map(str, row)) for row in counts))
    write("cm/readme.md", "hello")
    write("cm/.hidden-2-0.csv", "x")
    found = import_files(path.parent, pattern="{method}-{ratio}-{seed}.csv")
    cube = found.cube()
    assert cube["method"].values.tolist() == ["mp", "up-released"]
    assert cube["ratio"].values.tolist() == [2.0, 10.0]
    assert cube["confusion_dense"].dims == ("seed", "true_class", "predicted_class")
    assert "1 files left out, their names do not match {method}-{ratio}-{seed}.csv: 'readme.md'" in preview(found)


def test_folders_in_a_pattern(write: Any) -> None:
    for seed in (2, 10):
        for stage, counts in (("before", BEFORE), ("after", AFTER)):
            text = "\n".join(" ".join(map(str, row)) for row in counts)
            path = write(f"cm/seed{seed}/{stage}.txt", text)
    cube = import_files(path.parent.parent, pattern="seed{seed}/{stage}.txt").cube()
    assert cube["seed"].values.tolist() == [2, 10]
    assert cube["confusion"].values.tolist() == [AFTER.tolist()] * 2


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("plain.csv", "fields in braces are accepted"),
        ("{method}{ratio}.csv", "nothing between {method} and {ratio}, so no name can be read"),
        ("{seed}-{seed}.csv", "{seed} is there twice"),
        ("{sample}.csv", "dimension 'sample'"),
        ("{a b}.csv", "dimension 'a b'"),
        ("{{seed}}.csv", "fields in braces are accepted"),
    ],
)
def test_patterns_that_are_refused(pattern: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_pattern(pattern)
    assert message in str(caught.value)


def test_a_name_with_two_readings_is_refused() -> None:
    with pytest.raises(InputError, match="can be read in two ways: arch 'a'; method 'b-c', or arch 'a-b'; method 'c'"):
        parse_pattern("{arch}-{method}.csv").match("a-b-c.csv")
    assert parse_pattern("{method}-{ratio}.csv").match("a-b-2.csv") == {"method": "a-b", "ratio": 2.0}
    assert parse_pattern("{_}-{seed}.csv").match("run-7.csv") == {"seed": "7"}
    assert parse_pattern("{method}-{seed}.csv").match("a-b.csv") is None


def test_a_long_name_is_read_in_no_time() -> None:
    with pytest.raises(InputError, match="in two ways"):
        parse_pattern("{a}-{b}-{c}-{d}-{e}-{f}").match("-".join("x" * 120))


DOCUMENTS: dict[str, Any] = {
    "by name": {"dense": BEFORE.tolist(), "mp": AFTER.tolist(), "classes": NAMES},
    "records": {"dense": {"confusion_matrix": BEFORE.tolist(), "labels": NAMES},
                "mp": {"confusion_matrix": AFTER.tolist(), "labels": NAMES}},
    "floats": {"dense": BEFORE.astype(float).tolist(), "mp": AFTER.astype(float).tolist(), "class_names": NAMES},
}  # fmt: skip


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_nested_lists(write: Any, document: Any) -> None:
    cube = import_files(write("a.json", json.dumps(document))).cube()
    assert cube["confusion_dense"].values.tolist() == BEFORE.tolist()
    assert cube["confusion"].sel({"method": "mp"}).values.tolist() == AFTER.tolist()
    assert cube["class_name"].values.tolist() == NAMES


def test_nested_lists_with_a_cell_of_their_own(write: Any) -> None:
    cells = [(0, "dense", 1, BEFORE), (0, "mp", 2.5, AFTER), (1, "dense", 1, BEFORE), (1, "mp", 2.5, AFTER)]
    files = []
    for i, (seed, method, ratio, counts) in enumerate(cells):
        record = {"seed": seed, "method": method, "ratio": ratio, "confusion_matrix": counts.tolist()}
        files.append(write(f"{i}.json", json.dumps(record)))
    cube = import_files(files).cube()
    assert cube["confusion"].dims[:3] == ("seed", "method", "ratio")
    assert cube["ratio"].values.tolist() == [2.5]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([[1, 2], [3]], "lists of unequal length"),
        ([[1, 2], [3, "x"]], "'x'; counts are accepted"),
        ([[1, 2], [3, True]], "True; counts are accepted"),
        ([[0.5, 0.5], [0, 1]], "0.5 at [0, 0]; whole numbers from 0 to"),
        ([[1, 2, 3], [3, 4, 5]], "has shape (2, 3); square matrices"),
        ({"dense": [[1, 2], [3, 4]], "classes": ["a"]}, "1 names of classes for 2 classes"),
        ({"dense": [[1, 2], [3, 4]], "classes": ["a", "a"]}, "class 'a' is there twice"),
        ([[[1, 0], [0, 1]], [[1, 0], [0, 1]]], "has 1 axes before the two of the matrix"),
        ([[1e300, 2], [3, 4]], "whole numbers of test images are accepted"),
        ({"loss": 0.5}, "JSON of another kind"),
    ],
)
def test_nested_lists_that_are_refused(write: Any, refused: Any, document: Any, message: str) -> None:
    assert message in refused(write("dense.json", json.dumps(document)))


def test_supports_that_differ_are_refused(write: Any, refused: Any) -> None:
    line = refused(write("a.json", json.dumps({"dense": [[8, 2], [1, 9]], "mp": [[8, 2], [1, 8]]})))
    assert line.startswith("support differs before and after at method=mp, class=1: 10 and 9 test images;")


def test_rows_and_columns_of_other_classes(write: Any) -> None:
    """What `pandas.crosstab` writes: a class is predicted that is no label, and one is never predicted."""
    for corner in ("", "row_0", "label"):
        found = read_matrix(write("m.csv", f"{corner},1,2,3\n1,5,0,1\n2,0,7,0\n"))
        assert (found.rows, found.columns) == (["1", "2"], ["1", "2", "3"])
        assert found.counts.tolist() == [[5, 0, 1], [0, 7, 0]]
    found = read_matrix(write("m.csv", "label,cat\ncat,5\ndog,2\n"))
    assert (found.rows, found.columns, found.counts.tolist()) == (["cat", "dog"], ["cat"], [[5], [2]])


def test_a_table_whose_models_are_called_as_classes_is_no_matrix(write: Any) -> None:
    found = import_files(write("a.csv", "label,0,1\n0,0,0\n1,1,0\n1,1,1\n0,0,0\n"), predicted=["0", "1"], before="0")
    assert found.kind == "one row an example"
    same = import_files(write("a.csv", "label,dense,0,1\n1,1,0,1\n0,0,0,0\n1,1,1,1\n"))
    assert same.kind == "one row an example"
