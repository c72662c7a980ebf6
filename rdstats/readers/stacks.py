"""Networks of arrays: stacks of confusion matrices, or labels with predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdstats.errors import InputError, one_of
from rdstats.readers.networks import MOST_CLASSES, MOST_COUNTS, ClassTable, Found, Network
from rdstats.readers.options import Options
from rdstats.readers.roles import AFTER, BEFORE, find_roles
from rdstats.readers.table import Chunk, coded
from rdstats.readers.values import LARGEST_COUNT, Unreadable, dim_label, label_text, shown

CLASS_NAMES = ("class_names", "classes", "class_name", "labels", "label_names")
BEFORE_NAMES, AFTER_NAMES = ("confusion_dense", *BEFORE), ("confusion", *AFTER)
Arrays = Mapping[str, NDArray[Any]]


def matrices_of(source: str, name: str, array: NDArray[Any]) -> NDArray[np.int64]:
    """Return a stack of confusion matrices `(..., C, C)` as whole counts, refusing everything else."""
    what = f"{source}: array {shown(name)}" if name else source
    if array.ndim < 2 or array.shape[-1] != array.shape[-2]:
        raise InputError(f"{what} has shape {array.shape}; square matrices (..., C, C) are accepted")
    if not 2 <= array.shape[-1] <= MOST_CLASSES or array.size > MOST_COUNTS:
        raise InputError(f"{what} has shape {array.shape}; 2 to {MOST_CLASSES} classes and 2 GiB are accepted")
    if array.dtype.kind not in "iufb":
        raise InputError(f"{what} holds {array.dtype}; counts are accepted")
    with np.errstate(invalid="ignore"):
        wrong = ~((array >= 0) & (array <= LARGEST_COUNT) & (array == np.floor(array)))
    empty = np.isnan(array).all(axis=(-2, -1)) if array.dtype.kind == "f" else np.zeros(array.shape[:-2], bool)
    wrong &= ~empty[..., None, None]
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise InputError(
            f"{what}: {array[at]} at {list(at)}; whole numbers from 0 to {LARGEST_COUNT} are accepted "
            "(a missing matrix: all NaN; normalised matrices are none)"
        )
    result = np.where(wrong | empty[..., None, None], 0, array).astype(np.int64)
    result[empty] = -1
    refuse_margins(what, result)
    return result


def refuse_margins(what: str, counts: NDArray[Any]) -> None:
    """Raise `InputError` where the last row and column of a matrix are the sums of the others: they are no class."""
    if counts.ndim != 2 or min(counts.shape) < 3:
        return
    inner = counts[:-1, :-1]
    if inner.sum() and np.array_equal(counts[-1, :-1], inner.sum(0)) and np.array_equal(counts[:-1, -1], inner.sum(1)):
        raise InputError(f"{what}: the last row and column are the sums of the others; leave them out")


def number_classes(
    table: ClassTable, names: Sequence[str], source: str, *, is_true: bool = True
) -> NDArray[np.int64]:
    """Return the number in a table of every class on the rows of a matrix, or on its columns."""
    if len(set(names)) < len(names):
        twice = next(name for name in names if list(names).count(name) > 1)
        raise InputError(f"{source}: class {shown(twice)} is there twice")
    places = [table.number(name, is_true=is_true) for name in names]
    for name, place in zip(names, places, strict=True):
        if place is None:
            where = table.first.get(name, f"{source}: ")
            raise InputError(f"{where}{table.refusal(name, is_true=is_true)}")
    return np.array(places, np.int64)


def network_of(
    matrix: NDArray[np.int64], places: NDArray[np.int64], table: ClassTable, across: Any = None, **about: Any
) -> Network:
    """Return the network of one matrix whose rows, and columns if not `across`, are the classes at `places`."""
    columns = places if across is None else across
    n = int(max(places.max(), columns.max())) + 1
    plain = np.arange(n)
    if np.array_equal(places, plain) and np.array_equal(columns, plain):
        return Network(counts=matrix, classes=table, **about)
    counts = np.zeros((n, n), np.int64)
    np.add.at(counts, (places[:, None], columns[None, :]), matrix)
    return Network(counts=counts, classes=table, **about)


def class_texts(source: str, values: Sequence[Any], n: int) -> list[str]:
    """Return the names of n classes."""
    if len(values) != n:
        raise InputError(f"{source}: {len(values)} names of classes for {n} classes")
    found: list[str] = []
    for value in values:
        try:
            text = label_text(value)
        except Unreadable as error:
            raise InputError(f"{source}: class {shown(value)}; {error}") from None
        found.append(str(len(found)) if text is None else text)
    return found


def stack_networks(
    source: str, name: str, array: NDArray[Any], options: Options, tables: Any, own: Mapping[str, Any]
) -> list[Network]:
    """Return the networks of a stack of matrices; `own` has labels of dimensions and ``class_names`` of the file."""
    stack = matrices_of(source, name, array)
    what = f"{source}: array {shown(name)}" if name else source
    dims = _axes(what, stack.ndim - 2, name, options)
    labels = [_labels(what, dim, n, options, own) for dim, n in zip(dims, stack.shape[:-2], strict=True)]
    n_classes = stack.shape[-1]
    given = own.get("class_names")
    names = list(options.classes or ()) if given is None and options.classes is not None else given
    texts = class_texts(what, names if names is not None else range(n_classes), n_classes)
    stage = "before" if name.lower() in BEFORE_NAMES else "after" if name.lower() in AFTER_NAMES else None
    networks = []
    for index in np.ndindex(*stack.shape[:-2]):
        if stack[index].flat[0] < 0:
            continue
        where = {dim: labels[i][at] for i, (dim, at) in enumerate(zip(dims, index, strict=True))}
        own_stage = str(where.pop("stage")) if "stage" in where else stage
        table = tables(str(where.get("dataset", "")))
        places = number_classes(table, texts, what)
        model = "" if name.lower() in ("after", "confusion", "confusion_dense") else name
        about = {"where": where, "stage": own_stage, "model": model, "origin": f"{what}{list(index) if index else ''}"}
        networks.append(network_of(stack[index], places, table, **about))
    return networks


def _axes(what: str, n: int, name: str, options: Options) -> tuple[str, ...]:
    dims = options.dims
    if len(dims) == n:
        return dims
    shared = tuple(dim for dim in dims if dim not in ("method", "ratio"))
    if dims and len(shared) == n and name.lower() in BEFORE_NAMES:
        return shared
    told = f", --dims names {len(dims)}: {one_of(dims)}" if dims else "; name them in order: --dims seed,method,ratio"
    raise InputError(f"{what} has {n} axes before the two of the matrix{told}")


def _labels(what: str, dim: str, n: int, options: Options, own: Mapping[str, Any]) -> list[Any]:
    given = options.coords.get(dim, own.get(dim))
    if given is None and dim == "stage" and n == 2:
        given = ["before", "after"]
    if given is None and dim == "ratio":
        raise InputError(f"{what}: the axis ratio has no labels; give them with --coords ratio=1,2,4")
    values = list(range(n)) if given is None else list(given)
    if len(values) != n:
        raise InputError(f"{what}: {len(values)} labels of {dim} for an axis of {n}")
    found = []
    for value in values:
        try:
            label = dim_label(dim, value)
        except Unreadable as error:
            raise InputError(f"{what}: {dim} {shown(value)}; {error}") from None
        if label is None or label in found:
            raise InputError(f"{what}: {dim} has {'no label' if label is None else 'twice ' + shown(label)}")
        if dim == "stage" and label not in ("before", "after"):
            raise InputError(f"{what}: stage {shown(label)}; before and after are accepted")
        found.append(label)
    return found


def archive_networks(
    source: str, arrays: Arrays, options: Options, tables: Any, collect: Any, model: str, where: Mapping[str, Any]
) -> Found:
    """Return the networks of the arrays of one file: matrices where there are square ones, else predictions."""
    small = {name: array for name, array in arrays.items() if array.ndim == 1}
    square = {
        name: array for name, array in arrays.items()
        if array.ndim >= 2 and array.shape[-1] == array.shape[-2] and array.dtype.kind in "iufb"
    }  # fmt: skip
    if square and not options.names_columns:
        own = {name: array.tolist() for name, array in small.items()}
        own["class_names"] = next((own[name] for name in CLASS_NAMES if name in own), None)
        networks: list[Network] = []
        for name, array in square.items():
            networks += stack_networks(source, name, array, options, tables, own)
        for one in networks:
            one.where = {**{dim: label for dim, label in where.items() if dim != "stage"}, **one.where}
            one.stage = one.stage or where.get("stage")
            one.model = one.model or ("" if where or one.stage else model)
        understood = [f"arrays: {one_of(map(shown, square))}"] if "" not in square else []
        return Found(networks, "confusion matrices", understood)
    return _predictions(source, arrays, options, collect, model, where)


def _predictions(
    source: str, arrays: Arrays, options: Options, collect: Any, model: str, where: Mapping[str, Any]
) -> Found:
    if list(arrays) == [""]:
        raise InputError(f"{source}: an array of shape {arrays[''].shape}; square matrices (..., C, C) are accepted")
    names = [name for name, array in arrays.items() if array.ndim == 1]
    if not names:
        shapes = one_of(f"{shown(name)} {array.shape}" for name, array in arrays.items())
        raise InputError(f"{source}: {shapes}; square matrices (..., C, C) or labels and predictions are accepted")
    roles = find_roles(source, names, options)
    columns = {}
    for name in roles.columns:
        array = arrays[name]
        if len(array) != len(arrays[roles.true]):
            raise InputError(
                f"{source}: {shown(name)} has {len(array)} values, {shown(roles.true)} {len(arrays[roles.true])}; "
                "one of each for every example is accepted"
            )
        if array.dtype.kind not in "iufbUS":
            raise InputError(f"{source}: array {shown(name)} holds {array.dtype}; labels are accepted")
        columns[name] = coded_array(array)
    if len(arrays[roles.true]):
        collect.add(Chunk(source, 1, columns), roles, where, model)
    return Found([], "one value an example", [])


def coded_array(array: NDArray[Any]) -> Any:
    """Return a NumPy array as a column."""
    import pandas as pd

    if array.dtype.kind in "US":
        return coded(array.tolist())
    codes, values = pd.factorize(array)
    from rdstats.readers.table import Column

    return Column(codes.astype(np.int64), values.tolist())
