"""The log of a run directory."""

import logging
import re
import warnings

import pytest

from rdcompute.compute import compute
from rdcompute.journal import LOG, Journal, logged, logger, logging_to
from rdcompute.plan import make_plan
from rdcompute.schedule import Silent
from rdcompute.training import EpochReport

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (INFO|WARNING|ERROR) (.+)")


@pytest.fixture
def grid(tiny_npz, make_grid):
    return make_grid(
        seeds=1,
        experiments=[{"dataset": tiny_npz(), "arch": "lenet", "method": ["sham", "mp"], "ratio": 2}],
        training={"lenet": {"train": [1, 0.05], "finetune": [1, 1e30]}},
    )


def messages(folder):
    return [LINE.fullmatch(line).groups() for line in (folder / LOG).read_text(encoding="utf-8").splitlines()]


def test_what_happened_to_every_cell(grid, tmp_path):
    summary = compute(grid, tmp_path / "cube.nc", device="cpu")
    found = messages(summary.run_dir)
    assert re.match(r"grid test: 0 of 3 cells are finished; workers 1; on cpu \(.+\); torch ", found[0][1])
    assert found[-1] == ("INFO", f"cube {summary.output}: 1 of 3 cells, 2 failed")
    dense, sham, mp = make_plan(grid).cells
    text = [message for _, message in found]
    assert text[1] == f"{dense.key[:12]} tiny lenet seed 0 dense: begun"
    assert re.fullmatch(rf"{dense.key[:12]} tiny lenet seed 0 dense: done in \d+\.\d s", text[2])
    errors = [message for level, message in found if level == "ERROR"]
    assert len(errors) == 2
    for cell, message in zip((sham, mp), sorted(errors, key=lambda line: "mp 2" in line), strict=True):
        assert message.startswith(f"{cell.key[:12]} {cell.title}: failed: DivergedError: loss")


def test_a_second_run_goes_on_in_the_same_log(grid, tmp_path):
    summary = compute(grid, tmp_path / "cube.nc", device="cpu")
    n = len(messages(summary.run_dir))
    compute(grid, tmp_path / "cube.nc", device="cpu")
    found = messages(summary.run_dir)
    assert found[n][1].startswith("grid test: 1 of 3 cells are finished")
    assert logger.handlers == []


def test_how_a_run_ended(tmp_path):
    for error in (KeyboardInterrupt(), ValueError("no luck")):
        with pytest.raises(type(error)), logged(tmp_path):
            raise error
    with pytest.warns(UserWarning, match="damaged"), logged(tmp_path):
        warnings.warn("it was damaged", stacklevel=1)
    assert messages(tmp_path) == [
        ("WARNING", "interrupted"), ("ERROR", "stopped: no luck"), ("WARNING", "it was damaged"),
    ]  # fmt: skip


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path, monkeypatch):
    with logged(tmp_path / "not there"):
        logger.info("nobody hears")
    assert not (tmp_path / "not there").exists()

    def full(*_):
        raise OSError(28, "No space left on device")

    with logged(tmp_path):
        handler = logger.handlers[-1]
        monkeypatch.setattr(handler.stream, "write", full, raising=False)
        with monkeypatch.context() as patched:
            patched.setattr(handler, "format", full)
            logger.info("lost")
        logger.info("kept")


def test_epochs_are_told_to_who_wants_them(grid):
    class Kept(logging.Handler):
        def __init__(self):
            super().__init__()
            self.lines = []

        def emit(self, record):
            self.lines.append(record.getMessage())

    told, every, few = [], Kept(), Kept()
    cell = make_plan(grid).cells[0]

    class Noted(Silent):
        def epoch(self, cell, report):
            told.append(report)

    report = EpochReport(1, 3, 0.5, 0.25, 54, 1.0)
    with logging_to(every, logging.DEBUG), logging_to(few):
        Journal(Noted()).epoch(cell, report)
    assert told == [report]
    assert every.lines == [f"{cell.key[:12]} tiny lenet seed 0 dense: epoch 1 of 3, loss 0.5, validation loss 0.25"]
    assert few.lines == []
