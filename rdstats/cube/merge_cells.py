"""Put the values of several cubes into one, cell by cell, and name the cell where they contradict each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from rdstats.cube import schema
from rdstats.cube.join_labels import Labels, Places, value_dims, where
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
        matrices = [self.dims.get(name, ()) for name in ("confusion", "confusion_dense")]
        self._values = value_dims(matrices)
        self._cell = tuple(dim for dim in matrices[0] if dim not in self._values)
        self._ranks: list[Ranks] = []
        if set(self.dims.get("status", self._values)) <= set(self._cell):
            self._ranks = [ranks_of(source, self._cell, labels) for source in sources]
            self._furthest: Ranks = np.maximum.reduce(self._ranks)

    def write(self, writer: CubeWriter) -> int:
        """Write all variables; return the number of finished cells.

        Datasets come first, then dense networks, then cells: what contradicts is named where it begins.
        """
        counts = {}
        for name in sorted(self.dims, key=lambda name: (len(self._outer(name)), self._is_large(name))):
            if name == "status" and self._ranks:
                writer.put({}, status=status_of(self._furthest, self._cell, self.dims["status"]))
            elif self._is_large(name):
                counts[name] = self._write_large(writer, name)
            else:
                values = self._joined(name, self.dims[name], {})
                if name == "dense_id":
                    self._check_replicates(values)
                writer.put({}, **{name: self._empty(name, self.dims[name]) if values is None else values})
        return counts.get("confusion", 0)

    def _outer(self, name: str) -> tuple[str, ...]:
        return tuple(dim for dim in self.dims[name] if dim not in self._values)

    def _is_large(self, name: str) -> bool:
        return schema.VariableSpec(name, self.dims[name], "float", "").is_large

    def _having(self, name: str) -> list[Source]:
        return [source for source in self._sources if name in source.cube]

    def _empty(self, name: str, dims: Sequence[str]) -> Array:
        shape = [len(self._labels[dim]) for dim in dims]
        is_text = self._having(name)[0].cube[name].dtype.kind in "OUS"
        return np.full(shape, "", object) if is_text else np.full(shape, np.nan)

    def _write_large(self, writer: CubeWriter, name: str) -> int:
        """Write a variable of matrices or predictions; of its cells, those along one dimension are in memory at once.

        Returns the number of cells that have values.
        """
        outer = self._outer(name)
        dims = tuple(dim for dim in self.dims[name] if dim not in outer[1:])
        axes = tuple(i for i, dim in enumerate(dims) if dim in self._values)
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
            core = [dim for dim in dims if dim in self._values]
            writer.put({dim: self._labels[dim][0] for dim in outer}, **{name: self._empty(name, core)})
        return n_written

    def _joined(self, name: str, dims: tuple[str, ...], at: dict[str, int]) -> Array | None:
        """Return values over `dims` at one place of the other dimensions, of whichever cube has them; None of none.

        Raises
        ------
        InputError
            Two cubes that have different values.
        """
        axes = tuple(i for i, dim in enumerate(dims) if dim in self._values)
        result: Array | None = None
        whose: Array = np.empty(0)
        for number, source in enumerate(self._sources):
            mine, compared = self._taken(number, name, dims, at)
            if name not in source.cube or not mine.any():
                continue
            values = source.block(name, dims, self._labels, at)
            if values is None:
                continue
            there = ~_missing(values).all(axis=axes, keepdims=True) & mine
            if result is None:
                result = np.where(there, values, "" if values.dtype == object else np.nan)
                whose = np.where(there, number, ABSENT)
                continue
            self._check_kind(name, values, result)
            equal = (values == result) | (_missing(values) & _missing(result))
            differs = there & (whose != ABSENT) & compared & ~equal.all(axis=axes, keepdims=True)
            if differs.any():
                raise self._contradiction(name, dims, at, differs, whose, source)
            new = there & (whose == ABSENT)
            result, whose = np.where(new, values, result), np.where(new, number, whose)
        return result

    def _check_kind(self, name: str, *values: Array) -> None:
        if len({one.dtype == object for one in values}) > 1:
            names = " and ".join(source.name for source in self._having(name))
            raise InputError(f"{name} is text in one of {names} and numbers in another")

    def _taken(self, number: int, name: str, dims: tuple[str, ...], at: dict[str, int]) -> tuple[Mask, Mask]:
        """Return where values of a cube may be taken, and where two that have them must have the same.

        Of cells, those that no other cube has further; of matrices and predictions, only where they are done.
        Both broadcast over `dims`.
        """
        compared = np.array(not (name in schema.VARIABLES and schema.VARIABLES[name].volatile))
        if not self._ranks or not self._cell or not set(self._cell) <= set(self._outer(name)):
            return np.array(True), compared
        index = tuple(at.get(dim, slice(None)) for dim in self._cell)
        left = [dim for dim in self._cell if dim not in at]
        order = [dim for dim in dims if dim in left]
        shape = [len(self._labels[dim]) if dim in order else 1 for dim in dims]
        own, top = (
            ranks[index].transpose([left.index(dim) for dim in order]).reshape(shape)
            for ranks in (self._ranks[number], self._furthest)
        )
        mine = (own == top) & ((top == RANK_DONE) | (not self._is_large(name)))
        return mine, compared & (top == RANK_DONE)

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
        if ids is None or ids.dtype != object or "seed" not in dims:
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
