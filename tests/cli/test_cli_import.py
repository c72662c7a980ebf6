"""`rd import`: files in, a cube out that the other commands read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rdstats.cube import open_cube


def counts_table(n_seeds: int = 3) -> str:
    """Counts of a dense network, its control and a pruned one, as an Excel of a European would save them."""
    rng = np.random.default_rng(0)
    rows = ["run;model;keep;truth;guess;images"]
    recall = np.array([0.95, 0.9, 0.8])
    for seed in range(n_seeds):
        for cell, spread in (("teacher;1", 1.0), ("sham;1", 1.0), ("int8;2,5", 1.5), ("int4;4", 2.0)):
            for c, right in enumerate(rng.binomial(200, 1 - (1 - recall) * spread)):
                rows.append(f"{seed};{cell};k{c};k{c};{right}")
                rows.append(f"{seed};{cell};k{c};k{(c + 1) % 3};{200 - right}")
    return "\ufeff" + "\r\n".join(rows) + "\r\n"


MAPPING = """\
true: truth
predicted: guess
count: images
columns: {seed: run, ratio: keep, method: model}
before: teacher
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    folder = tmp_path / "mes données"
    folder.mkdir()
    (folder / "how.yaml").write_text(MAPPING)
    path = folder / "counts.csv"
    path.write_text(counts_table(), encoding="utf-8")
    return path


def test_imported_cube_goes_through_every_command(rd: Any, table: Path, tmp_path: Path) -> None:
    output = tmp_path / "cube.nc"
    assert rd("import", table, "--mapping", table.parent / "how.yaml", "--output", output) == 0
    assert rd.stdout == f"cube: {output}, 9 cells; rd analyze {output}\n"
    assert "before:  3 networks ('teacher'), one for each seed; told by --before teacher" in rd.stderr
    assert "dims:    seed 3 (0, 1, 2); method 3 (sham, int8, int4); ratio 3 (1, 2.5, 4)" in rd.stderr
    assert rd("analyze", output, "--format", "json") == 0
    slopes = json.loads(rd.stdout)["slopes"]
    assert [(one["method"], one["ratio"]) for one in slopes] == [("sham", 1), ("int8", 2.5), ("int4", 4)]
    assert rd("report", output, "--output", tmp_path / "report.html") == 0
    assert rd("info", output) == 0
    assert "counts.csv" in rd.stdout


def test_options_say_the_same_as_a_mapping(rd: Any, table: Path, tmp_path: Path) -> None:
    told = (table, "--true", "truth", "--predicted", "guess", "--count", "images", "--column", "seed=run",
            "--column", "ratio=keep", "--before", "teacher")  # fmt: skip
    assert rd("import", *told, "--output", tmp_path / "a.nc") == 0
    assert rd("import", table, "--mapping", table.parent / "how.yaml", "--output", tmp_path / "a.nc") == 0
    assert rd.stdout == f"cube: {tmp_path / 'a.nc'} has this already\n"


def test_preview_writes_nothing(rd: Any, table: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert rd("import", table, "--mapping", table.parent / "how.yaml", "--preview", "--output", tmp_path / "a.nc") == 0
    assert rd.stdout == ""
    assert "cells:   9 after compression, of a grid of 27" in rd.stderr
    assert sorted(tmp_path.rglob("*")) == before
    assert rd("import", table, "--mapping", table.parent / "how.yaml", "--preview") == 0


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    path = tmp_path / "wide.csv"
    path.write_text("label,dense,q8\n" + "a,a,a\nb,b,a\nc,c,c\nc,b,c\n" * 5)
    return path


def test_each_option_has_an_effect(rd: Any, wide: Path, tmp_path: Path) -> None:
    def run(*options: object) -> Any:
        output = tmp_path / f"{len(list(tmp_path.iterdir()))}.nc"
        assert rd("import", wide, "--output", output, *options) == 0, rd.stderr
        return open_cube(output)

    with run() as cube:
        assert "prediction" in cube
        assert cube["method"].values.tolist() == ["q8"]
    with run("--no-predictions") as cube:
        assert "prediction" not in cube
        assert cube["both_correct"].values.tolist() == [[5, 0, 5]]
    with run("--classes", "c,b,a,z") as cube:
        assert cube["class_name"].values.tolist() == ["c", "b", "a", "z"]
    (tmp_path / "names.txt").write_text("\ufeffc\nb\na\n\n", encoding="utf-8")
    with run("--classes", tmp_path / "names.txt") as cube:
        assert cube["class_name"].values.tolist() == ["c", "b", "a"]
    with run("--before", "q8") as cube:
        assert cube["method"].values.tolist() == ["dense"]
    with run("--predicted", "q8", "--predicted", "dense") as cube:
        assert cube.sizes["sample"] == 20


def test_other_options_have_an_effect(rd: Any, tmp_path: Path) -> None:
    rows = ("id|side|label|prediction|n", "1|before|a|a|3", "1|before|b|b|3", "1|after|a|a|2", "1|after|a|a|1")
    (tmp_path / "1.csv").write_text("\n".join(rows))
    (tmp_path / "2.csv").write_text("id|side|label|prediction|n\n1|after|b|c|3\n")
    files = [tmp_path / "1.csv", tmp_path / "2.csv"]
    told = ("--stage", "side", "--separator", "|", "--count", "n")
    assert "row 5: repeats the count" in rd.refused("import", *files, *told, "--preview").replace(str(tmp_path), "")
    assert rd("import", *files, *told, "--sum", "--unknown", "other", "--output", tmp_path / "a.nc") == 0
    with open_cube(tmp_path / "a.nc") as cube:
        assert cube["class_name"].values.tolist() == ["a", "b", "other"]
        assert cube["confusion"].values.tolist() == [[3, 0, 0], [0, 0, 3], [0, 0, 0]]
    np.save(tmp_path / "s.npy", np.array([[[3, 0], [1, 2]], [[2, 1], [1, 2]]]))
    axes = ("--dims", "ratio", "--coords", "ratio=1,2.5")
    assert rd("import", tmp_path / "s.npy", *axes, "--output", tmp_path / "b.nc") == 0
    with open_cube(tmp_path / "b.nc") as cube:
        assert cube["ratio"].values.tolist() == [2.5]


def test_folder_and_parts(rd: Any, tmp_path: Path) -> None:
    for name in ("dense_0", "q8_0", "dense_1", "q8_1"):
        (tmp_path / f"{name}.txt").write_text("9 1\n2 8\n")
    pattern = ("--pattern", "{method}_{seed}.txt")
    assert rd("import", tmp_path, *pattern, "--output", tmp_path / "a.nc") == 0
    assert "seed 2 (0, 1); method 1 (q8)" in rd.stderr
    (tmp_path / "p").mkdir()
    for i, row in enumerate(("a,a,a", "b,b,a")):
        (tmp_path / "p" / f"{i}.csv").write_text(f"example,y_true,dense,q8\n{i},{row}\n")
    files = sorted((tmp_path / "p").iterdir())
    assert rd("import", *files, "--join", "--id", "example", "--output", tmp_path / "b.nc") == 0
    assert "by the names of the examples" in rd.stderr


def test_filter_of_a_log(rd: Any, tmp_path: Path) -> None:
    for model in ("dense", "q8"):
        answers = [(i, text, name) for i, text in enumerate("ab") for name in "xy"]
        rows = [{"doc_id": i, "target": t, "filtered_resps": [t], "filter": f} for i, t, f in answers]
        (tmp_path / f"{model}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    files = (tmp_path / "dense.jsonl", tmp_path / "q8.jsonl")
    assert "choose one with --filter" in rd.refused("import", *files, "--preview")
    assert rd("import", *files, "--filter", "x", "--preview") == 0


@pytest.mark.parametrize("content", [b"thesis", b""])
def test_what_is_there_is_never_lost(rd: Any, wide: Path, tmp_path: Path, content: bytes) -> None:
    output = tmp_path / "a.nc"
    output.write_bytes(content)
    assert "is there and would be lost" in rd.refused("import", wide, "--output", output)
    assert output.read_bytes() == content


def test_another_cube_is_not_replaced(rd: Any, wide: Path, cube: Path, tmp_path: Path) -> None:
    output = tmp_path / "a.nc"
    output.write_bytes(cube.read_bytes())
    assert rd("import", wide, "--output", output) == 2
    assert rd.stdout == ""
    assert f"rd: --output {output} is another cube and would be lost; give another name" in rd.stderr
    assert output.read_bytes() == cube.read_bytes()
    assert "is there and would be lost" in rd.refused("import", wide, "--output", wide)


def test_nothing_is_written_when_something_is_wrong(rd: Any, wide: Path, tmp_path: Path) -> None:
    wide.write_text(wide.read_text() + "a,b,\n")
    before = sorted(tmp_path.iterdir())
    line = rd.refused("import", wide, "--output", tmp_path / "a.nc")
    told = "no value; a class is accepted in every row; --unknown other puts such predictions into a class 'other'"
    assert line == f"rd: {wide}: row 22, column 'q8': {told}"
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "--output CUBE.nc says where the cube goes; --preview writes none"),
        (["--output", "no/such/a.nc"], "cannot write no/such/a.nc: folder"),
        (["--preview", "--column", "seed"], "--column seed: dim=name is accepted, such as seed=run"),
        (["--preview", "--column", "seed=x", "--column", "seed=y"], "--column seed=y: seed comes twice"),
        (["--preview", "--column", "seed=x"], "no column 'x'; it has 'label', 'dense', 'q8'"),
        (["--preview", "--unknown", "skip"], "unknown: 'skip'; error, other, keep is accepted"),
        (["--preview", "--pattern", "x"], "--pattern 'x': fields in braces are accepted"),
        (["--preview", "--before", "q"], "--before 'q' (did you mean 'q8'?): no such network; there are 'dense', 'q8'"),
    ],
)
def test_wrong_options(rd: Any, wide: Path, options: list[str], message: str) -> None:
    assert message in rd.refused("import", wide, *options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("true: a\ntrue: b\n", "how.yaml:2:1: key 'true' is there twice"),
        ("- a\n", "how.yaml: a mapping of options is accepted, such as true: label"),
        ("label: a\n", "mapping: 'label'"),
        ("a: [", "how.yaml:"),
    ],
)
def test_wrong_mappings(rd: Any, wide: Path, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "how.yaml").write_text(text)
    assert message in rd.refused("import", wide, "--mapping", tmp_path / "how.yaml", "--preview")


def test_the_command_itself(wide: Path, tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "cli")])}
    command = [sys.executable, "-m", "rdcli", "import", str(wide), "--output", str(tmp_path / "a.nc")]
    done = subprocess.run(command, capture_output=True, text=True, env=paths)
    assert done.returncode == 0, done.stderr
    assert "predictions: paired by the order of the rows (their labels agree); stored" in done.stderr
    assert (tmp_path / "a.nc").is_file()
