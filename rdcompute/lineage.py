"""Where networks come from: replicates that begin alike are none, and a pruned network needs its own dense one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rdcompute.plan import Cell, Plan
from rdcompute.rundir import RunDirectory
from rdcompute.streams import stream, torch_seed
from rdcompute.training_settings import n_epochs
from rdstats.errors import InputError

if TYPE_CHECKING:
    from torch import nn

FEWEST_IMAGES = 20
"""Orders of fewer images may be equal by chance: 20 images have 2.4e18."""

_SAME = {"init_id": "the same weights", "order_id": "the same order of images"}


def content_hash(state: dict[str, NDArray[Any]]) -> str:
    """Return the hash of a network's parameters and buffers: names, types, shapes and values."""
    sha = hashlib.sha256()
    for name in sorted(state):
        array = np.ascontiguousarray(state[name])
        sha.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        sha.update(array.tobytes())
    return sha.hexdigest()[:32]


def stream_name(cell: Cell, stage: str) -> str:
    """Return the name under which a training draws its orders and augmentations."""
    return f"{cell.seed}/{cell.dataset_label}/{cell.arch}/{stage}"


def initial_network(cell: Cell, n_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
    """Return the network that a dense cell begins with."""
    from rdcompute.models import build_model

    name = f"init/{cell.seed}/{cell.dataset_label}/{cell.arch}"
    return build_model(cell.arch, n_classes, image_shape, torch_seed(cell.root_seed, name))


def beginning(cell: Cell, network: nn.Module, n_train: int) -> dict[str, str]:
    """Return the hashes of a dense network's first weights and of the order of its first epoch.

    `order_id` is "" where there are too few training images for it to mean anything.
    """
    state = {name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()}
    order = stream(cell.root_seed, f"order/{stream_name(cell, 'dense')}/1").permutation(n_train)
    order_id = hashlib.sha256(order.astype("<i8").tobytes()).hexdigest()[:32] if n_train >= FEWEST_IMAGES else ""
    return {"init_id": content_hash(state), "order_id": order_id}


Identities = dict[str, dict[str, str]]
"""What finished cells say of themselves, by key; "" for none.

`init_id` and `order_id` of a dense network, `dense_id` of the dense network it is or comes from, `parent_id` of the
network it was made of, `own_id` of itself where it is not dense but others are made of it, `achieved_ratio` of a
compressed network, and `target_ratio`, that of the network it matches.
"""


def identities(cells: Iterable[Cell], run: RunDirectory) -> Identities:
    """Read what the finished cells among `cells` are, from their checked files; damaged ones are set aside."""
    found: Identities = {}
    for cell in cells:
        result = run.load(cell.key, only=())
        if result is not None:
            found[cell.key] = {name: str(result.meta.get(name, "")) for name in _NAMES}
    return found


_NAMES = ("init_id", "order_id", "dense_id", "parent_id", "own_id", "achieved_ratio", "target_ratio")


def check_replicates(plan: Plan, known: Identities, n_train: Callable[[Cell], int]) -> None:
    """Refuse two seeds whose dense networks begin with equal weights, or learn in the same order, at first.

    Finished networks say what they began with; the others are built for it here, before anything is trained.

    Parameters
    ----------
    known : finished cells.
    n_train : number of images that a cell trains on.

    Raises
    ------
    InputError
        Seeds that are one replicate under two names, as with an architecture that draws its own weights from a
        fixed seed.
    """
    seen: dict[tuple[str, str, str, str], int] = {}
    for cell in plan.cells:
        if not cell.is_dense:
            continue
        own = known.get(cell.key, {})
        if not own.get("init_id"):
            spec = plan.datasets[cell.dataset]
            network = initial_network(cell, spec.n_classes, spec.image_shape)
            own = beginning(cell, network, n_train(cell))
        for what, words in _SAME.items():
            if not own.get(what):
                continue
            other = seen.setdefault((cell.dataset_label, cell.arch, what, own[what]), cell.seed)
            if other != cell.seed:
                raise InputError(
                    f"{cell.dataset_label} {cell.arch}: seeds {other} and {cell.seed} begin with {words}, so they are "
                    "one replicate, not two; is the architecture built from its own seed?"
                )


def check_rewind_points(plan: Plan, n_train: Callable[[Cell], int]) -> None:
    """Refuse a rewind point that lies at the end of a training, or beyond: how long one is, its images decide.

    Raises
    ------
    InputError
        With the steps that there are.
    """
    for cell in plan.cells:
        rewind = getattr(cell.settings, "rewind_steps", 0)
        if not cell.is_dense or not rewind or cell.settings.unit == "steps":  # those are checked with the grid
            continue
        steps = n_epochs(cell.phases, cell.settings) * -(-n_train(cell) // cell.settings.batch_size)
        if rewind >= steps:
            raise InputError(
                f"{plan.grid.place('training', 'lth', 'rewind_steps')}training.lth: rewind_steps {rewind} leaves "
                f"nothing of train, which has {steps} steps for {cell.dataset_label} {cell.arch}"
            )


def orphans(cells: Iterable[Cell], known: Identities) -> list[Cell]:
    """Return the finished cells, parents before children, that were not made from the network that is there now.

    A network that was damaged and computed again, perhaps on another machine, may have other bits, and keep another
    number of weights than a cell that matches it.  What needs an orphan is one, too.

    Parameters
    ----------
    cells : whatever a cell needs comes before it.
    """
    found: dict[str, Cell] = {}
    for cell in cells:
        if cell.key in known and (
            any(other.key in found for other in cell.needs)
            or _was_made_of_another(cell, known)
            or _matched_another(cell, known)
        ):
            found[cell.key] = cell
    return list(found.values())


def _was_made_of_another(cell: Cell, known: Identities) -> bool:
    if cell.parent is None or cell.parent.key not in known:
        return False
    made_of, parent = known[cell.key]["parent_id"], known[cell.parent.key]
    return made_of not in ("", own_id_of(parent))


def _matched_another(cell: Cell, known: Identities) -> bool:
    if cell.match is None or cell.match.key not in known:
        return False
    return known[cell.key]["target_ratio"] != known[cell.match.key]["achieved_ratio"]


def own_id_of(meta: Mapping[str, Any]) -> str:
    """Return the hash of the network that a cell's result is, "" where none is made of it."""
    return str(meta.get("own_id") or ("" if meta.get("parent_id") else meta.get("dense_id")) or "")


def dense_id_of(meta: Mapping[str, Any], otherwise: str = "") -> str:
    """Return the hash of the dense network that a cell's result comes from in the end, if it says so."""
    return str(meta.get("dense_id") or meta.get("parent_id") or otherwise)
