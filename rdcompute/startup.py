"""How worker processes come into being: forked from a clean process that has imported what they all need."""

from __future__ import annotations

import multiprocessing
import multiprocessing.context
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess

from rdcompute.memory import huge_pages

_IMPORTED = ["rdcompute.deathsig", "rdcompute.execute", "rdcompute.stopwatch", "torch._dynamo"]
"""Imported once for all workers, seconds of work and hundreds of MiB that they share; the first optimizer of a process
imports the last of them."""


def worker_context() -> multiprocessing.context.ForkServerContext | multiprocessing.context.SpawnContext:
    """Return a fork server where there is one, so that workers begin at once and share what is imported, else spawn.

    The server is a process of its own that never computes: nothing of this process, no thread, no GPU, is inherited.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():  # pragma: no cover
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED)
    return context


def warm_up(*more: str) -> None:
    """Start the server now, so that it imports (`more` modules, too) while this process does something else."""
    if (context := worker_context()).get_start_method() == "forkserver":
        context.set_forkserver_preload([*_IMPORTED, *more])
        from multiprocessing import forkserver

        with deaf_to_ctrl_c(), huge_pages():
            forkserver.ensure_running()


def start(process: BaseProcess) -> None:
    """Start a worker process that never sees Ctrl-C, not while it imports either."""
    if worker_context().get_start_method() == "forkserver":
        warm_up()  # workers inherit its deafness; waiting for it to answer can be interrupted here
        process.start()
    else:  # pragma: no cover
        with deaf_to_ctrl_c():
            process.start()


@contextmanager
def deaf_to_ctrl_c() -> Iterator[None]:
    """Let a process started in the block never see Ctrl-C, not while it imports either; here it only waits."""
    if not hasattr(signal, "pthread_sigmask"):  # pragma: no cover
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # starting it lifts the block
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
