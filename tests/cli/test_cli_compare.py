"""`rd compare`: matrices and predictions from files, three formats, and gates."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import rdstats

NAMES = np.array(["cat", "dog", "bird"])


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(0)
    labels = np.arange(900) % 3

    def noisy(truth, errors):
        return np.where(rng.random(900) < np.array(errors)[labels], (truth + rng.integers(1, 3, 900)) % 3, truth)

    before = noisy(labels, [0.05, 0.1, 0.2])
    return labels, before, noisy(before, [0.02, 0.05, 0.3])


@pytest.fixture(scope="module")
def folder(arrays, tmp_path_factory):
    path = tmp_path_factory.mktemp("models of ümit")
    labels, before, after = (NAMES[part] for part in arrays)
    table = pd.DataFrame({"y": labels, "before": before, "after": after})
    table.to_csv(path / "table.csv", index=False)
    table["y"].to_csv(path / "y.csv", index=False)
    for name in ("before", "after"):
        table[name].to_csv(path / f"{name}.txt", index=False, header=False)
        matrix = pd.crosstab(table["y"], table[name])[NAMES].loc[NAMES]
        matrix.to_csv(path / f"{name}.csv")
        np.save(path / f"{name}.npy", matrix.to_numpy())
        np.savez(path / f"{name}.npz", matrix=matrix.to_numpy(), other=np.ones(2))
    np.save(path / "labels.npy", arrays[0])
    np.save(path / "named.npy", arrays[1].astype(float))
    np.save(path / "named_after.npy", arrays[2].astype(np.uint8))
    return path


def expected(arrays):
    labels, before, after = (NAMES[part] for part in arrays)
    return rdstats.compare(before, after, labels=labels)


def compare_json(rd, *arguments):
    assert rd("compare", *arguments, "--format", "json") == 0, rd.stderr
    return json.loads(rd.stdout)


def test_predictions_are_those_of_the_call(rd, folder, arrays):
    table = folder / "table.csv"
    found = compare_json(rd, f"{table}:before", f"{table}:after", "--labels", f"{table}:y")
    assert found == expected(arrays).to_dict() | {"gates": []}
    assert rd.stderr == ""
    assert found == compare_json(rd, folder / "before.txt", folder / "after.txt", "--labels", folder / "y.csv")
    numbers = compare_json(rd, folder / "named.npy", folder / "named_after.npy", "--labels", folder / "labels.npy")
    assert numbers == rdstats.compare(arrays[1], arrays[2], labels=arrays[0]).to_dict() | {"gates": []}
    named = compare_json(
        rd, folder / "named.npy", folder / "named_after.npy", "--labels", folder / "labels.npy",
        "--classes", "cat,dog,bird",
    )  # fmt: skip
    assert [record["class_name"] for record in named["classes"]] == NAMES.tolist()


def test_matrices_in_every_form(rd, folder, arrays):
    before, after = (pd.read_csv(folder / f"{name}.csv", index_col=0) for name in ("before", "after"))
    whole = compare_json(rd, folder / "before.csv", folder / "after.csv")
    assert whole == rdstats.compare(before, after).to_dict() | {"gates": []}
    bare = rdstats.compare(before.to_numpy(), after.to_numpy()).to_dict() | {"gates": []}
    assert compare_json(rd, folder / "before.npy", folder / "after.npy") == bare
    assert compare_json(rd, f"{folder / 'before.npz'}:matrix", folder / "after.npy") == bare
    assert whole["quantities"] == bare["quantities"]


def test_seeds_and_a_control(rd, folder, tmp_path, arrays):
    rng = np.random.default_rng(0)
    files = {name: rng.integers(0, 3, (5, 900)) for name in ("after", "control")}
    files["before"] = np.where(rng.random((5, 900)) < 0.2, files["after"], arrays[0])
    for name, values in files.items():
        np.save(tmp_path / f"{name}.npy", values)
    found = compare_json(
        rd, tmp_path / "before.npy", tmp_path / "after.npy", "--labels", folder / "labels.npy",
        "--control", tmp_path / "control.npy",
    )  # fmt: skip
    mine = rdstats.compare(files["before"], files["after"], labels=arrays[0], control=files["control"], dims=("seed",))
    assert found == mine.to_dict() | {"gates": []}
    assert found["control"][0]["n"] == 5


@pytest.mark.parametrize(
    ("gates", "status"),
    [(["worst_recall_drop > 2%"], 3), (["slope > 1e3"], 0), (["slope > 1e3", "churn > 0.01"], 3),
     (["worst_recall_drop > 30%"], 0), ([], 0)],
)  # fmt: skip
def test_gates_set_the_status(rd, folder, gates, status):
    table = folder / "table.csv"
    options = [part for gate in gates for part in ("--fail-if", gate)]
    assert rd("compare", f"{table}:before", f"{table}:after", "--labels", f"{table}:y", *options) == status
    assert rd.stdout.count("FAILED: ") == (status == 3)
    assert rd.stdout.count("passed: ") == len(gates) - (status == 3)


def test_a_gate_by_its_bound_and_by_its_value(rd, folder, arrays):
    table, found = folder / "table.csv", expected(arrays)["worst_recall_drop"]
    between = (found.lower + found.value) / 2
    command = ["compare", f"{table}:before", f"{table}:after", "--labels", f"{table}:y", "--format", "json",
               "--fail-if", f"worst_recall_drop > {between!r}"]  # fmt: skip
    assert rd(*command) == 0
    (gate,) = json.loads(rd.stdout)["gates"]
    assert (gate["used"], gate["tested"], gate["warned"]) == ("bound", found.lower, True)
    assert "beyond, but not beyond chance" in rd.stderr
    assert rd(*command, "--point") == 3
    (gate,) = json.loads(rd.stdout)["gates"]
    assert (gate["used"], gate["tested"], gate["failed"]) == ("value", found.value, True)
    assert rd.stderr.startswith("rd: FAILED: worst_recall_drop > ")


def test_strict_asks_for_what_is_shown(rd, folder, arrays):
    table, found = folder / "table.csv", expected(arrays)["worst_recall_drop"]
    between = (found.value + found.upper) / 2
    command = ["compare", f"{table}:before", f"{table}:after", "--labels", f"{table}:y", "--format", "json"]
    gate = ["--fail-if", f"worst_recall_drop > {between!r}"]
    assert rd(*command, *gate) == 0
    assert rd(*command, *gate, "--strict") == 3
    (record,) = json.loads(rd.stdout)["gates"]
    assert (record["rule"], record["used"], record["tested"]) == ("strict", "bound", found.upper)
    assert "is within, but not shown to be" in rd.stderr
    assert rd(*command, "--fail-if", f"worst_recall_drop > {found.upper + 0.01!r}", "--strict") == 0
    assert rd.stderr == ""
    assert rd(*command, "--fail-if", "cosine < -2", "--strict") == 3
    assert "not shown to be within: value" in rd.stderr
    assert "one of them is accepted" in rd.refused(*command, *gate, "--strict", "--point")


def test_cubes_and_single_files_are_told_where_they_belong(rd, folder, tmp_path, arrays):
    expected(arrays).cube.to_netcdf(tmp_path / "cube.nc")
    cube = tmp_path / "cube.nc"
    line = f"rd: {cube}: is a cube already (NetCDF): rd analyze {cube} says what is in it"
    assert rd.refused("compare", tmp_path / "cube.nc") == line
    assert rd.refused("compare", tmp_path / "cube.nc", folder / "after.csv") == line
    assert rd.refused("compare", folder / "before.csv", tmp_path / "cube.nc") == line
    assert "before.csv: only one file" in rd.refused("compare", folder / "before.csv")
    assert "no such file" in rd.refused("compare", tmp_path / "nothing.csv")


def test_classes_of_a_file(rd, folder, tmp_path):
    table = folder / "table.csv"
    command = ["compare", f"{table}:before", f"{table}:after", "--labels", f"{table}:y", "--classes"]
    for content, words in [(b"ch\xe4t\n", "is not text in UTF-8"), (b"cat\ncat\n", "'cat' is there twice"),
                           (b"cat\ndog\n", "'bird' is none of the classes cat, dog")]:  # fmt: skip
        (tmp_path / "c.txt").write_bytes(content)
        assert words in rd.refused(*command, tmp_path / "c.txt")
    assert "a class has no name" in rd.refused(*command, "cat,,dog")
    assert "a name of its own; a matrix goes without --labels" in _matrix_as_labels(rd, tmp_path)


def _matrix_as_labels(rd, folder):
    (folder / "t.csv").write_text("1,1,8\n2,7,1\n1,1,8\n", "utf-8")
    return rd.refused("compare", folder / "t.csv", folder / "t.csv", "--labels", folder / "t.csv")


def test_text_fits_the_terminal(rd, folder):
    assert rd("compare", folder / "before.csv", folder / "after.csv") == 0
    assert max(map(len, rd.stdout.splitlines())) <= 80
    assert "no claim is made" in " ".join(rd.stdout.split())
    assert "note: " not in rd.stdout
    bird = next(line for line in rd.stdout.splitlines() if line.startswith("bird"))
    assert "300" in bird


def test_markdown_is_a_document(rd, folder):
    command = ["compare", folder / "before.csv", folder / "after.csv", "--format", "markdown"]
    assert rd(*command, "--fail-if", "slope > 0") == 3
    assert rd.stdout.startswith("## Which classes pay for compression\n")
    assert "- **failed** slope &gt; 0: value" in rd.stdout
    assert "| bird | 300 |" in rd.stdout


def test_report_is_written(rd, folder, tmp_path):
    page = tmp_path / "page.html"
    table = folder / "table.csv"
    assert rd("compare", f"{table}:before", f"{table}:after", "--labels", f"{table}:y", "--report", page) == 0
    assert "bird" in page.read_text("utf-8")


def test_predictions_outside_the_labels(rd, folder, tmp_path, arrays):
    odd = NAMES[arrays[2]].astype(object)
    odd[4], odd[7] = "horse", ""
    pd.Series(odd, name="after").to_csv(tmp_path / "odd.csv", index=False)
    command = ["compare", folder / "before.txt", tmp_path / "odd.csv", "--labels", folder / "y.csv"]
    line = rd.refused(*command)
    assert "odd.csv: row 6, column 'after': 'horse' is predicted but is none of the classes bird, cat, dog" in line
    assert "--unknown other puts" in line
    assert "--unknown keep makes" in line
    assert "--classes lists" in line
    found = compare_json(rd, *command[1:], "--unknown", "other")
    assert {record["class_name"] for record in found["classes"]} == set(NAMES)
    listed = tmp_path / "classes.txt"
    listed.write_text("bird\ncat\ndog\nhorse\n", "utf-8")
    assert "odd.csv: row 9, column 'after': no value; a class" in rd.refused(*command, "--classes", listed)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["before.txt", "after.txt"], "900 rows and 1 columns; a square matrix"),
        (["table.csv:before", "table.csv:after"], "predictions, which need --labels"),
        (["table.csv", "table.csv:after", "--labels", "y.csv"], "3 columns; name one, FILE:COLUMN, of 'y', 'before'"),
        (["table.csv:befor", "table.csv:after", "--labels", "y.csv"], "no column 'befor' (did you mean 'before'?)"),
        (["nothing.csv", "after.csv"], "nothing.csv: no such file"),
        ([".", "after.csv"], "is a folder"),
        (["before.npz", "after.npy"], "several arrays; name one, FILE:ARRAY"),
        (["before.npz:matrx", "after.npy"], "no array 'matrx'"),
        (["before.npz:other", "after.npy"], "an array of shape (2,); a matrix (C, C)"),
        (["before.csv", "after.csv", "--fail-if", "slop > 1"], "no quantity slop (did you mean 'slope'?)"),
        (["before.csv", "after.csv", "--fail-if", "delta > 1"], "this comparison has no delta"),
        (["before.csv", "after.csv", "--format", "html"], "--format html"),
        (["before.csv", "after.csv", "--unknown", "skip"], "--unknown skip"),
        (["before.csv", "after.csv", "--level", "2"], "level 2"),
        (["before.csv", "after.csv", "--report", "before.csv"], "would be lost"),
        (["before.csv", "after.csv", "--report", "no/such/page.html"], "does not exist"),
        (["named.npy", "short.npy", "--labels", "labels.npy"], "rows differ"),
        (["fractions.npy", "named.npy", "--labels", "labels.npy"], "scores? take argmax(-1) first"),
        (["broken.csv", "after.csv"], "row 2: value 2: 'x'"),
    ],
)
def test_refused_in_one_line(rd, folder, monkeypatch, arguments, words):
    monkeypatch.chdir(folder)
    np.save("short.npy", np.zeros(5, int))
    np.save("fractions.npy", np.full(900, 0.5))
    (folder / "broken.csv").write_text("1,2,3\n1,x,3\n1,2,3\n", "utf-8")
    before = sorted(os.listdir(folder))
    assert words in rd.refused("compare", *arguments)
    assert sorted(os.listdir(folder)) == before


def test_as_a_program(folder):
    command = [sys.executable, "-m", "rdcli", "compare", "before.csv", "after.csv"]
    done = subprocess.run([*command, "--fail-if", "worst_recall_drop > 2%"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 3
    assert "FAILED: worst_recall_drop > 0.02: lower bound" in done.stdout
    assert done.stderr == ""
