"""Networks that were read, as a cube: in memory, in a file, and described in words."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from rdstats.cube.counts import check_counts
from rdstats.cube.schema import CORE, DONE, SCHEMA_VERSION, VARIABLES, class_dtype
from rdstats.cube.validate import validate
from rdstats.cube.write import CubeWriter
from rdstats.errors import InputError, one_of
from rdstats.readers.layout import Key, Layout, lay_out, stored
from rdstats.readers.networks import MOST_COUNTS, Found, Network
from rdstats.readers.options import Options
from rdstats.readers.pairs import Paired, check_plausible, pair
from rdstats.readers.values import shown

STORED = 100_000_000
"""Predictions up to this number are stored unless asked otherwise."""

Codes = NDArray[Any]
Values = Iterator[tuple[str, dict[str, Any], Any]]


@dataclass
class Imported:
    """What was read from files, laid out as a cube.

    Attributes
    ----------
    layout : networks before and after compression, dimensions and labels.
    classes : names of the classes by dataset ("" without that dimension), in the order of the cube.
    kind, understood, notes : how the files were read.
    paired : predictions, where networks were tested on the same examples.
    stores_predictions : whether the cube has them.
    attrs : attributes of the cube.
    """

    layout: Layout
    classes: dict[str, list[str]]
    kind: str
    understood: list[str]
    notes: list[str]
    paired: Paired
    stores_predictions: bool
    _final: Mapping[int, Codes]
    attrs: dict[str, Any] = field(default_factory=dict)

    @property
    def n_classes(self) -> int:
        """Number of classes of the dataset with most."""
        return max(map(len, self.classes.values()))

    def matrix(self, network: Network) -> NDArray[np.int64]:
        """Return the matrix of a network in the order of the classes of its dataset."""
        place = self._final[id(network.classes)]
        n = len(self.classes[str(network.where.get("dataset", ""))] if self._by_dataset else self.classes[""])
        result = np.zeros((n, n), np.int64)
        if len(np.unique(place)) == len(place):
            result[np.ix_(place, place)] = network.counts
        else:  # several classes become "other"
            np.add.at(result, (place[:, None], place[None, :]), network.counts)
        return result

    @property
    def _by_dataset(self) -> bool:
        return "dataset" in self.layout.dims

    def preview(self) -> str:
        """Return what was understood, in lines; see `rdstats.readers.preview`."""
        from rdstats.readers.preview import preview

        return preview(self)

    def coords(self) -> dict[str, Any]:
        """Return the labels of the cube."""
        result: dict[str, Any] = {dim: stored(dim, labels) for dim, labels in self.layout.coords.items()}
        result |= {dim: list(range(self.n_classes)) for dim in CORE}
        if self.stores_predictions and self.paired.labels:
            result["sample"] = max(map(len, self.paired.labels.values()))
        return result

    def dims(self) -> dict[str, tuple[str, ...]]:
        """Return the dimensions of every variable."""
        after, before = self.layout.dims, self.layout.dims_dense
        own: tuple[str, ...] = ("dataset",) if self._by_dataset else ()
        return {
            "confusion": (*after, *CORE), "confusion_dense": (*before, *CORE), "status": after,
            "both_correct": (*after, "true_class"), "class_name": (*own, "true_class"), "n_classes": own,
            "prediction": (*after, "sample"), "prediction_dense": (*before, "sample"),
            "label": (*self.paired.label_dims, "sample"),
        }  # fmt: skip

    def values(self) -> Values:
        """Yield every value of the cube: name of the variable, the cell it belongs to, and the array."""
        for dataset, names in self.classes.items():
            where = {"dataset": dataset} if self._by_dataset else {}
            yield "class_name", where, np.asarray(names, object)
            if self._by_dataset:
                yield "n_classes", where, len(names)
        for name, dims, cells in (
            ("confusion_dense", self.layout.dims_dense, self.layout.before),
            ("confusion", self.layout.dims, self.layout.after),
        ):
            for key, network in cells.items():
                where = self._where(dims, key)
                yield name, where, self.matrix(network)
                if name == "confusion" and dims:
                    yield "status", where, DONE
                if self.stores_predictions and network.examples is not None:
                    codes = self._final[id(network.classes)][network.examples.predicted]
                    yield name.replace("confusion", "prediction"), where, codes.astype(class_dtype(self.n_classes))
        for key, counts in (self.paired.both_correct or {}).items():
            yield "both_correct", self._where(self.layout.dims, key), counts
        if self.stores_predictions:
            for key, labels in (self.paired.labels or {}).items():
                yield "label", self._where(self.paired.label_dims, key), labels

    def _where(self, dims: tuple[str, ...], key: Key) -> dict[str, Any]:
        return {dim: stored_label(dim, self.layout.coords[dim], label) for dim, label in zip(dims, key, strict=True)}

    def cube(self) -> xr.Dataset:
        """Return the cube in memory; it equals what `save` writes."""
        coords, dims = self.coords(), self.dims()
        sizes = {dim: n if isinstance(n, int) else len(n) for dim, n in coords.items()}
        index = {dim: {label: i for i, label in enumerate(n)} for dim, n in coords.items() if not isinstance(n, int)}
        arrays: dict[str, Any] = {}
        for name, where, value in self.values():
            own = dims[name]
            if name not in arrays:
                shape = [sizes[dim] for dim in own]
                if int(np.prod(shape)) > MOST_COUNTS:
                    raise InputError(f"{name} of shape {tuple(shape)} takes over 2 GiB; save() writes cell by cell")
                arrays[name] = np.full(shape, "", object) if name == "class_name" else np.full(shape, np.nan)
            values = np.asarray(value)
            rest = iter(values.shape)
            place = tuple(index[dim][where[dim]] if dim in where else slice(0, next(rest)) for dim in own)
            arrays[name][place] = values
        labels = {dim: values for dim, values in coords.items() if dim != "sample"}
        data = {name: (dims[name], values) for name, values in arrays.items()}
        cube = xr.Dataset(data, labels, {"rd_schema_version": SCHEMA_VERSION, **self.attrs})
        validate(cube)
        return cube

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the cube cell by cell, whole or not at all."""
        coords = {dim: n if isinstance(n, int) else np.asarray(n) for dim, n in self.coords().items()}
        dims = {name: own for name, own in self.dims().items() if own != VARIABLES[name].dims}
        with CubeWriter(path, coords, dims=dims, attrs=self.attrs) as writer:
            for name, where, value in self.values():
                writer.put(where, **{name: value})


def stored_label(dim: str, labels: list[Any], label: Any) -> Any:
    """Return one label as the cube stores it."""
    return stored(dim, labels)[labels.index(label)]


def finish(found: Found, options: Options, attrs: Mapping[str, Any] | None = None) -> Imported:
    """Lay networks out and check them.

    Raises
    ------
    InputError
        No networks, no example in one of them, supports that differ before and after, or what `lay_out` refuses.
    """
    if not found.networks:
        raise InputError("no rows of data; a table with a header row and rows is accepted")
    if sum(one.counts.size for one in found.networks) > MOST_COUNTS:
        raise InputError(f"{len(found.networks)} matrices take more than 2 GiB; import fewer at a time")
    tables = {id(one.classes): one.classes for one in found.networks}
    for one in found.networks:
        one.pad()
    check_plausible(found.networks)
    classes: dict[str, list[str]] = {}
    final: dict[int, Codes] = {}
    for key, table in tables.items():
        own = [one for one in found.networks if id(one.classes) == key]
        names, final[key] = table.settle(np.any([one.counts.sum(axis=0) > 0 for one in own], axis=0))
        for one in own:
            classes.setdefault(str(one.where.get("dataset", "")), names)
    layout = lay_out(found.networks, options.before)
    if "dataset" not in layout.dims:
        classes = {"": next(iter(classes.values()))}
    if min(map(len, classes.values())) < 2:
        raise InputError(f"only one class, {shown(next(iter(classes.values()))[0])}; two or more are accepted")
    paired = pair(layout, final)
    n = sum(len(one.examples.true) for one in found.networks if one.examples is not None)
    stores = paired.labels is not None and (n <= STORED if options.predictions is None else options.predictions)
    if options.predictions and paired.labels is None:
        raise InputError(f"--predictions: there are none to store: {paired.why}")
    result = Imported(
        layout, classes, found.kind, found.understood, found.notes, paired, stores, final,
        {"title": "Confusion-matrix cube of imported results", "source": "import", **(attrs or {})},
    )  # fmt: skip
    _check_supports(result)
    return result


def _check_supports(imported: Imported) -> None:
    """Refuse pairs that were tested on different images, as every analysis would."""
    coords, n = imported.coords(), imported.n_classes
    data: dict[str, Any] = {}
    for suffix, dims, cells in (
        ("", imported.layout.dims, imported.layout.after),
        ("_dense", imported.layout.dims_dense, imported.layout.before),
    ):
        support = np.full([*(len(coords[dim]) for dim in dims), n], np.nan)
        for key, network in cells.items():
            place = tuple(imported.layout.coords[dim].index(label) for dim, label in zip(dims, key, strict=True))
            sums = imported.matrix(network).sum(axis=1)
            if not sums.any():
                raise InputError(f"{network.origin}: a network without any test image")
            support[place][: len(sums)] = sums
        data["support" + suffix] = ([*dims, "class"], support)
    labels = {dim: coords[dim] for dim in imported.layout.dims}
    names = next(iter(imported.classes.values()))
    unique = len(imported.classes) == 1
    counts = xr.Dataset(data, {**labels, "class": names if unique else np.arange(n)})
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        check_counts(counts, name="import")
    imported.notes.extend(str(one.message) for one in told)


def labels_text(dim: str, labels: list[Any]) -> str:
    """Return ``seed 3 (0, 1, 2)``."""
    texts = [f"{label:g}" if isinstance(label, float) else str(label) for label in labels[:8]]
    return f"{dim} {len(labels)} ({one_of(texts)}{', ...' if len(labels) > 8 else ''})"
