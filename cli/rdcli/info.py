"""`rd info`: what a cube holds."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rdcli.analyze import CubePath
from rdstats.errors import InputError

if TYPE_CHECKING:
    import xarray as xr


def info(
    cube: CubePath,
    grid: Annotated[bool, typer.Option("--grid", help="Print the resolved grid as JSON, and nothing else.")] = False,
) -> None:
    """Print what a cube holds, where it comes from, and its digest (this reads and checks all of it).

    Example: rd info results.nc
    """
    from rdstats.cube import class_counts, digest, open_cube

    with open_cube(cube) as data:
        if grid:
            typer.echo(_grid(cube, data.attrs.get("grid", "")))
            return
        class_counts(data)
        lines = [f"{cube}: confusion-matrix cube", *_dims(data), *_cells(data), *_attributes(data)]
        lines.append(f"digest: {digest(data)}")
    typer.echo("\n".join(lines))


def _grid(cube: Path, text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2)
    except ValueError:
        raise InputError(f"{cube}: carries no grid; rd compute writes cubes that do") from None


def _dims(data: xr.Dataset) -> list[str]:
    lines = []
    for dim, size in data.sizes.items():
        labels = data[dim].values.tolist() if dim in data.coords and "class" not in str(dim) else []
        text = ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in labels[:12])
        lines.append(f"  {dim}: {size}" + (f" ({text}{', ...' if len(labels) > 12 else ''})" if labels else ""))
    return lines


def _cells(data: xr.Dataset) -> list[str]:
    if "status" not in data:
        return []
    from rdstats.cube import DONE, FAILED, MISSING

    counts = {word: int((data["status"] == code).sum()) for word, code in
              (("finished", DONE), ("failed", FAILED), ("not finished", MISSING))}  # fmt: skip
    return ["cells: " + ", ".join(f"{n} {word}" for word, n in counts.items()), *_times(data)]


def _times(data: xr.Dataset) -> list[str]:
    """Return when the cells were computed, and how long that took in all."""
    from datetime import UTC, datetime

    import numpy as np

    def all_of(name: str) -> Any:
        parts = [data[n].values.ravel() for n in (name, f"{name}_dense") if n in data]
        values = np.concatenate(parts) if parts else np.empty(0)
        return values[np.isfinite(values)]

    began, ended, seconds = map(all_of, ("started", "ended", "seconds"))
    if not (began.size and ended.size and seconds.size):
        return []
    first, last = (datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%d %H:%M") for t in (began.min(), ended.max()))
    return [f"computed: {first} to {last} UTC, {seconds.sum() / 3600:.3g} hours of training and evaluation"]


def _attributes(data: xr.Dataset) -> list[str]:
    lines: list[str] = []
    for key, value in data.attrs.items():
        text = str(value)
        if key == "grid" or not text:
            continue
        found = None
        if text.startswith("{"):
            with contextlib.suppress(ValueError):  # another program's attribute: shown as it is
                found = json.loads(text)
        lines += _nested(key, found) if isinstance(found, dict) else [f"{key}: {text}"]
    return lines


def _nested(key: str, found: dict[str, Any]) -> list[str]:
    """Return a description on one line, or one line a part where parts have parts."""
    if not any(isinstance(value, dict) for value in found.values()):
        return [f"{key}: " + _pairs(found)]
    parts = {k: _pairs(v) if isinstance(v, dict) else str(v) for k, v in found.items()}
    return [f"{key}:", *(f"  {k}: {text}" for k, text in parts.items() if text)]


def _pairs(found: dict[str, Any]) -> str:
    return ", ".join(f"{k} {f'{v:g}' if isinstance(v, float) else v}" for k, v in found.items() if v != "")
