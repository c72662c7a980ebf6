"""Predictions outside the classes: refused, put into a class of their own, or each kept as one."""

from __future__ import annotations

from collections.abc import Sequence

from rdstats.errors import InputError, nearest, one_of

OTHER, KEEP = "other", "keep"
UNKNOWN = ("error", OTHER, KEEP)
"""What may be done with a prediction outside the classes; `OTHER` is also the name of the class that takes them."""


class MisplacedError(InputError):
    """A value at one position of an array that is refused.

    Attributes
    ----------
    name : which array.
    index : position in it.
    what : what is wrong, for whoever called from Python.
    told : the same for whoever called from the command line.
    """

    def __init__(self, name: str, index: tuple[int, ...], what: str, told: str | None = None) -> None:
        self.name, self.index, self.what, self.told = name, index, what, told or what
        super().__init__(f"{name}: position {index[0] if len(index) == 1 else index}: {what}")


def refusal(value: str | None, known: Sequence[str], *, option: str = "--{} {}") -> str:
    """Return why a prediction is refused, and what can be said about it.

    Parameters
    ----------
    value : as an error line shows it; None where there is no prediction.
    known : names of the classes.
    option : how an option and its value are written, ``--{} {}`` or ``{}={!r}``.
    """
    other = f"{option.format('unknown', OTHER)} puts such predictions into a class '{OTHER}'"
    if value is None:
        return f"no value; a class is accepted in every row; {other}"
    few = one_of(known[:10]) + (", ..." if len(known) > 10 else "")
    hint = nearest(value.strip("'"), known)
    keep = f"{option.format('unknown', KEEP)} makes each a class of its own"
    listed = option.split("{}")[0] + "classes"
    return f"{value}{hint} is predicted but is none of the classes {few}; {other}, {keep}, {listed} lists all classes"


def check_free(names: Sequence[str]) -> None:
    """Refuse to put predictions into a class `OTHER` that is there already.

    Raises
    ------
    InputError
        It is.
    """
    if OTHER in names:
        raise InputError(f"unknown {OTHER}: a class is called '{OTHER}' already; rename it")
