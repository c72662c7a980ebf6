"""Say in words where two nested descriptions differ."""

from __future__ import annotations

import json
from typing import Any

LONGEST = 160
"""Characters of a value that are shown."""
LONG = 60
"""Characters of a list from which on only what differs is shown."""

Sides = tuple[str, str]
"""What the two descriptions are called: ``("there", "here")``."""


def describe_differences(
    found: Any, wanted: Any, path: str = "", limit: int = 6, sides: Sides = ("there", "here")
) -> list[str]:
    """Return lines ``path: there X, here Y`` for every leaf that differs, at most `limit` of them.

    Of long lists, and of blocks that come or go, what is only here and only there is told.
    """
    differences = _walk(found, wanted, path, sides)
    more = len(differences) - limit
    return differences[:limit] + ([f"and {more} more"] if more > 0 else [])


def _walk(found: Any, wanted: Any, path: str, sides: Sides) -> list[str]:
    if found == wanted:
        return []
    there, here = sides
    if isinstance(found, dict) and isinstance(wanted, dict):
        keys = dict.fromkeys([*found, *wanted])
        return [d for key in keys for d in _walk(found.get(key), wanted.get(key), f"{path}.{key}".lstrip("."), sides)]
    if isinstance(found, list) and isinstance(wanted, list):
        added, gone = ([item for item in one if item not in other] for one, other in ((wanted, found), (found, wanted)))
        if any(isinstance(item, dict) for item in found):
            if len(found) == len(wanted):
                pairs = zip(found, wanted, strict=True)
                return [d for i, pair in enumerate(pairs) for d in _walk(*pair, f"{path}.{i}", sides)]
            lines = [f"{path}: {_short(item)} is new {here}" for item in added]
            return lines + [f"{path}: {_short(item)} is only {there}" for item in gone]
        if max(len(json.dumps(one)) for one in (found, wanted)) > LONG and (added or gone):
            parts = ((added, f"only {here}"), (gone, f"only {there}"))
            return [f"{path}: " + ", ".join(f"{where} {_short(items)}" for items, where in parts if items)]
    return [f"{path}: {there} {_short(found)}, {here} {_short(wanted)}"]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
