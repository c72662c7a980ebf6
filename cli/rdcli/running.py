"""How long work is shown while it runs, and how it ends when it is stopped from outside."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rdcli.errors import INTERRUPTED
from rdstats.errors import InputError

if TYPE_CHECKING:
    from rdcompute.plan import Plan
    from rdcompute.schedule import Listener

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress: only warnings, errors and the last line.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="The log on the screen, every epoch too.")]

TERMINATED = 143


class Terminated(KeyboardInterrupt):
    """A scheduler or the system asks to end (SIGTERM): the same as Ctrl-C, with another status."""


@contextlib.contextmanager
def running(
    run_dir: Path, n_workers: int, *, quiet: bool = False, verbose: bool = False
) -> Iterator[Callable[[Plan, int], Listener] | None]:
    """Yield what is told the progress (none if `quiet`); end with a line that says what is done and how to go on."""
    if quiet and verbose:
        raise InputError("--quiet and --verbose exclude each other; give one")
    from rdcompute.schedule import WorkerDiedError
    from rdcompute.storage import StorageError

    try:
        with _terminated_as_interrupted(), _shown(n_workers, quiet, verbose) as listener:
            yield listener
    except KeyboardInterrupt as stop:
        typer.echo(f"rd: interrupted: {_how_to_go_on(run_dir)}", err=True)
        raise typer.Exit(TERMINATED if isinstance(stop, Terminated) else INTERRUPTED) from None
    except (WorkerDiedError, StorageError) as error:
        typer.echo(f"rd: {error}", err=True)
        raise typer.Exit(1) from None


@contextlib.contextmanager
def _shown(n_workers: int, quiet: bool, verbose: bool) -> Iterator[Callable[[Plan, int], Listener] | None]:
    from rdcli.progress import progress
    from rdcompute.journal import logging_to

    if quiet:
        yield None
        return
    with contextlib.ExitStack() as stack:
        if verbose:
            stack.enter_context(logging_to(logging.StreamHandler(sys.stderr), logging.DEBUG))
        yield stack.enter_context(progress(n_workers, live=sys.stderr.isatty() and not verbose))


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM end the work as Ctrl-C does; only the main thread may say so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: Any) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _how_to_go_on(run_dir: Path) -> str:
    from rdcompute.runs import count_cells

    try:
        n_done, n = count_cells(run_dir)
    except InputError:
        return "nothing was computed yet; repeat the command to begin again"
    return (
        f"{n_done} of {n} cells are finished, in {run_dir}; repeat the command to go on (trainings go on from their "
        f"last checkpoint), or rd assemble {run_dir} for the cube so far"
    )
