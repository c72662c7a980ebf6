"""A projection in words and in numbers."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rdcompute.grid import dataset_label
from rdcompute.projection.profile import FACTS, DeviceProfile

if TYPE_CHECKING:
    from rdcompute.projection.project import ProjectedNetwork, Projection

CAVEAT = (
    "projected, not measured: nobody has compared these figures with runs on that device; an error by a factor of 2 "
    "either way is to be expected"
)
CAVEAT_HERE = (
    "projected from operations timed one by one on this machine, not from training; within 30 % for LeNet, ResNet-20 "
    "and ResNet-56 where we compared (docs/projection.md)"
)
_LEGEND = {
    "launches": "the host starts kernels more slowly than the device ends them",
    "memory": "reading and writing what is computed",
    "arithmetic": "multiplying matrices",
    "latency": "kernels too short for anything else to count",
    "calls": "calling operations",
}


def describe_projection(found: Projection, width: int, tell: Callable[[float], str]) -> list[str]:
    """Return the lines of a projection, so many columns wide; `tell` makes words of seconds."""
    profile = found.profile
    what = f"{profile.device} ({profile.name})" if profile else "a core of this machine (cpu)"
    lines = ["", *_wrapped(f"projection: {what}", width), *_wrapped(CAVEAT if profile else CAVEAT_HERE, width)]
    if profile is not None:
        peaks = ", ".join(f"{value:g} {name}" for name, value in profile.peak_tflops.items())
        lines += _wrapped(f"figures: {peaks} TFLOP/s, {profile.memory_bandwidth_gb_per_s:,g} GB/s, "
                          f"{profile.memory_gb:g} GB; {profile.source}", width)  # fmt: skip
    lines += ["", *_table(found)]
    bounds = dict.fromkeys(network.step.bound for network in found.networks)
    lines += _wrapped("; ".join(f"{bound}: {_LEGEND[bound]}" for bound in bounds), width)
    if profile is not None:
        crowded = f"; ms/step and images/s of each of {found.per_device} workers" if found.per_device > 1 else ""
        precisions = ", ".join(sorted({one.precision for one in found.networks}))
        lines += _wrapped(
            f"training steps in {precisions}; device and host work side by side, so a step takes as long as the slower"
            + crowded, width
        )  # fmt: skip
    each = f", {found.per_device} workers on each" if found.per_device > 1 else ""
    unit = "cores" if profile is None else "devices"
    rows = [(unit, *map(str, found.wall)), ("time", *map(tell, found.wall.values()))]
    lines += ["", *_laid_out(rows, {0})]
    lines += _wrapped(f"the whole plan on so many {unit} of that kind{each}", width)
    if profile:
        lines += _crowd(found, width, tell)
        lines += ["assumed, and open to a profile of one's own (docs/projection.md):"]
        for name, value, meaning in assumptions(profile):
            lines += _wrapped(f"  {name} {_shown(value)}: {meaning}", width)
    else:
        lines += _wrapped(f"measured: {found.call_us:.3g} us to call an operation, and the rates of convolutions, "
                          "matrix products and what memory bounds (docs/projection.md)", width)  # fmt: skip
    return lines


def projection_record(found: Projection) -> dict[str, Any]:
    """Return a projection as plain data."""
    profile = found.profile
    return {
        "device": profile.name if profile else "cpu",
        "caveat": CAVEAT if profile else CAVEAT_HERE,
        "figures": {name: getattr(profile, name) for name in ("device", "source", *FACTS)} if profile else None,
        "assumptions": [
            {"name": name, "value": value, "meaning": meaning} for name, value, meaning in assumptions(profile)
        ] if profile else [],
        "call_us": found.call_us,
        "workers_per_device": found.per_device,
        "networks": [_record(one) for one in found.networks],
        "seconds_by_devices": [{"devices": n, "seconds": wall} for n, wall in found.wall.items()],
        "one_device": [asdict(crowd) for crowd in found.crowds],
        "suggested_workers_per_device": found.suggested.per_device if found.suggested else None,
    }  # fmt: skip


def assumptions(profile: DeviceProfile) -> list[tuple[str, Any, str]]:
    """Return name, value and meaning of all that a profile has beside the figures of a data sheet."""
    no_number = {"name", "device", "source", *FACTS}
    return [
        (name, getattr(profile, name), field.description or "")
        for name, field in DeviceProfile.model_fields.items() if name not in no_number
    ]  # fmt: skip


def _record(one: ProjectedNetwork) -> dict[str, Any]:
    step = one.step
    return {
        "dataset": dataset_label(one.network[0]), "network": one.network[1], "precision": one.precision,
        "batch": one.batch, "flops_a_step": one.flops, "bytes_a_step": one.n_bytes, "launches_a_step": step.n_launches,
        "step_seconds": one.step_seconds, "device_seconds": step.device, "host_seconds": step.host,
        "bound_by": step.bound, "device_shares": dict(step.shares),
        "images_per_second": one.images_per_second, "worker_memory_bytes": one.memory_bytes or None,
    }  # fmt: skip


def _table(found: Projection) -> list[str]:
    head = ("dataset", "arch", "ms/step", "device", "host", "bound by", "images/s")
    rows: list[tuple[str, ...]] = [head]
    for one in found.networks:
        step = one.step
        times = (_ms(one.step_seconds), _ms(step.device), _ms(step.host) if found.profile else "-")
        pace = f"{one.images_per_second:,.0f}"
        rows.append((dataset_label(one.network[0]), one.network[1], *times, step.bound, pace))
    return _laid_out(rows, {0, 1, 5})


def _ms(seconds: float) -> str:
    """Return milliseconds with three digits or more."""
    return f"{seconds * 1e3:,.0f}" if seconds >= 0.1 else f"{seconds * 1e3:.3g}"


def _laid_out(rows: Sequence[Sequence[str]], left: Collection[int]) -> list[str]:
    """Return rows as lines; the columns of `left` begin at the left, all others end at the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        [text.ljust(n) if i in left else text.rjust(n) for i, (text, n) in enumerate(zip(row, widths, strict=True))]
        for row in rows
    ]
    return ["  ".join(line).rstrip() for line in lines]


def _crowd(found: Projection, width: int, tell: Callable[[float], str]) -> list[str]:
    """Return what several workers on a device would change."""
    possible = [crowd for crowd in found.crowds if crowd.fits]
    if not possible:
        return _wrapped("memory: not even one worker fits on the device", width)
    one, better = possible[0], found.suggested
    room = max(one.memory_bytes for one in found.networks) / 1e9
    if better is None:
        return _wrapped(f"--workers-per-device: no gain by more than 1 (a worker takes up to {room:.2g} GB)", width)
    return _wrapped(
        f"--workers auto --workers-per-device {better.per_device}: {tell(better.seconds)} on one device, "
        f"{tell(one.seconds)} with one worker; hardly any gain beyond (a worker takes up to {room:.2g} GB)", width
    )  # fmt: skip


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{number:g} {name}" for name, number in value.items())
    return f"{value:g}"


def _wrapped(text: str, width: int) -> list[str]:
    indent = len(text) - len(text.lstrip())
    return textwrap.wrap(text.lstrip(), width, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2),
                         break_on_hyphens=False, break_long_words=False)  # fmt: skip
