"""The log of a run directory: what happened to its cells, and when; on request also on the screen."""

from __future__ import annotations

import contextlib
import logging
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rdcompute.plan import Cell
from rdcompute.schedule import Listener, Silent, logger

LOG = "log.txt"


class _Log(logging.FileHandler):
    """A log is never worth an error of its own: on a full disk its lines are lost."""

    def handleError(self, record: logging.LogRecord) -> None: ...


def _formatter() -> logging.Formatter:
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    return formatter


@contextlib.contextmanager
def logging_to(handler: logging.Handler, level: int = logging.INFO) -> Iterator[None]:
    """Send what is logged in the block, from `level` up, to `handler` too."""
    handler.setFormatter(_formatter())
    handler.setLevel(level)
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(min(level, before or level))
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
        handler.close()


@contextlib.contextmanager
def logged(folder: Path) -> Iterator[None]:
    """Log what happens in the block, its warnings and how it ends, to the file of a run directory."""
    try:
        handler: logging.Handler = _Log(folder / LOG, encoding="utf-8")
    except OSError:  # a read-only folder: what writes results will say so
        handler = logging.NullHandler()
    with logging_to(handler), _warnings_logged():
        try:
            yield
        except KeyboardInterrupt:
            logger.warning("interrupted")
            raise
        except Exception as error:
            logger.error("stopped: %s", error)
            raise


@contextlib.contextmanager
def _warnings_logged() -> Iterator[None]:
    show = warnings.showwarning

    def logged_too(message: Warning | str, *arguments: Any, **named: Any) -> None:
        logger.warning("%s", message)
        show(message, *arguments, **named)

    with warnings.catch_warnings():
        warnings.showwarning = logged_too
        yield


class Journal:
    """Logs what a listener is told, and tells it on."""

    def __init__(self, listener: Listener | None = None) -> None:
        self._listener = listener or Silent()
        self._since: dict[str, float] = {}

    def started(self, cell: Cell) -> None:
        self._since[cell.key] = time.monotonic()
        logger.info("%s %s: begun", cell.key[:12], cell.title)
        self._listener.started(cell)

    def epoch(self, cell: Cell, report: Any) -> None:
        logger.debug(
            "%s %s: epoch %d of %d, loss %.4g, validation loss %.4g", cell.key[:12], cell.title, report.epoch,
            report.n_epochs, report.loss, report.val_loss,
        )  # fmt: skip
        self._listener.epoch(cell, report)

    def finished(self, cell: Cell) -> None:
        logger.info("%s %s: done in %.1f s", cell.key[:12], cell.title, self._seconds(cell))
        self._listener.finished(cell)

    def failed(self, cell: Cell, message: str) -> None:
        logger.error("%s %s: failed: %s", cell.key[:12], cell.title, message)
        self._listener.failed(cell, message)

    def workers(self, n: int) -> None:
        logger.info("workers: %d", n) if n else logger.info("waiting for workers")
        self._listener.workers(n)

    def _seconds(self, cell: Cell) -> float:
        return time.monotonic() - self._since.pop(cell.key, time.monotonic())
