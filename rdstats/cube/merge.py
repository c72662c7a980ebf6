"""Merge cubes of one study that were computed in parts; refuse what contradicts."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdstats.cube.join_attrs import join_attrs
from rdstats.cube.join_labels import check_classes, join_labels, places
from rdstats.cube.merge_cells import Merge, Source
from rdstats.cube.read import open_cube
from rdstats.cube.write import CubeWriter
from rdstats.errors import InputError
from rdstats.files import check_writable


@dataclass(frozen=True)
class MergedCube:
    """What `merge_cubes` wrote: the cube and its number of finished cells."""

    path: Path
    n_done: int


def merge_cubes(paths: Sequence[str | os.PathLike[str]], output: str | os.PathLike[str]) -> MergedCube:
    """Merge cube files into one, a block at a time.

    The labels are those of the first cube, then what the others have more, in their order; ratios ascend.  A cell
    that several cubes have is taken where it is done, rather than failed, rather than missing; done cells must be
    equal in all but their seconds.  So must all else that two cubes have: dense networks, and a dataset's labels,
    classes and number of images.  Cells that no cube has stay outside the grid.  Attributes: see
    `rdstats.cube.join_attrs`.

    Parameters
    ----------
    paths : two or more cube files.
    output : a new file; written whole or not at all.

    Raises
    ------
    InputError
        Fewer than two cubes, one given twice, no cube or a damaged one, cubes that contradict each other (naming
        the cell), or an output that is there or cannot be written.

    Warns
    -----
    UserWarning
        Attributes that do not agree and are left out.

    Examples
    --------
    >>> import os, tempfile, numpy as np
    >>> from rdstats.cube import build, save
    >>> folder, names = tempfile.mkdtemp(), []
    >>> for seed in (0, 1):
    ...     cube = build([[[9, 1], [3, 7]]], [[[7, 3], [5, 5]]], dims=("seed",), coords={"seed": [seed]})
    ...     names.append(os.path.join(folder, f"{seed}.nc"))
    ...     save(cube, names[-1])
    >>> merged = merge_cubes(names, os.path.join(folder, "both.nc"))
    >>> open_cube(merged.path)["seed"].values.tolist()
    [0, 1]
    """
    files, target = [Path(path) for path in paths], Path(output)
    check_distinct(files, "cubes")
    _check_new(target)
    names = list(map(str, files))
    with ExitStack() as opened:
        cubes = [opened.enter_context(open_cube(path)) for path in files]
        labels = join_labels(cubes, names)
        check_classes(cubes, names)
        sources = [Source(name, cube, places(cube, labels)) for name, cube in zip(names, cubes, strict=True)]
        merge = Merge(sources, labels)
        attrs, left_out = join_attrs([cube.attrs for cube in cubes], names)
        coords: dict[str, Any] = dict(labels)
        if all("sample" not in cube.coords for cube in cubes) and "sample" in labels:
            coords["sample"] = len(labels["sample"])
        with CubeWriter(target, coords, dims=merge.dims, attrs=attrs) as writer:
            n_done = merge.write(writer)
            _check_new(target)
    if left_out:
        warnings.warn(
            f"{', '.join(left_out)}: left out, as the cubes do not agree (what each says is kept under provenance)",
            stacklevel=2,
        )
    return MergedCube(target, n_done)


def check_distinct(paths: Sequence[Path], what: str) -> None:
    """Refuse fewer than two things to merge, and one that is given twice."""
    if len(paths) < 2:
        raise InputError(f"two or more {what} are needed to merge, got {len(paths)}")
    for i, path in enumerate(paths):
        if any(path == other or (path.exists() and other.exists() and path.samefile(other)) for other in paths[:i]):
            raise InputError(f"{path} is given twice")


def _check_new(output: Path) -> None:
    if output.exists() and not output.is_dir():
        raise InputError(f"output {output} is there and would be lost; give another name")
    check_writable(output)
