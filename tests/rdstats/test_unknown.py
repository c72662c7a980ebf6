"""Predictions outside the classes: one behaviour in `compare`, `compare_files` and `import_files`."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import rdstats
from rdstats.comparison.files import compare_files
from rdstats.errors import InputError
from rdstats.readers import import_files

LABELS = ["cat", "dog", "cat", "dog", "owl", "owl"]
DENSE = ["cat", "dog", "cat", "cat", "owl", "owl"]
CHOICES = "--unknown other puts such predictions into a class 'other', --unknown keep makes each a class of its own"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def store(pruned):
    pd.DataFrame({"label": LABELS, "dense": DENSE, "mp": pruned}).to_csv("t.csv", index=False)
    frame = pd.DataFrame({"label": LABELS, "dense": DENSE, "mp": [one or "" for one in pruned]})
    pd.crosstab(frame["label"], frame["dense"]).to_csv("dense.csv")
    pd.crosstab(frame["label"], frame["mp"]).to_csv("mp.csv")


def every_way(pruned, files=True, **options):
    """Classes and the matrix after, of each way in."""
    store(pruned)
    direct = rdstats.compare(DENSE, pruned, labels=LABELS, **options).cube
    listed = compare_files("t.csv:dense", "t.csv:mp", labels="t.csv:label", **options).cube
    yield from ((cube["class_name"].values.tolist(), cube["confusion"].values.tolist()) for cube in (direct, listed))
    sources = ["t.csv", ["dense.csv", "mp.csv"]] if files else ["t.csv"]
    for source in sources:
        cube = import_files(source, before="dense", **options).cube()
        yield cube["class_name"].values.tolist(), cube["confusion"].squeeze(drop=True).values.tolist()
    if files:
        cube = compare_files("dense.csv", "mp.csv", **options).cube
        yield cube["class_name"].values.tolist(), cube["confusion"].values.tolist()


@pytest.mark.parametrize(
    ("options", "names", "rows"),
    [
        ({"unknown": "other"}, ["cat", "dog", "owl", "other"], [[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 2, 0], [0] * 4]),
        ({"unknown": "keep"}, ["bee", "cat", "dog", "owl", "yak"],
         [[0] * 5, [0, 1, 0, 0, 1], [1, 0, 1, 0, 0], [0, 0, 0, 2, 0], [0] * 5]),
        ({"unknown": "keep", "classes": ["owl", "dog", "cat"]}, ["owl", "dog", "cat", "bee", "yak"],
         [[2, 0, 0, 0, 0], [0, 1, 0, 1, 0], [0, 0, 1, 0, 1], [0] * 5, [0] * 5]),
        ({"unknown": "other", "classes": ["owl", "dog", "cat"]}, ["owl", "dog", "cat", "other"],
         [[2, 0, 0, 0], [0, 1, 0, 1], [0, 0, 1, 1], [0] * 4]),
    ],
)  # fmt: skip
def test_one_behaviour_in_every_way_in(folder, options, names, rows):
    for found, matrix in every_way(["yak", "dog", "cat", "bee", "owl", "owl"], **options):
        order = [found.index(name) for name in names]
        assert sorted(found) == sorted(names)
        if "classes" in options or options["unknown"] == "other":
            assert found == names
        assert np.array(matrix)[np.ix_(order, order)].tolist() == rows


def test_refused_with_the_place_and_the_choices(folder):
    store(["cat", "dog", "yak", "dog", "owl", "owl"])
    what = f"'yak' is predicted but is none of the classes cat, dog, owl; {CHOICES}, --classes lists all classes"
    for call, line in [
        (lambda: import_files("t.csv"), f"t.csv: row 4, column 'mp': {what}"),
        (lambda: compare_files("t.csv:dense", "t.csv:mp", labels="t.csv:label"), f"t.csv: row 4, column 'mp': {what}"),
        (lambda: import_files(["dense.csv", "mp.csv"]), f"mp.csv: row 2, column 'yak': {what}"),
        (lambda: compare_files("dense.csv", "mp.csv"), f"mp.csv: row 2, column 5: {what}"),
    ]:
        with pytest.raises(InputError) as error:
            call()
        assert str(error.value) == line
    with pytest.raises(InputError, match=r"^after: position 2: 'yak' .*; unknown='other' puts .*, unknown='keep'"):
        rdstats.compare(DENSE, ["cat", "dog", "yak", "dog", "owl", "owl"], labels=LABELS)


def test_missing_predictions_are_of_the_class_other_or_refused(folder):
    pruned = ["cat", "dog", None, "dog", "owl", "owl"]
    for names, matrix in every_way(pruned, files=False, unknown="other"):
        assert names == ["cat", "dog", "owl", "other"]
        assert matrix[0] == [1, 0, 0, 1]
    for unknown in ("error", "keep"):
        for call in (
            lambda unknown=unknown: import_files("t.csv", unknown=unknown),
            lambda unknown=unknown: compare_files("t.csv:dense", "t.csv:mp", labels="t.csv:label", unknown=unknown),
        ):
            with pytest.raises(InputError, match=r"t\.csv: row 4, column 'mp': no value; a class .*; --unknown other"):
                call()


def test_the_row_is_that_of_the_file(folder):
    (folder / "bare.csv").write_text("\n".join(["cat", "dog", "yak", "cat", "owl", "owl"]), "utf-8")
    (folder / "lines.jsonl").write_text(
        '{"p": "cat"}\n{"p": "dog"}\n\n{"p": "cat"}\n{"p": "yak"}\n{"p": "owl"}\n{"p": "owl"}\n', "utf-8"
    )
    np.save("a.npy", np.array(["cat", "dog", "cat", "dog", "owl", "yak"]))
    np.save("two.npy", np.array([DENSE, ["cat", "dog", "cat", "dog", "owl", "yak"]]))
    np.save("two_dense.npy", np.array([DENSE, DENSE]))
    store(DENSE)
    for after, place in [
        ("bare.csv", "row 3, column 'cat': 'yak'"), ("lines.jsonl", "row 5, column 'p': 'yak'"),
        ("a.npy", "a.npy: position 5: 'yak'"),
    ]:  # fmt: skip
        with pytest.raises(InputError) as error:
            compare_files("t.csv:dense", after, labels="t.csv:label")
        assert place in str(error.value)
    with pytest.raises(InputError, match=r"two\.npy: position \(1, 5\): 'yak'"):
        compare_files("two_dense.npy", "two.npy", labels="t.csv:label")
    with pytest.raises(InputError, match=r"t\.csv: row 2, column 'label': 'cat' is none of the classes dog, owl"):
        compare_files("t.csv:dense", "t.csv:mp", labels="t.csv:label", classes=["dog", "owl"])


def test_counts_name_their_classes_in_the_column_of_labels(folder):
    rows = ["true,pred,stage,count", "a,a,before,5", "b,b,before,5", "a,a,after,5", "b,b,after,3"]

    def found(*more, **options):
        (folder / "c.csv").write_text("\n".join([*rows, *more]) + "\n", "utf-8")
        return import_files("c.csv", **options)

    assert found("b,a,after,2", "c,c,before,0").classes[""] == ["a", "b", "c"]  # a row names c: a class without images
    assert found("b,a,after,2", "a,c,after,0").classes[""] == ["a", "b", "c"]  # nothing is predicted to be c
    with pytest.raises(InputError, match=r"c\.csv: row 6, column 'pred': 'c' is predicted but is none of"):
        found("b,c,after,2")
    kept = found("b,c,after,2", "b,d,before,0", unknown="keep")
    assert kept.cube()["confusion"].values[1].tolist() == [0, 3, 2, 0]
    assert found("b,c,after,2", "c,c,before,0").classes[""] == ["a", "b", "c"]


def test_choices_and_listed_classes_are_classes(folder):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    def line(i, target, scores):
        responses = [[str(score), "False"] for score in scores]
        return json.dumps({"doc_id": i, "target": str(target), "filtered_resps": responses, "filter": "none"})

    for name, best in (("dense", (0, 1, 1)), ("pruned", (0, 2, 3))):
        (folder / name).mkdir()
        scores = [[-float(j != b) for j in range(4)] for b in best]
        text = "\n".join(line(i, t, s) for (i, t), s in zip(enumerate((0, 1, 1)), scores, strict=True))
        (folder / name / "samples_x.jsonl").write_text(text, "utf-8")
    found = import_files(["dense/samples_x.jsonl", "pruned/samples_x.jsonl"], before="dense")
    assert found.classes[""] == ["0", "1", "2", "3"]  # 2 and 3 are never right
    names = json.dumps({"info": {"features": {c: {"_type": "ClassLabel", "names": ["no", "yes", "maybe", "never"]}
                                              for c in ("label", "dense", "mp")}}})  # fmt: skip
    table = pa.table({"label": [0, 1, 0], "dense": [0, 1, 1], "mp": [0, 1, 2]})
    pq.write_table(table.replace_schema_metadata({"huggingface": names}), "t.parquet")
    assert import_files("t.parquet").classes[""] == ["maybe", "no", "yes"]
    with pytest.raises(InputError, match=r"t\.parquet: row 3, column 'mp': 'maybe' .*is predicted but"):
        import_files("t.parquet", classes=["no", "yes"])  # given classes are all there are
    same = compare_files("t.parquet:dense", "t.parquet:mp", labels="t.parquet:label")
    assert same.cube["class_name"].values.tolist() == ["maybe", "no", "yes"]


def test_generated_text_is_refused_unless_told(folder):
    def line(i, target, text):
        return json.dumps({"doc_id": i, "target": target, "filtered_resps": [text], "filter": "none"})

    for name, texts in (("dense", ["yes", "no"]), ("pruned", ["yes", "well ..."])):
        (folder / name).mkdir()
        lines = [line(0, "yes", texts[0]), line(1, "no", texts[1])]
        (folder / name / "samples_x.jsonl").write_text("\n".join(lines), "utf-8")
    files = ["dense/samples_x.jsonl", "pruned/samples_x.jsonl"]
    with pytest.raises(InputError, match=r"row 2, column 'filtered_resps': 'well \.\.\.' is predicted but is none"):
        import_files(files, before="dense")
    assert import_files(files, before="dense", unknown="other").classes[""] == ["no", "yes", "other"]


def test_names_say_where_a_count_belongs():
    before = pd.DataFrame([[8, 2], [1, 9]], ["cat", "dog"], ["cat", "dog"])
    turned = before.loc[["dog", "cat"]]
    expected = rdstats.compare(before, before).to_dict()
    assert rdstats.compare(before, turned).to_dict() == expected
    named = rdstats.compare(before, before, classes=["dog", "cat"])
    assert named.cube["confusion"].values.tolist() == [[9, 1], [2, 8]]
    assert named.cube["class_name"].values.tolist() == ["dog", "cat"]
    never = pd.DataFrame([[10], [10]], ["cat", "dog"], ["cat"])  # nothing is predicted to be a dog
    assert rdstats.compare(before, never).cube["confusion"].values.tolist() == [[10, 0], [10, 0]]
    with pytest.raises(InputError, match="before: row 'dog' is none of the classes cat, owl"):
        rdstats.compare(before, before, classes=["cat", "owl"])
    with pytest.raises(InputError, match="before and after name their classes differently"):
        rdstats.compare(before, before.rename(index={"cat": "owl"}))
    with pytest.raises(InputError, match=r"after has shape \(3, 3\); 2 classes are accepted"):
        rdstats.compare(before, np.eye(3, dtype=int))
    odd = before.rename(index={"dog": "other"}, columns={"dog": "x"})
    with pytest.raises(InputError, match="unknown other: a class is called 'other' already"):
        rdstats.compare(odd, odd, unknown="other")


def test_a_column_without_counts_is_no_class():
    before = pd.DataFrame([[8, 2, 0], [1, 9, 0]], ["cat", "dog"], ["cat", "dog", "owl"])
    for unknown in ("error", "other", "keep"):
        found = rdstats.compare(before, before, unknown=unknown).cube
        assert found["class_name"].values.tolist() == ["cat", "dog"]


def test_rows_and_columns_of_labelled_arrays():
    coords = {"true": ["cat", "dog"], "predicted": ["dog", "cat", "owl"]}
    one = xr.DataArray([[2, 8, 0], [9, 0, 1]], coords, ["true", "predicted"])
    found = rdstats.compare(one, one, unknown="keep").cube
    assert found["confusion"].values.tolist() == [[8, 2, 0], [0, 9, 1], [0, 0, 0]]
    assert found["class_name"].values.tolist() == ["cat", "dog", "owl"]


def test_classes_that_are_kept_are_sorted_with_the_others():
    found = rdstats.compare(["b", "c"], ["a", "c"], labels=["b", "c"], unknown="keep").cube
    assert found["class_name"].values.tolist() == ["a", "b", "c"]
    numbers = rdstats.compare([1, 2], [0, 2], labels=[1, 2], unknown="keep").cube
    assert numbers["confusion"].values.tolist() == [[0, 0, 0], [1, 0, 0], [0, 0, 1]]
    assert "class_name" not in numbers


def test_classes_that_are_numbers_order_labels_that_are_numbers(folder):
    """Names of 0, 1, ... are texts; whole numbers in text are the labels themselves."""
    pd.DataFrame({"y": [0, 1, 2, 0], "b": [0, 1, 2, 0], "a": [0, 1, 2, 1]}).to_csv("n.csv", index=False)
    found = compare_files("n.csv:b", "n.csv:a", labels="n.csv:y", classes=["2", "1", "0"]).cube
    assert found["class_name"].values.tolist() == ["2", "1", "0"]
    assert found["confusion"].values.tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]
    named = compare_files("n.csv:b", "n.csv:a", labels="n.csv:y", classes=["x", "y", "z"]).cube
    assert named["confusion"].values.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]


def test_a_first_label_that_was_taken_for_a_header(folder):
    store(DENSE)
    (folder / "bare.csv").write_text("yes\ndog\ncat\ndog\nowl\nowl\n", "utf-8")
    with pytest.raises(InputError, match=r"bare\.csv 5, t\.csv 6 \(row 1 of bare\.csv, 'yes', was read as a header\)"):
        compare_files("t.csv:dense", "bare.csv", labels="t.csv:label")


def test_matrices_in_json_by_name(folder):
    matrices = {"dense": [[5, 1], [2, 4]], "pruned": [[4, 2], [2, 4]], "class_names": ["cat", "dog"]}
    (folder / "two.json").write_text(json.dumps(matrices), "utf-8")
    (folder / "one.json").write_text(json.dumps({"confusion_matrix": [[4, 2], [2, 4]], "accuracy": 0.6}), "utf-8")
    found = compare_files("two.json:dense", "two.json:pruned").cube
    assert found["class_name"].values.tolist() == ["cat", "dog"]
    assert found["confusion"].values.tolist() == compare_files("one.json", "one.json").cube["confusion"].values.tolist()
    with pytest.raises(InputError, match=r"two\.json: no matrix 'dnse' \(did you mean 'dense'\?\)"):
        compare_files("two.json:dnse", "one.json")
    with pytest.raises(InputError, match=r"two\.json: 2 matrices; name one, FILE:NAME"):
        compare_files("two.json", "one.json")


@pytest.mark.parametrize("text", ['"abc"', "null", "{}", '{"a": 1}', '[{"a": "x"}, 3]', "[]", "3"])
def test_json_that_is_no_list_of_labels(folder, text):
    store(DENSE)
    (folder / "a.json").write_text(text, "utf-8")
    with pytest.raises(InputError, match=r"^a\.json: (JSON of another kind|'a' is no list);"):
        compare_files("t.csv:dense", "a.json", labels="t.csv:label")


def test_a_list_of_labels_in_json(folder):
    store(DENSE)
    (folder / "a.json").write_text(json.dumps(DENSE), "utf-8")
    found = compare_files("t.csv:dense", "a.json", labels="t.csv:label").cube
    assert found["confusion"].equals(found["confusion_dense"])


def test_labels_that_are_decimals(folder):
    pa = pytest.importorskip("pyarrow")
    import decimal

    import pyarrow.parquet as pq

    exact = pa.array([decimal.Decimal("1.00"), decimal.Decimal("2.50")])
    pq.write_table(pa.table({"label": exact, "dense": [1.0, 2.5], "mp": ["1", "2.50"]}), "t.parquet")
    assert import_files("t.parquet", unknown="keep").classes[""] == ["1", "2.5", "2.50"]


@pytest.mark.parametrize("array", [np.array(3), np.zeros((0, 2, 2), int), np.array([[8, np.nan], [1, 2]])])
def test_arrays_that_are_no_matrices(folder, array):
    np.save("a.npy", array)
    with pytest.raises(InputError, match=r"a\.npy|nothing to compare"):
        compare_files("a.npy", "a.npy")
    if array.ndim == 0:
        with pytest.raises(InputError, match="before: received a single value"):
            rdstats.compare(array, array)


def test_a_network_that_is_missing_is_left_out():
    before = np.array([[[80.0, 20], [30, 90]]] * 6)
    after = before + np.arange(6)[:, None, None] * [[-1, 1], [2, -2]]
    some = after.copy()
    some[2] = np.nan
    found, rest = rdstats.compare(before, some, dims=("seed",)), [0, 1, 3, 4, 5]
    expected = rdstats.compare(before[rest], after[rest], dims=("seed",))
    assert found.quantities == expected.quantities
    assert "Basis: 5 pairs" in found.summary()
    nothing = rdstats.compare(before[2], some[2])
    assert [nothing[name].value for name in ("accuracy_drop", "worst_recall_drop", "slope")] == [None] * 3
