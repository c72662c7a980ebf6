"""How far the cells of cubes that are merged are: the furthest of all is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rdstats.cube import schema
from rdstats.cube.blocks import iterate_blocks

if TYPE_CHECKING:
    from rdstats.cube.join_labels import Labels
    from rdstats.cube.merge_cells import Source

Ranks = NDArray[np.int8]

ABSENT = -1
"""Place of a label that a cube does not have."""

_STATUS = (np.nan, schema.MISSING, schema.FAILED, schema.DONE)
"""From not part of the grid to the furthest; the position is the rank."""

RANK_DONE = _STATUS.index(schema.DONE)


def ranks_of(source: Source, cell: tuple[str, ...], labels: Labels) -> Ranks:
    """Return the rank of every cell of the merged cube in one of the cubes.

    Where the cube has no `status`, a cell with counts is done.
    """
    if "confusion" not in source.cube:
        return np.zeros([len(labels[dim]) for dim in cell], np.int8)
    if "status" in source.cube:
        status = source.cube["status"].broadcast_like(source.cube["confusion"].isel(dict.fromkeys(schema.CORE, 0)))
        values: NDArray[Any] = np.asarray(status.transpose(*cell).values)
    else:
        values = _with_counts(source, cell)
    own = np.zeros(values.shape, np.int8)
    for rank, value in enumerate(_STATUS):
        own[values == value] = rank
    ranks = np.zeros([len(labels[dim]) for dim in cell], np.int8)
    ranks[np.ix_(*[source.places[dim] for dim in cell])] = own
    return ranks


def _with_counts(source: Source, cell: tuple[str, ...]) -> NDArray[Any]:
    ordered = source.cube.assign(confusion=source.cube["confusion"].transpose(*cell, *schema.CORE))
    values = np.full([source.cube.sizes[dim] for dim in cell], np.nan)
    for index, block in iterate_blocks(ordered, "confusion", len(schema.CORE)):
        there = ~np.isnan(block).all(axis=(-2, -1))
        values[index] = np.where(there, float(schema.DONE), np.nan)
    return values


def status_of(furthest: Ranks, cell: tuple[str, ...], dims: tuple[str, ...]) -> NDArray[np.float64]:
    """Return `status` over its dimensions."""
    others = [i for i, dim in enumerate(cell) if dim not in dims]
    ordered = furthest.astype(int).transpose([cell.index(dim) for dim in dims] + others)
    found: NDArray[np.float64] = np.asarray(_STATUS, np.float64)[ordered.max(axis=tuple(range(len(dims), len(cell))))]
    return found
