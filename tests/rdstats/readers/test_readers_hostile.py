"""Files that are sloppy, wrong or made to harm: one line each, naming file, row and column."""

from __future__ import annotations

import gzip
import io
import pickle
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rdstats.errors import InputError
from rdstats.readers import import_files, make_options, read_matrix
from rdstats.readers.numpy_file import read_numpy

TABLES = [
    ("", {}, "a.csv: is empty; data with a header row, matrices or predictions are accepted"),
    ("\n \n", {}, "a.csv: is empty; data with a header row, matrices or predictions are accepted"),
    ("label,dense,mp\n", {}, "a.csv: no rows of data; a header row and rows are accepted"),
    ("label,dense,mp\na,a,a\n,a,a\n", {}, "a.csv: row 3, column 'label': no value; a class is accepted in every row"),
    ("label,dense,mp\na,a,a\nb,b,nan\n", {}, "a.csv: row 3, column 'mp': no value; a class is accepted in every row"),
    ("label,dense,mp\na,a,a\nb,b\n", {}, "a.csv: row 3, column 'mp': no value; a class is accepted in every row"),
    ("label,dense,mp\na,a,a\nb,b,b,b\n", {}, "a.csv: row 3: 4 fields; 3 are accepted, as in the header row"),
    ("label,dense,dense\na,a,a\n", {}, "a.csv: column 'dense' is there twice; give each column a name of its own"),
    ("label,dense,mp\na,a,a,\nb,b,b,\n", {}, "a.csv: row 2: 4 fields; 3 are accepted"),
    ("x,dense,mp\na,a,a\n", {}, "a.csv: no column of true classes among 'x', 'dense', 'mp'; say which with --true COL"),
    ("label,x\na,a\n", {}, "a.csv: no column of predictions among 'label', 'x'; say which with --predicted COLUMN"),
    ("label,true,pred\na,a,a\n", {}, "a.csv: columns 'label', 'true' could all be true; say which: --true COLUMN"),
    ("label,pred,y_pred\na,a,a\n", {}, "a.csv: columns 'pred', 'y_pred' could all be predictions"),
    ("label,seed,run,dense,mp\na,0,0,a,a\n", {"true": "labels"}, "a.csv: no column 'labels' (did you mean 'label'?)"),
    ("label,dense,mp\na,a,a\n", {"true": "dense"}, "a.csv: no column of predictions among"),
    ("label,dense,mp\na,a,a\nb,b,b\n", {"before": "dens"}, "--before 'dens' (did you mean 'dense'?): no such network"),
    ("label,pred_a,pred_b\na,a,a\nb,b,b\n", {}, "nothing says which network is before compression (networks: a, b): -"),
    ("label,dense,mp\na,a,a\na,a,a\n", {}, "only one class, 'a'; two or more are accepted"),
    ("label,dense,mp\na,x,a\nb,y,b\n", {}, "a.csv, row 2 (dense): labels such as 'a', 'b' and predictions such as 'x'"),
    ("label,dense,mp\na,a,a\nb,b,c\n", {"unknown": "error"}, "a.csv: row 3, column 'mp': 'c' is predicted but is"),
    ("label,dense,mp\na,a,a\nb,b,c\n", {"classes": ["a", "b"]}, "a.csv: row 3, column 'mp': 'c' is predicted but is"),
    ("label,dense,mp\na,a,a\nc,b,a\n", {"classes": ["a", "b"], "unknown": "other"}, "a.csv: row 3, column 'label': 'c"),
    ("label,dense,mp\nother,a,a\na,b,c\n", {"unknown": "other"}, "unknown other: a class is called 'other' already"),
    ("seed,label,dense,mp\n0,a,a,a\n,b,b,b\n", {}, "a.csv, row 3: no seed for this network"),
    ("method,ratio,true,pred,n\ndense,1,a,a,1\nmp,0.5,a,a,1\n", {}, "a.csv: row 3, column 'ratio': '0.5'; a ratio of"),
    ("method,ratio,true,pred,n\ndense,1,a,a,1\nmp,two,a,a,1\n", {}, "a.csv: row 3, column 'ratio': 'two'; a number is"),
    ("method,true,pred,n\ndense,a,a,1\nmp,a,a,0.5\n", {}, "a.csv: row 3, column 'n': '0.5'; whole numbers of test ima"),
    ("method,true,pred,n\ndense,a,a,1\nmp,a,a,-1\n", {}, "a.csv: row 3, column 'n': '-1'; whole numbers from 0 to 214"),
    ("method,true,pred,n\ndense,a,a,1\nmp,a,a,\n", {}, "a.csv: row 3, column 'n': no value; a count of test images is"),
    ("method,true,pred,n\ndense,a,a,1\nmp,a,a,many\n", {}, "a.csv: row 3, column 'n': 'many'; whole numbers of test i"),
    ("method,true,pred,n\ndense,a,a,1\ndense,b,b,1\n", {}, "every network is before compression (the name 'dense');"),
    ("method,true,pred,n\nmp,a,a,1\nmp,b,b,1\n", {}, "nothing says which network is before compression (networks: mp)"),
    ("stage,true,pred,n\nbefore,a,a,1\nlater,a,a,1\n", {}, "a.csv: row 3, column 'stage': 'later'; before or after is"),
    ("method,true,pred,n\ndense,a,a,0\ndense,b,b,0\nmp,a,a,0\n", {}, "a.csv, row 4: a network without any test image"),
    ("label,dense,mp\na\x00b,a,a\n", {}, "a.csv: binary file of unknown kind"),
    ("label,dense,mp\n" + "a" * 300 + ",a,a\n", {}, "a.csv: row 2, column 'label': 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "options", "message"), TABLES)
def test_tables_that_are_refused(write: Any, refused: Any, text: str, options: Any, message: str) -> None:
    line = refused(write("a.csv", text), **options)
    assert line.startswith(message), line


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tru": "x"}, "mapping: 'tru' (did you mean 'true'?); accepted are true, predicted,"),
        ({"unknown": "skip"}, "mapping: unknown: 'skip'; error, other, keep is accepted"),
        ({"sum": "yes"}, "mapping: sum: 'yes'; true or false is accepted"),
        ({"true": ["a"]}, "mapping: true: ['a']; text is accepted"),
        ({"columns": ["seed"]}, "mapping: columns: ['seed']; a mapping from dimension to column is accepted"),
        ({"columns": {"true_class": "x"}}, "mapping: dimension 'true_class'"),
        ({"classes": ["a", "a"]}, "mapping: classes: 'a' is there twice"),
        ({"classes": []}, "mapping: classes: no class; one or more are accepted"),
        ({"dims": ["seed", "seed"]}, "mapping: dims: seed, seed has a name twice"),
        ({"separator": ";;"}, "mapping: separator: ';;'; one character is accepted"),
    ],
)
def test_options_that_are_refused(options: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        make_options(options)
    assert str(caught.value).startswith(message)


def test_places_that_are_no_files(tmp_path: Path, refused: Any) -> None:
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path / "empty") == "empty: no file of a known kind; there is nothing"
    assert refused(tmp_path / "none.csv") == "none.csv: no such file"
    (tmp_path / "a.csv").write_text("label,dense,mp\na,a,a\nb,b,b\n")
    assert refused(tmp_path / "a.csv", tmp_path / "a.csv") == "a.csv: is given twice"
    line = refused(tmp_path / "a.csv", pattern="{seed}.csv", predicted=["dense"])
    assert line == "a.csv: the name does not match {seed}.csv"


def test_text_that_is_not_utf8(tmp_path: Path, refused: Any) -> None:
    (tmp_path / "a.csv").write_bytes("label,dense,mp\nä,ä,ä\n".encode("latin-1"))
    assert refused(tmp_path / "a.csv") == "a.csv: byte 15 is not text in UTF-8; save it as UTF-8"
    (tmp_path / "b.csv").write_bytes(b"label,dense,mp\n" + b"a,a,a\nb,b,b\n" * 100_000 + b"\xff,a,a\n")
    assert "not text in UTF-8" in refused(tmp_path / "b.csv")


class Evil:
    """Unpickling this would leave a mark."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("unpickled"),)


def test_pickles_are_never_loaded(tmp_path: Path, refused: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "a.npy", np.array([Evil()], object), allow_pickle=True)
    np.savez(tmp_path / "b.npz", dense=np.array([Evil()], object))
    (tmp_path / "c.npy").write_bytes(pickle.dumps(Evil()))
    line = refused(tmp_path / "a.npy")
    assert line == "a.npy: the array holds pickled Python objects, which are never loaded; save numbers or text"
    assert "array 'dense' holds pickled Python objects" in refused(tmp_path / "b.npz")
    assert refused(tmp_path / "c.npy").startswith("c.npy: truncated or damaged")
    assert not (tmp_path / "unpickled").exists()


def header(shape: tuple[int, ...]) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": "<i8", "fortran_order": False, "shape": shape})
    return out.getvalue()


def test_declared_sizes_are_checked_before_reading(tmp_path: Path, refused: Any) -> None:
    (tmp_path / "a.npy").write_bytes(header((10**6, 10**6)))
    line = refused(tmp_path / "a.npy")
    assert line == "a.npy: the array declares 8000000000000 bytes; up to 2147483648 in a file are accepted"
    (tmp_path / "b.npy").write_bytes(header((4, 4)) + b"\0" * 100)
    assert refused(tmp_path / "b.npy") == "b.npy: the array declares 128 bytes but has 100: damaged"
    with zipfile.ZipFile(tmp_path / "c.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("dense.npy", header((2**14, 2**14)) + b"\0" * 10**6)
    assert "array 'dense' declares 2147483648 bytes but has 1000000: damaged" in refused(tmp_path / "c.npz")


def test_arrays_of_an_archive_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdstats.readers.numpy_file.LARGEST", 1000)
    np.savez(tmp_path / "a.npz", dense=np.zeros((10, 10), np.uint8), mp=np.zeros((11, 11)))
    with pytest.raises(InputError, match="array 'mp' declares 968 bytes; up to 1000 in a file"):
        read_numpy(tmp_path / "a.npz")


def test_archives_of_other_things(tmp_path: Path, refused: Any) -> None:
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
    assert refused(tmp_path / "a.xlsx") == "a.xlsx: 'xl/workbook.xml' in the archive; arrays (.npy) are accepted"


def test_gzip_that_swells_without_end(tmp_path: Path, refused: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdstats.readers.text_table._BOMB_BYTES", 10**6)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"label,dense,mp\n" + b"a,a,a\nb,b,b\n" * 10**6))
    assert refused(tmp_path / "a.csv.gz") == "a.csv.gz: expands to more than 200 times its size; unpack it first"


def test_damaged_gzip(tmp_path: Path, refused: Any) -> None:
    data = gzip.compress(np.random.default_rng(0).bytes(10**5).hex().encode())
    (tmp_path / "a.csv.gz").write_bytes(data[: len(data) // 2])
    assert refused(tmp_path / "a.csv.gz").startswith("a.csv.gz: truncated or damaged gzip file")


def test_one_endless_line(tmp_path: Path, refused: Any) -> None:
    (tmp_path / "a.csv").write_bytes(b"label," * 200_000)
    assert refused(tmp_path / "a.csv").startswith("a.csv: no end of line in the first 1048576 bytes; a table")


def test_a_name_twice_in_one_record(write: Any, refused: Any) -> None:
    text = '{"label": ["a", "b"], "dense": ["a", "b"], "mp": ["a", "b"], "mp": ["b", "b"]}'
    assert refused(write("a.json", text)) == "a.json: row 1: 'mp' is there twice in one record; once is accepted"
    lines = '{"label": "a", "dense": "a", "mp": "a"}\n{"label": "b", "dense": "b", "mp": "b", "mp": "a"}\n'
    assert refused(write("a.jsonl", lines)) == "a.jsonl: row 2: 'mp' is there twice in one record; once is accepted"


def test_a_row_that_is_too_long_is_named(write: Any, refused: Any) -> None:
    for n in (0, 3):  # the first row of data is another case for pandas
        text = "label,dense,mp\n" + "a,b,a\n\n" * n + '"b,\n",b,b,b\n' + "a,a,a\n" * 3
        assert refused(write("a.csv", text)).startswith(f"a.csv: row {n + 2}: ")


def test_a_cube_is_told_where_it_belongs(tmp_path: Path, write: Any, refused: Any) -> None:
    path = tmp_path / "a.nc"
    import_files(write("a.csv", "label,dense,mp\na,a,b\nb,b,b\n")).save(path)
    assert refused(path).endswith("a.nc: is a cube already (NetCDF): rd analyze a.nc says what is in it")


def test_sums_of_rows_and_columns_are_no_class(write: Any, refused: Any) -> None:
    message = "the last row and column are the sums of the others; leave them out"
    named = ",a,b,All\na,8,1,9\nb,2,9,11\nAll,10,10,20\n"
    assert refused(write("m.csv", named), before="m").endswith(message)
    assert import_files([write("dense.csv", "5,5\n5,5\n"), write("even.csv", "5,5\n5,5\n")])  # two classes alike
    assert refused(write("m.json", "[[8, 1, 9], [2, 9, 11], [10, 10, 20]]"), before="m").endswith(message)
    assert import_files([write("dense.csv", "8,1,9\n2,9,11\n10,9,20\n"), write("b.csv", "8,1,9\n2,9,11\n10,9,20\n")])


def test_an_example_with_two_labels(write: Any, refused: Any) -> None:
    one = write("dense.csv", "id,label,pred\n1,a,a\n2,b,b\n")
    other = write("other.csv", "id,label,pred\n2,a,b\n1,b,a\n")
    with pytest.raises(InputError, match=r"2 examples have other labels than in .*dense\.csv"):
        import_files([one, other])


def why_of(call: Any) -> str:
    with pytest.raises(InputError) as caught:
        call()
    return str(caught.value)


@pytest.mark.parametrize(("filler", "message"), [(b"\0", "byte 1200015 is a null"), (b"a", "a line of more than")])
def test_text_that_ends_in_a_hole_is_not_read_whole(tmp_path: Path, refused: Any, filler: bytes, message: str) -> None:
    """2 GB without room on disk: a line without end begins behind what is looked at first."""
    path = tmp_path / "a.csv"
    with open(path, "wb") as handle:
        handle.write(b"label,dense,mp\n" + b"a,b,a\nb,b,b\n" * 100_000)
        handle.write(filler * (2**24 + 2**21))
        handle.truncate(2**31)
    tracemalloc.start()
    lines = [refused(path), why_of(lambda: read_matrix(path))]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert all(message in line for line in lines)
    assert peak < 2**28


def test_deep_json(tmp_path: Path, refused: Any) -> None:
    (tmp_path / "a.json").write_text("[" * 100_000)
    assert "a.json: " in refused(tmp_path / "a.json")


def test_a_column_that_is_no_class(write: Any, refused: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdstats.readers.networks.MOST_CLASSES", 50)
    rows = "".join(f"c{i},c{i},c{i}\n" for i in range(60))
    assert refused(write("a.csv", "label,dense,mp\n" + rows)) == (
        "more than 50 classes, such as 'c0' and 'c50': is this the column of classes?"
    )


def test_names_in_messages_hide_nothing(write: Any, refused: Any) -> None:
    line = refused(write("a.csv", "label,dense,mp\na,a,a\nb,b,\u202eb\n"), classes=["a", "b"])
    assert "'\\u202eb' is predicted but is none of the classes a, b" in line


def test_mixed_types_in_json(write: Any, refused: Any) -> None:
    path = write("a.json", '[{"label": "a", "dense": "a", "mp": "a"}, {"label": ["b"], "dense": "b", "mp": 2}]')
    assert refused(path) == "a.json: row 2, column 'label': ['b']; text or a whole number is accepted"
    path = write("b.json", '{"label": ["a", 1, 1.0, true], "dense": ["a", "1", 1, "True"], "mp": ["a", 1, 1, true]}')
    assert import_files(path).classes[""] == ["1", "True", "a"]
    path = write("c.json", '{"label": ["a", "b"], "dense": ["a"]}')
    assert refused(path) == "c.json: 'dense' has 1 values, 'label' 2; lists of one length are accepted"


def test_arrays_of_unequal_length(tmp_path: Path, refused: Any) -> None:
    np.savez(tmp_path / "a.npz", label=[0, 1, 1], dense=[0, 1, 1], after=[0, 1])
    assert refused(tmp_path / "a.npz") == (
        "a.npz: 'after' has 2 values, 'label' 3; one of each for every example is accepted"
    )
