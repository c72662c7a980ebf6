"""Say in words where two nested descriptions differ."""

from __future__ import annotations

import json
from typing import Any


def describe_differences(found: Any, wanted: Any, path: str = "", limit: int = 6) -> list[str]:
    """Return lines ``path: there X, here Y`` for every leaf that differs, at most `limit` of them."""
    differences = list(_walk(found, wanted, path))
    more = len(differences) - limit
    return differences[:limit] + ([f"and {more} more"] if more > 0 else [])


def _walk(found: Any, wanted: Any, path: str) -> list[str]:
    if isinstance(found, dict) and isinstance(wanted, dict):
        keys = dict.fromkeys([*found, *wanted])
        return [d for key in keys for d in _walk(found.get(key), wanted.get(key), f"{path}.{key}".lstrip("."))]
    if found == wanted:
        return []
    nested = isinstance(found, list) and any(isinstance(item, dict) for item in found)
    if nested and isinstance(wanted, list) and len(found) == len(wanted):
        return [d for i, pair in enumerate(zip(found, wanted, strict=True)) for d in _walk(*pair, f"{path}.{i}")]
    return [f"{path}: there {_short(found)}, here {_short(wanted)}"]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
