"""What the operators of a training step cost: time by group, floating-point operations, bytes read and written."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.optim import optimizer as optimizers
from torch.profiler import ProfilerActivity
from torch.profiler import profile as profiler
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.common import clock

CONVOLUTION, PRODUCTS, NORM, POOLING = "convolution", "matrix products", "batch norm", "pooling"
LOSS, ELEMENTWISE, OPTIMIZER = "loss", "activations, sums, copies", "optimizer, masks"
DATA, OTHER = "images: gather, crop, normalise", "other operators"
GROUPS = (CONVOLUTION, PRODUCTS, NORM, POOLING, LOSS, ELEMENTWISE, OPTIMIZER, DATA, OTHER)
DATA_SCOPE, OPTIMIZER_SCOPE = "benchmark: data", "Optimizer."
"""How the profiler calls what fetches a batch (`marked`), and the optimizer's methods."""

_NAMES = (
    (OPTIMIZER, r"_foreach|_fused_sgd"),
    (NORM, r"batch_norm"),
    (CONVOLUTION, r"conv(olution)?(\d|_|\b)"),
    (POOLING, r"pool"),
    (LOSS, r"softmax|nll_loss|cross_entropy"),
    (PRODUCTS, r"\b(addmm|mm|bmm|matmul|linear|addmv|baddbmm)(_backward)?\b"),
    (ELEMENTWISE, r"\b(relu|threshold|clamp|clamp_min|add|mul|sub|div|sum|mean|copy|clone|fill|zero|pad|cat"
                  r"|slice|slice_backward|to|_to_copy|contiguous|constant_pad_nd|hardtanh|where|lerp)(_backward)?_?\b"),
)  # fmt: skip


def group_of(name: str) -> str:
    """Return the group of an operator by its name, ``aten::addmm``; `OTHER` if it is not known."""
    own = name.rpartition("::")[2]
    return next((group for group, pattern in _NAMES if re.search(pattern, own)), OTHER)


@contextmanager
def marked(cls: type, name: str, enter: Callable[[], Any]) -> Iterator[None]:
    """Let every item that the generator method `name` of a class yields be made within ``enter()``."""
    real = getattr(cls, name)

    def method(*args: Any, **kwargs: Any) -> Iterator[Any]:
        items = iter(real(*args, **kwargs))
        while True:
            with enter():
                item = next(items, None)
            if item is None:
                return
            yield item

    setattr(cls, name, method)
    try:
        yield
    finally:
        setattr(cls, name, real)


def flops(model: nn.Module, images: Tensor, labels: Tensor) -> dict[str, float]:
    """Return the floating-point operations of one forward and backward pass by group."""
    with FlopCounterMode(display=False) as counter:
        nn.functional.cross_entropy(model(images), labels).backward()
    model.zero_grad()
    found: Counter[str] = Counter()
    for operator, n in counter.get_flop_counts()["Global"].items():
        found[group_of(str(operator).replace(".", "::"))] += n
    return dict(found)


class Traffic(TorchDispatchMode):
    """Count bytes by group: every tensor that an operator is given or returns, once; views are none.

    That is what has to move between operators if nothing stays in a cache.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bytes: Counter[str] = Counter()
        self.scope = ""

    @contextmanager
    def within(self, group: str) -> Iterator[None]:
        """Count for `group`, whatever the operators are."""
        before, self.scope = self.scope, group
        try:
            yield
        finally:
            self.scope = before

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        returned = [one.alias_info for one in func._schema.returns]
        if not any(alias is not None and not alias.is_write for alias in returned):
            tensors = [one for one in tree_leaves((args, kwargs, out)) if isinstance(one, Tensor)]
            self.bytes[self.scope or group_of(func.name())] += sum(one.numel() * one.itemsize for one in tensors)
        return out

    @contextmanager
    def optimizer(self) -> Iterator[None]:
        """Count what optimizers do in their steps for `OPTIMIZER`."""

        def begin(*_: Any) -> None:
            self.scope = OPTIMIZER

        def end(*_: Any) -> None:
            self.scope = ""

        handles = optimizers.register_optimizer_step_pre_hook(begin), optimizers.register_optimizer_step_post_hook(end)
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


@dataclass(frozen=True)
class Profile:
    """Seconds of a call, on the wall and of the processor, and of its operators by group and name."""

    wall: float
    processor: float
    operators: dict[str, Counter[str]]

    def share(self, group: str) -> float:
        """Return the part of the time on the wall that a group's operators have."""
        return self.operators[group].total() / self.wall

    def largest(self, group: str, n: int = 3) -> list[str]:
        return [name for name, _ in self.operators[group].most_common(n)]


def profile(function: Callable[[], object]) -> Profile:
    """Return how long a call and its operators take under the profiler.

    An operator counts for the outermost one that called it and is of a known group, or for the scope that it is in.
    What is no operator (the scopes themselves, the nodes of autograd) counts nowhere.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # otherwise it writes to stderr that there is no GPU
    with profiler(activities=[ProfilerActivity.CPU]) as seen:
        took = clock(function)
    found: dict[str, Counter[str]] = {group: Counter() for group in GROUPS}
    for event in seen.events():
        if _is_operator(event.name):
            group, name = _group_within(event)
            found[group][name] += event.self_cpu_time_total / 1e6
    return Profile(took.wall, took.processor, found)


def _is_operator(name: str) -> bool:
    return "::" in name and not name.startswith(("autograd::", "torch::autograd"))


def _group_within(event: Any) -> tuple[str, str]:
    """Return the group of an event, and the operator by which it is in that group."""
    found = OTHER, event.name.rpartition("::")[2]
    at = event
    while at is not None:
        name = at.name
        if name == DATA_SCOPE or name.startswith(OPTIMIZER_SCOPE):
            return (DATA if name == DATA_SCOPE else OPTIMIZER), event.name.rpartition("::")[2]
        if _is_operator(name) and group_of(name) != OTHER:
            found = group_of(name), name.rpartition("::")[2]
        at = at.cpu_parent
    return found
