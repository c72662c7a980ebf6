"""What the predictions of two networks on the same examples add to their matrices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdstats.errors import InputError
from rdstats.readers.layout import Key, Layout
from rdstats.readers.networks import Examples, Network, cell_text
from rdstats.readers.values import shown

Codes = NDArray[Any]


@dataclass
class Paired:
    """Examples by cell, with labels that belong to `label_dims`; `why` says why there are none."""

    label_dims: tuple[str, ...] = ()
    labels: dict[Key, Codes] | None = None
    both_correct: dict[Key, Codes] | None = None
    why: str = ""


def pair(layout: Layout, final: Mapping[int, Codes]) -> Paired:
    """Pair the examples of networks before and after, by their names or, without names, by their order.

    Parameters
    ----------
    final : number of a class in the cube by its number in a table (by the table's identity).
    """
    networks = [*layout.after.values(), *layout.before.values()]
    if any(one.examples is None for one in networks):
        kept = any(one.examples is not None for one in networks)
        return Paired(why="only some networks have predictions" if kept else "the files hold counts")
    both: dict[Key, Codes] = {}
    for key, one in layout.after.items():
        before = layout.before_of(key)
        if before is None:
            continue
        why = _mismatch(before, one, cell_text(dict(zip(layout.dims, key, strict=True))))
        if why:
            return Paired(why=why)
        both[key] = _both_correct(before, one, final)
    shared = tuple(dim for dim in layout.dims_dense if dim == "dataset")
    for dims in dict.fromkeys((shared, layout.dims_dense)):
        labels = _labels(layout, dims, final)
        if labels is not None:
            return Paired(dims, labels, both)
    return Paired(both_correct=both, why="networks of one test set have their examples in different orders")


def _examples(network: Network) -> Examples:
    if network.examples is None:
        raise ValueError("no examples")
    return network.examples


def _mismatch(before: Network, after: Network, where: str) -> str:
    """Return why two networks are no pairs of predictions, "" if they are.

    Raises
    ------
    InputError
        Examples have names, and one is missing on one side, or has two labels.
    """
    one, other = _examples(before), _examples(after)
    if one.ids is not None and other.ids is not None and not np.array_equal(one.ids, other.ids):
        n = len(np.setxor1d(one.ids, other.ids))
        at = f" at {where}" if where else ""
        raise InputError(
            f"{after.origin}: {n} examples{at} are in only one of the networks before and after compression; "
            "a pair needs one test set"
        )
    if len(one.true) == len(other.true) and np.array_equal(one.true, other.true):
        return ""
    if one.ids is not None and other.ids is not None:
        n = int((one.true != other.true).sum())
        raise InputError(
            f"{after.origin}: {n} examples have other labels than in {before.origin}; a pair needs one test set"
        )
    return f"examples before and after compression{f' at {where}' if where else ''} are not in one order"


def _both_correct(before: Network, after: Network, final: Mapping[int, Codes]) -> Codes:
    one, other = _examples(before), _examples(after)
    right = (one.predicted == one.true) & (other.predicted == other.true)
    place = final[id(after.classes)]
    counts = np.zeros(int(place.max(initial=-1)) + 1, np.int64)
    np.add.at(counts, place[one.true[right]], 1)
    return counts


def _labels(layout: Layout, dims: tuple[str, ...], final: Mapping[int, Codes]) -> dict[Key, Codes] | None:
    """Return the labels by cell of `dims`, None where networks of one such cell have different ones."""
    found: dict[Key, Codes] = {}
    ids: dict[Key, Codes | None] = {}
    for own, cells in ((layout.dims, layout.after), (layout.dims_dense, layout.before)):
        for key, network in cells.items():
            labels = dict(zip(own, key, strict=True))
            if any(dim not in labels for dim in dims):
                return None
            place, examples = tuple(labels[dim] for dim in dims), _examples(network)
            true = final[id(network.classes)][examples.true].astype(np.uint16)
            if place in found:
                known = ids[place]
                same_ids = known is None or examples.ids is None or np.array_equal(known, examples.ids)
                if not (same_ids and np.array_equal(found[place], true)):
                    return None
            found.setdefault(place, true)
            ids.setdefault(place, examples.ids)
    return found


def check_plausible(networks: Iterable[Network]) -> None:
    """Refuse predictions that have no class in common with the labels: another column was meant."""
    columns: dict[Any, tuple[Network, Codes]] = {}
    for one in networks:
        key = (id(one.classes), one.model, one.where.get("method"))
        columns[key] = (one, one.counts + (columns[key][1] if key in columns else 0))
    for network, n in columns.values():
        if n.size and n.sum() and not (n.sum(axis=0) * n.sum(axis=1)).any():
            names = network.classes.names
            labels = [names[i] for i in np.flatnonzero(n.sum(axis=1))[:3]]
            predicted = [names[i] for i in np.flatnonzero(n.sum(axis=0))[:3]]
            raise InputError(
                f"{network.origin}{f' ({network.model})' if network.model else ''}: labels such as "
                f"{', '.join(map(shown, labels))} and predictions such as {', '.join(map(shown, predicted))} have no "
                "class in common: is this the column of predictions?"
            )
