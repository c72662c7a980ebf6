"""How commands end when something is wrong: one line on stderr and a status, no traceback."""

from __future__ import annotations

import errno
import os
import re
import sys
import warnings
from typing import Any

import typer
from typer.core import TyperGroup

from rdstats.errors import InputError

WRONG_INPUT, INTERRUPTED = 2, 130
_DISK = (errno.ENOSPC, errno.EIO, errno.EROFS, getattr(errno, "EDQUOT", errno.ENOSPC))


UsageError: Any = typer.BadParameter.__base__  # Typer carries a Click of its own, under a private name


class FriendlyGroup(TyperGroup):
    """Turns the errors a user can cause into one line; programming errors keep their traceback."""

    def make_context(self, *arguments: Any, **named: Any) -> Any:
        try:
            return super().make_context(*arguments, **named)
        except UsageError as error:
            raise _told(error) from None

    def invoke(self, ctx: Any) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _show_warning
                return super().invoke(ctx)
        except UsageError as error:
            raise _told(error) from None
        except InputError as error:
            typer.echo(f"rd: {error}", err=True)
            raise typer.Exit(WRONG_INPUT) from None
        except KeyboardInterrupt:
            typer.echo("rd: interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:  # the reader of our output has gone, as in `rd analyze ... | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except OSError as error:
            if error.errno not in _DISK:
                raise
            where = f" {error.filename}" if error.filename else ""
            typer.echo(f"rd: cannot write{where}: {error.strerror}", err=True)
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None


def _told(error: Any) -> Exception:
    """Print a wrong option or argument as one line and return what ends the program; help stays as it is."""
    if "\n" in error.format_message():
        return error  # type: ignore[no-any-return]
    message = re.sub(r"\. (Did .*)\?", r" (\1?)", error.format_message()).rstrip(".")
    where = error.ctx.command_path if error.ctx else "rd"
    typer.echo(f"rd: {message[:1].lower()}{message[1:]}; see {where} --help", err=True)
    return typer.Exit(WRONG_INPUT)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    typer.echo(f"rd: warning: {message}", err=True)


def refuse_same(output: Any, cube: Any) -> None:
    """Refuse an output that is the cube itself."""
    if output is not None and output.exists() and cube.exists() and output.samefile(cube):
        raise InputError(f"output {output} is the cube itself and would be lost; give another name")


def write_text(text: str, output: Any) -> None:
    """Write a document to a file, whole or not at all, or to stdout."""
    if output is None:
        typer.echo(text, nl=False)
        return
    from rdstats.files import write_document

    write_document(output, text)
