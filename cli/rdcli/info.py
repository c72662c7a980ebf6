"""`rd info`: what a cube holds."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

import typer

from rdcli.analyze import CubePath

if TYPE_CHECKING:
    import xarray as xr


def info(cube: CubePath) -> None:
    """Print what a cube holds, where it comes from, and its digest (this reads and checks all of it).

    Example: rd info results.nc
    """
    from rdstats.cube import class_counts, digest, open_cube

    with open_cube(cube) as data:
        class_counts(data)
        lines = [f"{cube}: confusion-matrix cube", *_dims(data), *_cells(data), *_attributes(data)]
        lines.append(f"digest: {digest(data)}")
    typer.echo("\n".join(lines))


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
    return ["cells: " + ", ".join(f"{n} {word}" for word, n in counts.items())]


def _attributes(data: xr.Dataset) -> list[str]:
    lines = []
    for key, value in data.attrs.items():
        if key == "grid":
            continue
        text = str(value)
        if text.startswith("{"):
            with contextlib.suppress(ValueError):  # another program's attribute: shown as it is
                text = ", ".join(f"{k} {v}" for k, v in json.loads(text).items())
        if text:
            lines.append(f"{key}: {text}")
    return lines
