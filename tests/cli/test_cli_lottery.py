"""Lottery tickets from the grid file to the report, beside methods of the other recipe."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest

GRID = """\
name: tickets
seeds: 2
experiments:
  - {dataset: bars.npz, arch: lenet, method: [sham, mp], ratio: 2}
  - {dataset: bars.npz, arch: lenet, method: [sham-lth, lth], levels: 2}
training:
  lenet: {batch_size: 16, train: [[2, 0.05]], finetune: [[1, 0.05]]}
  lth: {batch_size: 16, train: [[12, 0.05]], rewind_steps: 2}
"""


@pytest.fixture
def run(rd, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tickets.yaml").write_text(GRID)
    options = ("--data-dir", data_dir, "--device", "cpu")
    assert rd("plan", "tickets.yaml", *options, "--no-calibrate") == 0
    words = " ".join(rd.stdout.split())
    assert "14 cells (4 dense networks, 10 fine-tunings)" in words
    assert "lth: ratio 1.25, 1.562" in words
    assert "lth prunes what the level before was trained to" in words
    assert rd("compute", "--grid", "tickets.yaml", "--output", "tickets.nc", *options) == 0, rd.stderr
    assert "14/14 cells, ETA 0:00" in rd.stderr
    return tmp_path / "tickets.nc"


def test_from_the_grid_to_the_report(rd, run: Path, data_dir: Path) -> None:
    assert rd("status", run.with_suffix(".run"), "--data-dir", data_dir) == 0
    assert re.search(r"lenet +dense +4/4 .*lenet +sham-lth +2/2 .*lenet +lth +4/4 ", rd.stdout, re.DOTALL), rd.stdout
    assert rd("analyze", run, "--family", "ratio", "--table", "slopes", "--format", "csv") == 0, rd.stderr
    rows = {(row["method"], float(row["ratio"])) for row in csv.DictReader(io.StringIO(rd.stdout))}
    assert rows == {("sham", 1), ("mp", 2), ("sham-lth", 1), ("lth", 1.25), ("lth", 1.5625)}
    assert rd("report", run, "--output", "tickets.html") == 0, rd.stderr
    text = " ".join(Path("tickets.html").read_text().split())
    assert "training for 12 steps at learning rate 0.05" in text
    assert "rewinds the others to those after 2 steps" in text
