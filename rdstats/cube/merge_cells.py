"""Put the values of several cubes into one, cell by cell, and name the cell where they contradict each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from rdstats.cube import schema
from rdstats.cube.join_labels import VALUE_DIMS, Labels, Places, where
from rdstats.cube.merge_states import ABSENT, RANK_DONE, Ranks, ranks_of, status_of
from rdstats.cube.read import damaged
from rdstats.cube.write import CubeWriter
from rdstats.errors import InputError

Array = NDArray[Any]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Source:
    """One of the cubes: its name for messages, and where its labels are among the merged ones."""

    name: str
    cube: xr.Dataset
    places: Places
    own: dict[str, dict[int, int]] = field(init=False)

    def __post_init__(self) -> None:
        back = {dim: {int(at): i for i, at in enumerate(at_of)} for dim, at_of in self.places.items()}
        object.__setattr__(self, "own", back)

    def block(self, name: str, dims: Sequence[str], labels: Labels, at: dict[str, int]) -> Array | None:
        """Return values of a variable over the merged labels of `dims`, at one place of its other dimensions.

        Values that the cube does not have are missing (NaN, or the empty text); None where it has not the place.
        """
        index = {dim: self.own[dim].get(i, ABSENT) for dim, i in at.items()}
        if ABSENT in index.values():
            return None
        try:
            found = self.cube[name].variable.isel(index)
            values = _normal(np.asarray(found.values))
        except (OSError, RuntimeError) as error:
            raise damaged(self.name, error) from None
        values = values.transpose([found.dims.index(dim) for dim in dims])
        shape = tuple(len(labels[dim]) for dim in dims)
        whole = np.full(shape, "" if values.dtype == object else np.nan, values.dtype)
        whole[np.ix_(*[self.places[dim] for dim in dims])] = values
        return whole


def _normal(values: Array) -> Array:
    """Return numbers as float64, text as str objects, "" where there is none."""
    if values.dtype.kind not in "OUS":
        return values.astype(np.float64)
    texts = ["" if value is None or value != value else str(value) for value in values.ravel().tolist()]
    return np.array(texts, object).reshape(values.shape)


def _missing(values: Array) -> Mask:
    return np.asarray(values == "") if values.dtype == object else np.isnan(values)


class Merge:
    """The merged cube, variable by variable.

    Attributes
    ----------
    dims : dimensions of every variable, in the order of the first cube that has it.
    """

    def __init__(self, sources: Sequence[Source], labels: Labels) -> None:
        self._sources, self._labels = sources, labels
        self.dims: dict[str, tuple[str, ...]] = {}
        for source in sources:
            for name in map(str, source.cube.data_vars):
                self.dims.setdefault(name, tuple(map(str, source.cube[name].dims)))
        self._cell = tuple(dim for dim in self.dims.get("confusion", ()) if dim not in VALUE_DIMS)
        self._ranks: list[Ranks] = []
        if "status" in self.dims and "confusion" in self.dims:
            self._ranks = [ranks_of(source, self._cell, labels) for source in sources]

    def write(self, writer: CubeWriter) -> int:
        """Write all variables; return the number of finished cells.

        Datasets come first, then dense networks, then cells: what contradicts is named where it begins.
        """
        counts = {}
        for name in sorted(self.dims, key=lambda name: (len(self._outer(name)), self._is_large(name))):
            if name == "status" and self._ranks:
                writer.put({}, status=status_of(self._ranks, self._cell, self.dims["status"]))
            elif self._is_large(name):
                counts[name] = self._write_large(writer, name)
            else:
                values = self._joined(name, self.dims[name], {})
                if name == "dense_id":
                    self._check_replicates(values)
                writer.put({}, **{name: self._empty(self.dims[name]) if values is None else values})
        return counts.get("confusion", 0)

    def _outer(self, name: str) -> tuple[str, ...]:
        return tuple(dim for dim in self.dims[name] if dim not in VALUE_DIMS)

    def _is_large(self, name: str) -> bool:
        return schema.VariableSpec(name, self.dims[name], "float", "").is_large

    def _having(self, name: str) -> list[Source]:
        return [source for source in self._sources if name in source.cube]

    def _empty(self, dims: Sequence[str]) -> Array:
        return np.full([len(self._labels[dim]) for dim in dims], np.nan)

    def _write_large(self, writer: CubeWriter, name: str) -> int:
        """Write a variable of matrices or predictions; of its cells, those along one dimension are in memory at once.

        Returns the number of cells that have values.
        """
        outer = self._outer(name)
        dims = tuple(dim for dim in self.dims[name] if dim not in outer[1:])
        axes = tuple(i for i, dim in enumerate(dims) if dim in VALUE_DIMS)
        declared = n_written = 0
        for place in np.ndindex(*[len(self._labels[dim]) for dim in outer[1:]]):
            at = dict(zip(outer[1:], place, strict=True))
            values = self._joined(name, dims, at)
            if values is None:
                continue
            labels = {dim: self._labels[dim][i] for dim, i in at.items()}
            there = ~_missing(values).all(axis=axes)
            for i in np.flatnonzero(there):
                cell = {**labels, outer[0]: self._labels[outer[0]][i]} if outer else labels
                writer.put(cell, **{name: values.take(i, dims.index(outer[0])) if outer else values})
            declared = n_written = n_written + int(there.sum())
        if not declared and all(self._labels[dim] for dim in outer):
            core = [dim for dim in dims if dim in VALUE_DIMS]
            writer.put({dim: self._labels[dim][0] for dim in outer}, **{name: self._empty(core)})
        return n_written

    def _joined(self, name: str, dims: tuple[str, ...], at: dict[str, int]) -> Array | None:
        """Return values over `dims` at one place of the other dimensions, of whichever cube has them; None of none.

        Raises
        ------
        InputError
            Two cubes that have different values.
        """
        axes = tuple(i for i, dim in enumerate(dims) if dim in VALUE_DIMS)
        result: Array | None = None
        whose: Array | None = None
        for number, source in enumerate(self._sources):
            mine = self._allowed(number, dims, self._outer(name), at)
            if name not in source.cube or mine is False:
                continue
            values = source.block(name, dims, self._labels, at)
            if values is None:
                continue
            there = ~_missing(values).all(axis=axes, keepdims=True) & mine
            if result is None or whose is None:
                result = np.where(there, values, "" if values.dtype == object else np.nan)
                whose = np.where(there, number, ABSENT)
                continue
            if (values.dtype == object) != (result.dtype == object):
                first = next(one for one in self._sources if name in one.cube)
                raise InputError(f"{name} is text in one of {first.name} and {source.name}, numbers in the other")
            if not self._is_volatile(name):
                equal = (values == result) | (_missing(values) & _missing(result))
                differs = there & (whose != ABSENT) & ~equal.all(axis=axes, keepdims=True)
                if differs.any():
                    raise self._contradiction(name, dims, at, differs, whose, source)
            new = there & (whose == ABSENT)
            result, whose = np.where(new, values, result), np.where(new, number, whose)
        return result

    def _is_volatile(self, name: str) -> bool:
        return name in schema.VARIABLES and schema.VARIABLES[name].volatile

    def _allowed(self, number: int, dims: tuple[str, ...], outer: tuple[str, ...], at: dict[str, int]) -> Any:
        """Return where a cube's cells may be taken: everywhere, or where none of the cubes is further.

        The result broadcasts over `dims`; False for nowhere.
        """
        if not self._ranks or not self._cell or not set(self._cell) <= set(outer):
            return True
        top = np.maximum.reduce(self._ranks)
        mine = (self._ranks[number] == top) & (top == RANK_DONE)
        mine = mine[tuple(at.get(dim, slice(None)) for dim in self._cell)]
        if not mine.any():
            return False
        left = [dim for dim in self._cell if dim not in at]
        order = [dim for dim in dims if dim in left]
        mine = mine.transpose([left.index(dim) for dim in order])
        return mine.reshape([len(self._labels[dim]) if dim in order else 1 for dim in dims])

    def _contradiction(
        self, name: str, dims: tuple[str, ...], at: dict[str, int], differs: Array, whose: Array, source: Source
    ) -> InputError:
        found = tuple(int(i) for i in np.argwhere(differs)[0])
        index = {**at, **dict(zip(dims, found, strict=True))}
        outer = self._outer(name)
        cell = where(outer, self._labels, [index[dim] for dim in outer])
        other = self._sources[int(whose[found])].name
        if not cell:
            return InputError(f"{name} differs between {other} and {source.name}")
        dense = "the dense network of " if name == "dense_id" or name.endswith("_dense") else ""
        return InputError(f"{dense}{cell} differs between {other} and {source.name} ({name})")

    def _check_replicates(self, ids: Array | None) -> None:
        """Refuse a dense network that is there under two seeds, one of each cube: a copied run is no replicate."""
        dims = self.dims["dense_id"]
        if ids is None or "seed" not in dims:
            return
        axis = dims.index("seed")
        own = [source.block("dense_id", dims, self._labels, {}) for source in self._having("dense_id")]
        for place in np.ndindex(*[1 if i == axis else n for i, n in enumerate(ids.shape)]):
            line = (*place[:axis], slice(None), *place[axis + 1 :])
            seen: dict[str, int] = {}
            for i, found in enumerate(ids[line]):
                first = seen.setdefault(found, i) if found else i
                together = any(one is not None and one[line][first] == one[line][i] == found for one in own)
                if first != i and not together:
                    seeds = self._labels["seed"]
                    rest = [dim for dim in dims if dim != "seed"]
                    cell = where(rest, self._labels, [place[dims.index(dim)] for dim in rest])
                    raise InputError(
                        f"seeds {seeds[first]} and {seeds[i]} have the same dense network ({cell}; "
                        f"{' and '.join(source.name for source in self._having('dense_id'))}): "
                        "a run that was copied is no replicate"
                    )
