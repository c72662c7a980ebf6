"""docs/which_number.md: every command and call in it works, and its intervals are about what it says."""

import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import rdstats
from rdstats import array
from rdstats.comparison import QUANTITIES

TEXT = (Path(__file__).parents[2] / "docs" / "which_number.md").read_text()
FOUND = re.findall(r"^## (\d+)\. (.*?)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
SECTIONS = {int(number): (title, body) for number, title, body in FOUND}
ARMS = {"sham-1": [0.01, 0.02, 0.03, 0.04], "mp-2": [0.02, 0.05, 0.1, 0.2], "mp-4": [0.02, 0.1, 0.2, 0.4]}
"""Shares of each class's images whose prediction changes."""


def blocks(number, language):
    return re.findall(rf"```{language}\n(.*?)```", SECTIONS[number][1], re.S)


@pytest.fixture(scope="module")
def data():
    """Return the arrays that the page names: labels, and predictions of six runs before, after and of a control."""
    rng = np.random.default_rng(0)
    labels = np.arange(800) % 4

    def noisy(truth, errors):
        other = (truth + rng.integers(1, 4, truth.shape)) % 4
        return np.where(rng.random(truth.shape) < np.array(errors)[labels], other, truth)

    dense = noisy(np.broadcast_to(labels, (6, labels.size)), [0.04, 0.1, 0.2, 0.3])
    arms = {"dense-1": dense, **{name: noisy(dense, errors) for name, errors in ARMS.items()}}
    runs = {"before": dense, "after": arms["mp-4"], "control": arms["sham-1"]}
    named = {"labels": labels, "arms": arms, **{f"{name}_runs": own for name, own in runs.items()}}
    for name, own in runs.items():
        named |= {name: own[0], f"matrix_{name}": array.confusion_matrix(labels, own[0], classes=4)}
    return named


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("which number")
    columns = {f"pred_{name}-{seed}": own[seed] for name, own in data["arms"].items() for seed in range(6)}
    pd.DataFrame({"label": data["labels"], **columns}).to_csv(path / "grid.csv", index=False)
    for name in ("before", "after", "labels"):
        pd.DataFrame({name: data[name]}).to_csv(path / f"{name}.csv", index=False)
    for name in ("before", "after"):
        np.savetxt(path / f"matrix_{name}.csv", data[f"matrix_{name}"], "%d", delimiter=",")
    for name in ("before_runs", "after_runs", "control_runs", "labels"):
        np.save(path / f"{name}.npy", data[name])
    rdstats.import_files(path / "grid.csv", pattern="{method}-{ratio}-{seed}").save(path / "cube.nc")
    return path


@pytest.mark.parametrize("number", SECTIONS)
def test_commands_work(number, rd, folder, monkeypatch):
    monkeypatch.chdir(folder)
    (commands,) = blocks(number, "sh")
    for line in commands.replace("\\\n", " ").splitlines():
        command, _, comment = line.partition(" # ")
        program, *arguments = shlex.split(command)
        assert program == "rd"
        status = rd(*arguments)
        assert status == (3 if "status 3" in comment else 0), (line, rd.stdout, rd.stderr)
        assert "nothing to show" not in rd.stderr


@pytest.mark.parametrize("number", SECTIONS)
def test_calls_work(number, data, folder):
    (code,) = blocks(number, "python")
    with rdstats.open_cube(folder / "cube.nc") as cube:
        exec(code, {"rdstats": rdstats, "cube": cube, **data})


def bases(result):
    return {one.basis for one in result.quantities if one.lower is not None}


def test_intervals_are_about_what_the_page_says(data):
    before, after, labels = (data[name] for name in ("before", "after", "labels"))
    runs = (data["before_runs"], data["after_runs"])
    found = {
        1: rdstats.compare(before, after, labels=labels),
        2: rdstats.compare(data["matrix_before"], data["matrix_after"]),
        3: rdstats.compare(*runs, labels=labels, dims=("seed",)),
        4: rdstats.compare(*runs, labels=labels, control=data["control_runs"], dims=("seed",)),
    }
    for number, result in found.items():
        lines = SECTIONS[number][1].partition("```")[0]
        promised = {" ".join(text.split()) for text in re.findall(r"\*([^*]{12,})\*", lines.partition("**Basis:**")[2])}
        assert promised
        assert promised <= bases(result), number
        for name in re.findall(r"`([a-z_]+)`", lines.partition("**Basis:**")[0]):
            assert name in QUANTITIES
            quantity = result[name]
            assert quantity.value is not None or quantity.lower is not None, (number, name)
    assert found[1]["slope_corrected"].lower is not None
    assert found[4].records("control")[0]["claim"] == "intensified"
    assert "no claim" in found[3].summary()


def test_the_chart_and_the_sections_have_the_same_cases():
    (chart,) = re.findall(r"```mermaid\n(.*?)```", TEXT, re.S)
    leaves = re.findall(r"<b>(\d+)</b> (.*?)(?=\"|<br/><b>)", chart)
    assert list(SECTIONS) == list(range(1, 11))

    def words(text):
        return text.replace("<br/>", " ").lower().removeprefix("a ")

    titles = {number: words(title) for number, (title, _) in SECTIONS.items()}
    assert {int(number): words(text) for number, text in leaves} == titles
