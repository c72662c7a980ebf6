"""One pass over the predictions of a cube: fold counts of a few networks at a time, reduced before the next ones."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr

from rdstats import array
from rdstats.cube.blocks import Index, cell_name, iterate_blocks
from rdstats.cube.read import damaged, source
from rdstats.errors import InputError

FOLD = "fold"
PREDICTIONS = ("prediction", "prediction_dense", "label")
SAMPLE = "sample"
Reducer = Callable[[array.FoldCounts], Mapping[str, np.ndarray[Any, Any]]]


def has_predictions(cube: xr.Dataset) -> bool:
    """Return whether the cube has labels, and predictions before and after compression."""
    return all(name in cube for name in PREDICTIONS)


def require_predictions(cube: xr.Dataset, what: str) -> None:
    """Raise `InputError` unless the cube has what `has_predictions` asks for."""
    absent = [name for name in PREDICTIONS if name not in cube]
    if absent:
        raise InputError(
            f"{what} needs the predictions of both networks ({', '.join(PREDICTIONS)}): "
            f"the cube has no {', '.join(absent)}"
        )


def fold_pass(
    cube: xr.Dataset, reduce: Reducer, dims: Mapping[str, tuple[str, ...]], *, folds: int, fold_seed: int
) -> xr.Dataset:
    """Count every network by fold and class, and keep what `reduce` makes of it.

    Parameters
    ----------
    cube : a cube with predictions; in a file, only the finished cells are read, one block at a time, and in Dask
        chunks one block is computed at a time.
    reduce : from `rdstats.array.FoldCounts` `(..., G, C)` to arrays over the same leading axes.
    dims : name of each array -> its further dimensions, of ``fold`` and ``class``.
    folds, fold_seed : the stratified folds of a dataset follow from `fold_seed`, its name and its labels: they
        are the same for all of its networks.

    Returns
    -------
    Dataset over the cell dimensions, in the order of ``prediction``; NaN for networks that are not there.

    Raises
    ------
    InputError
        No predictions, dimensions or values that do not fit, predictions that contradict the matrices, damage.
    """
    check_seed("fold_seed", fold_seed)
    prediction = cube["prediction"].transpose(..., SAMPLE)
    leading = [str(dim) for dim in prediction.dims[:-1]]
    sizes = {FOLD: folds, "class": cube.sizes["true_class"]}
    shape = tuple(prediction.sizes[dim] for dim in leading)
    results = {name: np.full((*shape, *(sizes[d] for d in own)), np.nan) for name, own in dims.items()}
    test_sets = _TestSets(cube, leading, folds, fold_seed)
    try:
        for index, block in iterate_blocks(cube.assign(prediction=prediction), "prediction", 1):
            for at, counts in test_sets.counts(index, block):
                known, used = ~np.isnan(counts.both_correct[..., 0, 0]), counts.support.shape[-1]
                for name, values in reduce(counts).items():
                    target = results[name][(*at, ...)]
                    there = np.expand_dims(known, tuple(range(-len(dims[name]), 0)))
                    target[(..., slice(used)) if "class" in dims[name] else ...] = np.where(there, values, np.nan)
    except (OSError, RuntimeError) as error:
        raise damaged(source(cube), error) from None
    coords = {dim: cube[dim] for dim in leading if dim in cube.coords}
    data = {name: ([*leading, *dims[name]], values) for name, values in results.items()}
    return xr.Dataset(data, coords).assign_coords({FOLD: np.arange(folds)} if _uses_fold(dims) else {})


def stream(seed: int, name: str) -> np.random.Generator:
    """Return the generator of a named stream: the same draws on every machine, in any order."""
    words = np.frombuffer(hashlib.sha256(name.encode()).digest(), dtype=">u4")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *words.tolist()])))


def check_seed(name: str, seed: int) -> None:
    """Raise `InputError` unless a seed is a whole number from 0 up."""
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise InputError(f"{name}: received {seed!r}, accepted: a whole number from 0 up")


def _uses_fold(dims: Mapping[str, tuple[str, ...]]) -> bool:
    return any(FOLD in own for own in dims.values())


class _TestSets:
    """Labels, folds and dense predictions that belong to a block; those of the last block are kept."""

    def __init__(self, cube: xr.Dataset, leading: list[str], folds: int, seed: int) -> None:
        self.cube, self.leading, self.folds, self.seed = cube, leading, folds, seed
        self.kept: dict[str, tuple[Index, np.ndarray[Any, Any]]] = {}
        self.fold_of: tuple[Index, np.ndarray[Any, Any]] | None = None
        self.checked: set[Index] = set()
        self.position = _positions(cube)
        for name in PREDICTIONS[1:]:
            extra = [str(dim) for dim in cube[name].dims if dim not in (*leading, SAMPLE)]
            if extra or SAMPLE not in cube[name].dims:
                raise InputError(f"{name} has dimensions {', '.join(map(str, cube[name].dims))}; {_accepted(leading)}")

    def counts(self, index: Index, block: np.ndarray[Any, Any]) -> Iterator[tuple[Index, array.FoldCounts]]:
        """Yield the fold counts of a block, by row where rows have labels of their own."""
        own_labels = bool(index) and self.leading[0] in self.cube["label"].dims
        rows = [(i, *index[1:]) for i in range(len(block))] if own_labels else [index]
        for at in rows:
            after = block[at[0]] if own_labels else block
            if np.isnan(after).all():
                continue
            before, labels = self._read("prediction_dense", at), self._read("label", at)
            here = ~np.isnan(labels)
            if not here.all():  # shorter test sets are padded
                before, after, labels = (part[..., here] for part in (before, after, labels))
            if not labels.size:
                raise InputError(f"label{cell_name(self.cube['prediction'], at)}: no image has a label")
            fold_of = self._folds(at, labels)
            before, after, labels = (self.position(part) for part in (before, after, labels))
            classes = int(max(np.fmax.reduce(part, axis=None, initial=0) for part in (labels, before, after))) + 1
            if classes > self.cube.sizes["true_class"]:
                raise InputError(
                    f"class {classes - 1} among labels or predictions{cell_name(self.cube['prediction'], at)}, "
                    f"but the matrices have {self.cube.sizes['true_class']} classes"
                )
            counts = array.fold_counts(labels, before, after, fold_of, classes=classes, folds=self.folds)
            self._check(at, counts)
            yield at, counts

    def _read(self, name: str, at: Index) -> np.ndarray[Any, Any]:
        """Values of a variable that belong to a block: dimensions that the block keeps first, images last."""
        where, variable = self._where(name, at), self.cube[name].variable
        if name not in self.kept or self.kept[name][0] != where:
            whole = {dim: i for dim, i in zip(self.leading, at, strict=False) if dim in variable.dims}
            values = variable.isel(whole).transpose(..., SAMPLE).values
            self.kept[name] = (where, values)
        return self.kept[name][1]

    def _where(self, name: str, at: Index) -> Index:
        """Integer places of a variable that belong to a block, -1 for a dimension that stays whole."""
        own = self.cube[name].dims
        places = zip(self.leading, at, strict=False)
        return tuple(-1 if isinstance(i, slice) else int(i) for dim, i in places if dim in own)

    def _folds(self, at: Index, labels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        where = self._where("label", at)
        if self.fold_of is None or self.fold_of[0] != where:
            name = ""
            if "dataset" in self.cube["label"].dims:
                name = str(self.cube["dataset"].values[at[self.leading.index("dataset")]])
            generator = stream(self.seed, f"folds/{name}")
            # by the stored label: the folds stay as they are when the class axis is put in another order
            rank = np.unique(labels, return_inverse=True)[1]
            self.fold_of = (where, array.stratified_folds(rank, folds=self.folds, generator=generator))
        return self.fold_of[1]

    def _check(self, at: Index, counts: array.FoldCounts) -> None:
        """Compare predictions and matrices where a test set comes up first: they are stored apart."""
        where = self._where("label", at)
        if where in self.checked or "confusion" not in self.cube:
            return
        self.checked.add(where)
        places = dict(zip(self.leading, at, strict=False))
        for name, found in (("confusion", counts.correct_after), ("confusion_dense", counts.correct_before)):
            if name not in self.cube:
                continue
            matrix = self.cube[name].variable
            own = matrix.isel({dim: i for dim, i in places.items() if dim in matrix.dims})
            order = [dim for dim in self.leading if dim in own.dims]
            stored = own.transpose(*order, "true_class", "predicted_class").values
            right = np.diagonal(stored, axis1=-2, axis2=-1)[..., : found.shape[-1]]
            total = found.sum(axis=-2)
            # a class without images is NaN or 0 in the matrix
            known = ~np.isnan(total).any(axis=-1, keepdims=True) & ~np.isnan(right).all(axis=-1, keepdims=True)
            if (known & (np.nan_to_num(right) != np.nan_to_num(total))).any():
                cell = cell_name(self.cube["prediction"], at)
                raise InputError(
                    f"{name} and predictions{cell} contradict each other: {np.nansum(np.where(known, total, 0)):g} "
                    f"images are predicted right, {np.nansum(np.where(known, right, 0)):g} lie on the diagonal"
                )


def _positions(cube: xr.Dataset) -> Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]:
    """Return how a stored class becomes a place on the class axes: by its label if labels are whole numbers."""
    labels = cube["true_class"].values if "true_class" in cube.coords else np.arange(cube.sizes["true_class"])
    if labels.dtype.kind not in "iu" or np.array_equal(labels, np.arange(labels.size)):
        return lambda values: values
    order = np.argsort(labels)

    def place(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        at = np.minimum(np.searchsorted(labels[order], values), labels.size - 1)
        unknown = (labels[order][at] != values) & ~np.isnan(values)
        if unknown.any():
            raise InputError(f"class {values[unknown][0]:g} among labels or predictions is not on true_class")
        return np.where(np.isnan(values), np.nan, order[at])

    return place


def _accepted(leading: list[str]) -> str:
    return f"accepted are {SAMPLE} and those of prediction: {', '.join(leading)}"
