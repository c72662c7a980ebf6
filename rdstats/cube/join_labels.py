"""The labels of a cube that is merged of several, and where the labels of each are among them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from rdstats.cube import schema
from rdstats.errors import InputError

Labels = dict[str, list[Any]]
Places = dict[str, NDArray[np.int64]]


def join_labels(cubes: Sequence[xr.Dataset], names: Sequence[str]) -> Labels:
    """Return the labels of every dimension: those of the first cube, then what the others have more, in their order.

    Ratios ascend.  A dimension without labels counts as 0, 1, ...

    Raises
    ------
    InputError
        Numbers as labels in one cube and text in another, or a variable that lacks a dimension in one of them.
    """
    _check_dimensions(cubes, names)
    labels: Labels = {}
    whose: dict[str, tuple[str, bool]] = {}
    for cube, name in zip(cubes, names, strict=True):
        for dim in map(str, cube.dims):
            own = cube[dim].values.tolist()
            labels.setdefault(dim, [])
            if not own:
                continue
            is_text = isinstance(own[0], str)
            other, was_text = whose.setdefault(dim, (name, is_text))
            if is_text != was_text:
                kinds = ("text", "numbers") if was_text else ("numbers", "text")
                raise InputError(f"labels of dimension {dim} are {kinds[0]} in {other} and {kinds[1]} in {name}")
            labels[dim] = list(dict.fromkeys([*labels[dim], *own]))
    if "ratio" in labels:
        labels["ratio"] = sorted(labels["ratio"])
    return labels


def places(cube: xr.Dataset, labels: Labels) -> Places:
    """Return the position of every label of a cube among those of the merged one."""
    index = {dim: {label: i for i, label in enumerate(all_of_them)} for dim, all_of_them in labels.items()}
    return {
        dim: np.array([index[dim][label] for label in cube[dim].values.tolist()], np.int64)
        for dim in map(str, cube.dims)
    }


def _check_dimensions(cubes: Sequence[xr.Dataset], names: Sequence[str]) -> None:
    seen: dict[str, tuple[str, tuple[str, ...]]] = {}
    for cube, name in zip(cubes, names, strict=True):
        for variable in map(str, cube.data_vars):
            own = tuple(map(str, cube[variable].dims))
            other, dims = seen.setdefault(variable, (name, own))
            for dim in dims:
                if dim not in own:
                    raise InputError(_lacks(variable, dim, name, other))
            for dim in own:
                if dim not in dims:
                    raise InputError(_lacks(variable, dim, other, name))


def _lacks(variable: str, dim: str, one: str, other: str) -> str:
    # which methods share a dense network is known to the cells alone
    remedy = "; merge their run directories" if dim == "method" else ""
    return f"{variable} has no dimension {dim} in {one}, as it has in {other}{remedy}"


def check_classes(cubes: Sequence[xr.Dataset], names: Sequence[str]) -> None:
    """Refuse cubes of different numbers of classes where nothing says that this is padding.

    It is where each dataset says its number of classes, or where no dataset is in two of the cubes.
    """
    for i, cube in enumerate(cubes):
        for other, name in zip(cubes[:i], names[:i], strict=True):
            told = "n_classes" in cube and "n_classes" in other and "dataset" in cube["n_classes"].dims
            if told or cube.sizes["true_class"] == other.sizes["true_class"]:
                continue
            if "dataset" not in cube.dims or "dataset" not in other.dims:
                which = "and no dimension dataset"
            elif shared := [one for one in cube["dataset"].values.tolist() if one in other["dataset"].values.tolist()]:
                which = f"of dataset {shared[0]}"
            else:
                continue
            raise InputError(
                f"{name} has {other.sizes['true_class']} classes {which}, {names[i]} {cube.sizes['true_class']}"
            )


def where(dims: Sequence[str], labels: Labels, index: Sequence[int]) -> str:
    """Return ``seed 3, dataset digits, ratio 4``, an empty text without dimensions."""
    parts = [(dim, labels[dim][i]) for dim, i in zip(dims, index, strict=True)]
    return ", ".join(f"{dim} {label:g}" if isinstance(label, float) else f"{dim} {label}" for dim, label in parts)


def value_dims(dims: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Return the dimensions along which a cell has several values; the others say which cell it is.

    Parameters
    ----------
    dims : those of the matrices; where they have ``layer``, cells differ in it.
    """
    return (*schema.CORE, "sample", *(() if any("layer" in own for own in dims) else ("layer",)))
