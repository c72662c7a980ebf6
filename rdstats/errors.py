"""The one exception users meet when their input is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Wrong input: the message says in one line what was received, where, and what is accepted.

    The command line prints the message and exits with status 2; nothing has been written.
    """


class UnanswerableError(InputError):
    """The input is in order, but the cube cannot answer this question."""


def nearest(name: str, accepted: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the accepted name closest to `name`, or an empty string."""
    close = difflib.get_close_matches(name.lower(), list(accepted), n=1, cutoff=0.5)
    return f" (did you mean '{close[0]}'?)" if close else ""


def one_of(accepted: Iterable[object]) -> str:
    """Return the accepted values as they appear at the end of an error line: ``a, b, c``."""
    return ", ".join(str(name) for name in accepted)
