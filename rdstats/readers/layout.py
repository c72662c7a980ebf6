"""Which networks are before compression, which after, and along which dimensions they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rdstats.cube.schema import CELL
from rdstats.errors import InputError, nearest, one_of
from rdstats.readers.networks import Network, cell_text
from rdstats.readers.roles import BEFORE
from rdstats.readers.values import in_order, is_whole, shown

Key = tuple[Any, ...]


@dataclass
class Layout:
    """Networks in their places: cells by the labels of `dims` (after) and `dims_dense` (before)."""

    dims: tuple[str, ...]
    dims_dense: tuple[str, ...]
    coords: dict[str, list[Any]]
    after: dict[Key, Network]
    before: dict[Key, Network]
    told_by: str

    def before_of(self, key: Key) -> Network | None:
        """Return the network before compression of a cell."""
        labels = dict(zip(self.dims, key, strict=True))
        return self.before.get(tuple(labels[dim] for dim in self.dims_dense))


def lay_out(networks: Sequence[Network], before: str | None) -> Layout:
    """Sort networks into before and after, and find their dimensions.

    Raises
    ------
    InputError
        Nothing, or everything, is before compression; a label that is missing; two networks in one place.
    """
    told_by = _tell_stages(networks, before)
    _name_models(networks)
    dense = [one for one in networks if one.stage == "before"]
    after = [one for one in networks if one.stage == "after"]
    if not after:
        raise InputError(f"every network is before compression ({told_by}); at least one after it is accepted")
    names = dict.fromkeys(name for one in after for name in one.where)
    dims = (*(d for d in CELL if d in names), *(d for d in names if d not in CELL))
    places = _placed(after, dims)
    dims_dense = _dense_dims(dense, after, dims)
    cells = _placed(dense, dims_dense)
    return Layout(dims, dims_dense, _coords(dims, places, dims_dense, cells), places, cells, told_by)


def _tell_stages(networks: Sequence[Network], before: str | None) -> str:
    """Give every network a stage; return what told it."""
    told = [one for one in networks if one.stage is not None]
    open_ones = [one for one in networks if one.stage is None]
    if before is not None:
        wanted = before.lower()
        matching = [one for one in open_ones if wanted in (_method(one).lower(), one.model.lower())]
        if not matching:
            known = list(dict.fromkeys(name for one in networks for name in (_method(one), one.model) if name))
            there = one_of(map(shown, known[:10])) or "no names"
            raise InputError(f"--before {shown(before)}{nearest(before, known)}: no such network; there are {there}")
        by = f"--before {before}"
    else:
        matching = [one for one in open_ones if {_method(one).lower(), one.model.lower()} & set(BEFORE)]
        by = "the name " + one_of(dict.fromkeys(shown(_method(one) or one.model) for one in matching))
        if not matching and not any(one.stage == "before" for one in told):
            matching = [one for one in open_ones if one.where.get("ratio") == 1 and not _is_control(one)]
            by = "ratio 1"
    for one in open_ones:
        one.stage = "before" if any(one is other for other in matching) else "after"
    if not any(one.stage == "before" for one in networks):
        known = list(dict.fromkeys(name for one in networks for name in (_method(one), one.model) if name))
        among = f" (networks: {one_of(known[:8])})" if known else ""
        raise InputError(
            f"nothing says which network is before compression{among}: --before NAME, a column 'stage' of before and "
            f"after, a network called {one_of(BEFORE[:2])} or ratio 1 is accepted"
        )
    return by if matching else "stage"


def _method(network: Network) -> str:
    return str(network.where.get("method", ""))


def _is_control(network: Network) -> bool:
    return _method(network).split("-")[0] == "sham"


def _name_models(networks: Sequence[Network]) -> None:
    """Make the name of a model the label of its method, where nothing else is."""
    after = [one for one in networks if one.stage == "after"]
    models = list(dict.fromkeys(one.model for one in after))
    plain = len(models) == 1 and models[0].lower() in ("", "after")
    for one in after:
        if plain or not one.model:
            continue
        if "method" in one.where:
            if len(models) > 1:
                raise InputError(
                    f"{one.origin}: {one_of(map(shown, models[:5]))} and a column of methods could both be the method; "
                    "--pattern says what the names mean"
                )
            continue
        one.where["method"] = one.model


def _placed(networks: Sequence[Network], dims: tuple[str, ...]) -> dict[Key, Network]:
    places: dict[Key, Network] = {}
    for one in networks:
        absent = [dim for dim in dims if dim not in one.where]
        if absent:
            raise InputError(f"{one.origin}: no {absent[0]} for this network ({cell_text(one.where)}), as others have")
        key = tuple(one.where[dim] for dim in dims)
        if key in places and one.stage == "before" and _same(places[key], one):
            continue
        if key in places:
            where = cell_text(dict(zip(dims, key, strict=True)))
            stage = f"two networks {one.stage} compression{f' at {where}' if where else ''}"
            raise InputError(
                f"{stage}: {places[key].origin}{_called(places[key])}, and {one.origin}{_called(one)}; "
                "a column or pattern that tells them apart is accepted"
            )
        places[key] = one
    return places


def _called(network: Network) -> str:
    return f" ({network.model})" if network.model else ""


def _dense_dims(dense: Sequence[Network], after: Sequence[Network], dims: tuple[str, ...]) -> tuple[str, ...]:
    """Return the dimensions that tell networks before compression apart; method and ratio only where they must."""
    kept = [dim for dim in dims if any(dim in one.where for one in dense)]
    if "dataset" in dims and "dataset" not in kept:
        raise InputError(f"{dense[0].origin}: no dataset for the network before compression, as those after it have")
    for dim in ("ratio", "method"):
        if dim not in kept:
            continue
        rest = [other for other in kept if other != dim]
        labels = {one.where.get(dim) for one in dense}
        if not labels <= {one.where[dim] for one in after} or _redundant(dense, rest):
            kept = rest
    return tuple(kept)


def _redundant(dense: Sequence[Network], dims: Sequence[str]) -> bool:
    """Return whether networks that agree in `dims` are one and the same."""
    first: dict[Key, Network] = {}
    return all(_same(first.setdefault(tuple(one.where.get(d) for d in dims), one), one) for one in dense)


def _same(one: Network, other: Network) -> bool:
    if one is other:
        return True
    if one.classes is not other.classes or not np.array_equal(one.counts, other.counts):
        return False
    if one.examples is None or other.examples is None:
        return one.examples is other.examples
    return np.array_equal(one.examples.predicted, other.examples.predicted)


def _coords(
    dims: tuple[str, ...], after: dict[Key, Network], dims_dense: tuple[str, ...], before: dict[Key, Network]
) -> dict[str, list[Any]]:
    coords: dict[str, list[Any]] = {}
    for i, dim in enumerate(dims):
        labels = [key[i] for key in after]
        if dim in dims_dense and dim not in ("method", "ratio"):
            labels += [key[dims_dense.index(dim)] for key in before]
        found = list(dict.fromkeys(labels))
        if dim == "ratio":
            coords[dim] = sorted(found)
        elif dim not in CELL or dim == "seed":
            coords[dim] = in_order(found) if all(map(is_whole, found)) else found
        else:
            coords[dim] = found
    return coords


def stored(dim: str, labels: Sequence[Any]) -> list[Any]:
    """Return labels as the cube stores them: numbers for ratios, and for seeds and own dimensions that are numbers."""
    if dim == "ratio":
        return [float(label) for label in labels]
    if dim == "seed" or dim not in CELL:
        return [int(label) for label in labels] if all(is_whole(str(label)) for label in labels) else list(labels)
    return list(labels)
