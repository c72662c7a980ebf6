"""What the operators of a training step cost: time by group, floating-point operations, bytes read and written."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

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
    (ELEMENTWISE, r"\b(relu|threshold|clamp|clamp_min|add|mul|sub|div|sum|copy|clone|fill|zero|pad|constant_pad_nd|cat"
                  r"|slice|slice_backward|to|_to_copy|contiguous|constant_pad|hardtanh|where|lerp)(_backward)?_?\b"),
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
        from torch.optim import optimizer as hooks

        def begin(*_: Any) -> None:
            self.scope = OPTIMIZER

        def end(*_: Any) -> None:
            self.scope = ""

        handles = hooks.register_optimizer_step_pre_hook(begin), hooks.register_optimizer_step_post_hook(end)
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def times(events: Any) -> tuple[Counter[str], dict[str, Counter[str]]]:
    """Return the seconds of the operators in a profile by group, and within groups by operator.

    An operator counts for the outermost one that called it and is of a known group, or for the scope that it is in.
    What is no operator (the scopes themselves, the nodes of autograd) counts nowhere.
    """
    total: Counter[str] = Counter()
    by_name: dict[str, Counter[str]] = {group: Counter() for group in GROUPS}
    for event in events:
        if "::" not in event.name or event.name.startswith(("autograd::", "torch::autograd")):
            continue
        group, top = _group_within(event)
        total[group] += event.self_cpu_time_total / 1e6
        by_name[group][top] += event.self_cpu_time_total / 1e6
    return total, by_name


def _group_within(event: Any) -> tuple[str, str]:
    """Return the group of an event, and the operator by which it is in that group."""
    found = OTHER, event.name.rpartition("::")[2]
    at = event
    while at is not None:
        name = at.name
        if name == DATA_SCOPE or name.startswith(OPTIMIZER_SCOPE):
            return (DATA if name == DATA_SCOPE else OPTIMIZER), event.name.rpartition("::")[2]
        if "::" in name and not name.startswith(("autograd::", "torch::autograd")) and group_of(name) != OTHER:
            found = group_of(name), name.rpartition("::")[2]
        at = at.cpu_parent
    return found


def profile(function: Callable[[], object]) -> tuple[float, Any]:
    """Return the seconds of a call and the events that the profiler has seen in it."""
    import time

    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiler

    with profiler(activities=[ProfilerActivity.CPU]) as seen:
        begun = time.perf_counter()
        function()
        wall = time.perf_counter() - begun
    return wall, seen.events()
