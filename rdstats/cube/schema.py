"""The confusion-matrix cube, schema version 1: its dimensions, its variables, and how each is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

SCHEMA_VERSION = 1
CONVENTIONS = "CF-1.11"

CELL = ("seed", "dataset", "arch", "method", "ratio")
DENSE = ("seed", "dataset", "arch")
CORE = ("true_class", "predicted_class")
TEXT_DIMS = ("dataset", "arch", "method", "layer")

MISSING, DONE, FAILED = 0, 1, 2
"""Values of `status`; a cell outside the grid has no status (NaN in memory).

Where there is a status it decides: counts and predictions of a compressed cell that is not done are not read.
"""


@dataclass(frozen=True)
class VariableSpec:
    """How one variable of the cube is named, shaped and stored.

    `kind` is ``count`` (int32, fill -1), ``class`` (smallest unsigned type, fill its maximum), ``float``
    (float64, fill NaN), ``flag`` (int8, fill -1) or ``text`` ("" for none).  A `volatile` variable tells
    the story of one run and is left out of the digest.
    """

    name: str
    dims: tuple[str, ...]
    kind: str
    long_name: str
    units: str = "1"
    volatile: bool = False

    @property
    def is_large(self) -> bool:
        """One cell is one chunk, written on its own and never held for all cells at once."""
        return "predicted_class" in self.dims or ("sample" in self.dims and self.name != "label")


_EPOCH = "seconds since 1970-01-01 00:00 UTC"
_SPECS = (
    VariableSpec("confusion_dense", (*DENSE, *CORE), "count", "test images by true and predicted class, dense"),
    VariableSpec("confusion", (*CELL, *CORE), "count", "test images by true and predicted class, compressed"),
    VariableSpec("confusion_last", (*CELL, *CORE), "count", "as confusion, with the network of the last epoch"),
    VariableSpec("prediction_dense", (*DENSE, "sample"), "class", "predicted class of each test image, dense"),
    VariableSpec("prediction", (*CELL, "sample"), "class", "predicted class of each test image, compressed"),
    VariableSpec("label", ("dataset", "sample"), "class", "true class of each test image"),
    VariableSpec("both_correct", (*CELL, "true_class"), "count", "test images that both networks get right"),
    VariableSpec("status", CELL, "flag", "state of the cell; no value: not part of the grid"),
    VariableSpec("achieved_ratio", CELL, "float", "all parameters over all that are not masked"),
    VariableSpec("target_ratio", CELL, "float", "ratio aimed at where it differs from the coordinate"),
    VariableSpec("kept_weights", (*CELL, "layer"), "count", "unmasked weights of a prunable layer"),
    VariableSpec("dense_id", DENSE, "text", "hash of the dense weights; equal where networks are paired"),
    VariableSpec("n_classes", ("dataset",), "count", "number of classes of the dataset"),
    VariableSpec("class_name", ("dataset", "true_class"), "text", "name of the class"),
    VariableSpec("kept_epoch", CELL, "count", "epoch with the lowest validation loss, from 1"),
    VariableSpec("val_loss", CELL, "float", "validation loss of the kept epoch", "nat"),
    VariableSpec("kept_epoch_dense", DENSE, "count", "epoch with the lowest validation loss, from 1, dense"),
    VariableSpec("val_loss_dense", DENSE, "float", "validation loss of the kept epoch, dense", "nat"),
    VariableSpec("seconds", CELL, "float", "wall-clock time of the cell", "s", volatile=True),
    VariableSpec("seconds_dense", DENSE, "float", "wall-clock time of the dense network", "s", volatile=True),
    *(
        VariableSpec(f"{when}{dense}", dims, "float", f"when the {at} {when}, {_EPOCH}", "s", volatile=True)
        for dense, dims, at in (("", CELL, "cell"), ("_dense", DENSE, "dense network"))
        for when in ("started", "ended")
    ),
)
VARIABLES: Mapping[str, VariableSpec] = {spec.name: spec for spec in _SPECS}

VOLATILE_ATTRS = frozenset({"provenance", "history"})
"""Global attributes about when and where a cube was made; the digest leaves them out."""

FILE_ATTRS = frozenset({"Conventions", "rd_schema_version"})
"""Global attributes that describe the file format and are written with every file."""


def class_dtype(n_classes: int) -> np.dtype[Any]:
    """Return the smallest unsigned type that holds `n_classes` classes and, as its maximum, "missing"."""
    for dtype in (np.uint8, np.uint16, np.uint32):
        if n_classes <= np.iinfo(dtype).max:
            return np.dtype(dtype)
    raise ValueError(f"{n_classes} classes do not fit a 32-bit class index")


def storage(spec: VariableSpec, n_classes: int) -> tuple[Any, Any]:
    """Return dtype and fill value of a variable on disk (text has no fill value)."""
    if spec.kind == "text":
        return str, None
    if spec.kind == "class":
        dtype = class_dtype(n_classes)
        return dtype, dtype.type(np.iinfo(dtype).max)
    code, fill = {"count": ("i4", -1), "flag": ("i1", -1), "float": ("f8", np.nan)}[spec.kind]
    return np.dtype(code), np.dtype(code).type(fill)


def attributes(spec: VariableSpec) -> dict[str, Any]:
    """Return the CF attributes of a variable."""
    attrs: dict[str, Any] = {"long_name": spec.long_name}
    if spec.kind in ("count", "float"):
        attrs["units"] = spec.units
    if spec.kind == "flag":
        attrs["flag_values"] = np.array([MISSING, DONE, FAILED], "i1")
        attrs["flag_meanings"] = "missing done failed"
    return attrs
