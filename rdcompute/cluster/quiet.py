"""Dask's own messages: into the log of the run, not onto the screen."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from rdcompute.schedule import logger

_NAMES = ("distributed", "distributed.client", "tornado", "tornado.application", "asyncio", "dask_jobqueue", "asyncssh")
"""Loggers that have handlers of their own, or whose messages would end up on the screen for want of one."""


class _IntoOurs(logging.Handler):
    """Hands warnings of a package on to our log, as news: what is an error for us, we say ourselves."""

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(Exception):  # a message that cannot be put into words stops no run
            text = " ".join(record.getMessage().split())
            logger.info("%s: %s", record.name, text[:500])


@contextlib.contextmanager
def dask_logged() -> Iterator[None]:
    """Send what Dask, and what it is made of, logs in the block to our log."""
    handler = _IntoOurs(logging.WARNING)
    before = {}
    for name in _NAMES:
        one = logging.getLogger(name)
        before[name] = (one.handlers, one.propagate)
        one.handlers, one.propagate = [handler], False
    try:
        yield
    finally:
        for name, (handlers, propagate) in before.items():
            one = logging.getLogger(name)
            one.handlers, one.propagate = handlers, propagate
