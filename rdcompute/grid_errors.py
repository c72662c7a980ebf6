"""What is wrong in a grid file, in one line with its place."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ValidationError

from rdcompute.grid import Experiment
from rdcompute.yamlread import KeyPath, Position
from rdstats.errors import InputError, nearest, one_of


def place_of(source: str, positions: dict[KeyPath, Position], path: KeyPath) -> str:
    """Return ``file:line:column`` of a key, or of the nearest one above it that is in the file."""
    while path and path not in positions:
        path = path[:-1]
    line, column = positions.get(path, (1, 1))
    return f"{source}:{line}:{column}"


_ACCEPTED = {
    "tuple_type": "a list is accepted",
    "too_short": "a list of at least one is accepted",
    "too_long": "[n_epochs, learning rate] is accepted",  # phases alone have a largest length
    "dict_type": "a block of fields is accepted",
    "model_type": "a block of fields is accepted",
    "string_type": "text is accepted",
    "string_too_short": "text is accepted",
}
"""Pydantic's types of errors in words for people who do not know Python."""


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def explain(
    error: ValidationError,
    source: str,
    positions: dict[KeyPath, Position],
    model: type[BaseModel],
    prefix: KeyPath = (),
) -> InputError:
    """Turn pydantic's errors into one line: where, which field, what was found, what is accepted.

    An unknown key is told first: mistyped, it is why another is missing.  That a list is too short because its
    items were refused is no news.
    """
    errors = error.errors(include_url=False)
    inside = {e["loc"][:n] for e in errors for n in range(len(e["loc"]))}
    own = [e for e in errors if e["loc"] not in inside]
    first = next((e for e in own if e["type"] == "extra_forbidden"), own[0])
    path: KeyPath = (*prefix, *first["loc"])
    field = ".".join(map(str, path)).removesuffix(".[key]")
    where = place_of(source, positions, path)
    found = first.get("input")
    if first["type"] == "extra_forbidden":
        fields = Experiment.model_fields if path[:1] == ("experiments",) else model.model_fields
        names = [name for name in fields if name != "scale"]
        key = str(path[-1])
        text = f"unknown key {key!r}{nearest(key, names)}; known are {one_of(names)}"
    elif first["type"] == "missing":
        text = "is needed and not there"
    elif first["type"] == "value_error":
        text = str(first["ctx"]["error"]) if "ctx" in first else first["msg"]
    else:
        fewest = first.get("ctx", {}).get("min_length", 1)
        long = f"a list of at least {fewest} is accepted" if first["type"] == "too_short" and fewest > 1 else ""
        accepted = long or _ACCEPTED.get(first["type"]) or first["msg"][0].lower() + first["msg"][1:]
        text = f"got {_shown(found)}; {accepted}"
    more = len(own) - 1
    return InputError(f"{where}: {field}: {text}" + (f" (and {more} more)" if more else ""))
