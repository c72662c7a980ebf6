"""A plan, and what it will cost, in words and in numbers."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from typing import Any

from rdcompute.criteria import MATCHED, is_criterion, keeps_exactly
from rdcompute.estimate import network_of
from rdcompute.forecast import Forecast, NetworkCost
from rdcompute.grid import dataset_label
from rdcompute.lottery import candidates, lottery_ratio, remaining_weights
from rdcompute.masks import kept_count
from rdcompute.method_settings import LotterySettings
from rdcompute.models import multiplications, narrow_counts
from rdcompute.plan import Cell, Plan
from rdcompute.projection.words import describe_projection, projection_record

WIDTH = 80
_LEGEND = (
    "A dense network is trained whole; a fine-tuning prunes a copy of it to 1/ratio of its parameters and trains it "
    "on. sham prunes nothing: it is the control."
)
_LOTTERY = (
    " lth prunes what the level before was trained to, rewinds what is left and trains it anew; sham-lth does so with "
    "nothing pruned."
)
_CHANNELS = " chip removes channels of a copy and trains the smaller network; sham-chip does so with all channels."
_HEAD = ("dataset", "arch", "cells", "epochs", "s/epoch")


def describe_plan(plan: Plan) -> list[str]:
    """Return the plan as lines: cells, trainings and epochs, and kept weights a ratio for every network."""
    grid = plan.grid
    n_dense = sum(cell.is_dense for cell in plan.cells)
    n_epochs = sum(cell.n_epochs for cell in plan.cells)
    n_tuned = len(plan.cells) - n_dense
    scale = "".join(f", {key}={value:g}" for key, value in grid.scale.items())
    scaled = f" (scaled{scale})" if scale else ""
    lines = [
        f"grid {grid.name}{scaled}: {len(grid.seeds)} seeds, {len(plan.cells)} cells "
        f"({n_dense} dense networks, {n_tuned} fine-tunings), {n_epochs} epochs"
    ]
    columns = _columns(plan)
    kept = _kept(plan)
    levels = _levels(plan)
    for (name, arch), counts in plan.parameters.items():
        n = counts.prunable_weights
        lines.append(f"{dataset_label(name)} {arch}: {counts.total} parameters, {n} prunable weights")
        for method, ratios in columns[name, arch].items():
            lines.append(f"  {method}: ratio {_ratios(method, ratios)}{_how_many(method)}")
        lines += [f"  kept weights at ratio {r:g}: {k} ({k / n:.2%})" for r, k in kept[name, arch].items()]
        lines += [
            f"  {method} at ratio {r:g}: {small} parameters (ratio {counts.total / small:.4g}), "
            f"{work / 1e6:.3g} million multiplications an image"
            for _, method, r, small, work in _narrow(plan, name, arch)
        ]
        if lottery := levels[name, arch]:
            after = ", ".join(str(level["weights"]) for level in lottery)
            lines.append(f"  kept weights of lth after each level: {after} of {lottery[0]['of']}")
            last = lottery[-1]["achieved_ratio"]
            lines.append(f"  all parameters over those left after the last level: {last:.4g}")
    return lines


def describe_forecast(forecast: Forecast) -> list[str]:
    """Return a plan and its cost as lines."""
    n, n_cells = forecast.n_finished, len(forecast.plan.cells)
    lines = describe_plan(forecast.plan)
    recipes = {cell.recipe for cell in forecast.plan.cells}
    lines.insert(1, _LEGEND + (_LOTTERY if "lth" in recipes else "") + (_CHANNELS if "chip" in recipes else ""))
    if n == n_cells:
        lines.append(f"finished in {forecast.run_dir}: all cells; only the cube is to be written")
    elif n:
        lines.append(f"finished in {forecast.run_dir}: {n} of {n_cells} cells; what follows is about the rest")
    wrapped = [line for text in lines for line in _wrapped(text)]
    notes = [line for note in forecast.notes for line in _wrapped(f"note: {note}")]
    found = forecast.projection
    projected = describe_projection(found, WIDTH, words) if found else []
    return [*wrapped, *_time(forecast), *_disk(forecast), *notes, *projected]


def forecast_record(forecast: Forecast) -> dict[str, Any]:
    """Return a plan and its cost as plain data: seconds, hours, bytes; None where something was not timed."""
    plan = forecast.plan
    columns, kept, levels = _columns(plan), _kept(plan), _levels(plan)
    costs = {(cost.dataset, cost.arch): cost for cost in forecast.networks}
    networks = []
    for (name, arch), counts in plan.parameters.items():
        groups: dict[str, list[Cell]] = {arch: []}
        for cell in plan.cells:
            if (cell.dataset, cell.arch) == (name, arch):
                groups.setdefault(network_of(cell)[1], []).append(cell)
        label = dataset_label(name)
        networks.append({
            "dataset": label, "arch": arch,
            "parameters": counts.total, "prunable_weights": counts.prunable_weights,
            "methods": columns[name, arch],
            "kept_weights": [{"ratio": ratio, "weights": k} for ratio, k in kept[name, arch].items()],
            "lottery_levels": levels[name, arch],
            **_cost_record(groups[arch], costs.get((label, arch))),
            "narrow": [
                {"method": method, "ratio": ratio, "parameters": small, "multiplications": work}
                | _cost_record(groups[network], costs.get((label, network)))
                for network, method, ratio, small, work in _narrow(plan, name, arch)
            ],
        })  # fmt: skip
    n_dense = sum(cell.is_dense for cell in plan.cells)
    return {
        "grid": plan.grid.name, "scale": plan.grid.scale, "seeds": len(plan.grid.seeds),
        "cells": len(plan.cells), "dense_networks": n_dense, "fine_tunings": len(plan.cells) - n_dense,
        "epochs": sum(cell.n_epochs for cell in plan.cells),
        "run_dir": str(forecast.run_dir), "finished": forecast.n_finished, "devices": list(forecast.devices),
        "networks": networks, "seconds": forecast.seconds, "hours": forecast.hours,
        "disk": asdict(forecast.disk) | {"needed": forecast.disk.needed},
        "not_here": list(forecast.unread), "notes": list(forecast.notes),
        "projection": projection_record(forecast.projection) if forecast.projection else None,
    }  # fmt: skip


def _cost_record(cells: list[Cell], cost: NetworkCost | None) -> dict[str, Any]:
    """Return what the cells of a network are, and cost; no `cost` where nothing is left to do."""
    return {
        "cells": len(cells), "epochs": sum(cell.n_epochs for cell in cells),
        "cells_left": cost.cells if cost else 0, "epochs_left": cost.epochs if cost else 0,
        "seconds_per_epoch": cost.seconds_per_epoch if cost else None,
        "hours": cost.hours if cost else 0.0,
        "reason": cost.reason if cost else "",
    }  # fmt: skip


def _columns(plan: Plan) -> dict[tuple[str, str], dict[str, list[float]]]:
    """Return the ratios of each method of each network."""
    found: dict[tuple[str, str], dict[str, list[float]]] = {network: {} for network in plan.parameters}
    for cell in plan.cells:
        if cell.seed == plan.grid.seeds[0] and not cell.is_dense:
            found[cell.dataset, cell.arch].setdefault(cell.method, []).append(cell.ratio)
    return found


def _kept(plan: Plan) -> dict[tuple[str, str], dict[float, int]]:
    """Return how many weights each ratio of each network keeps, with criteria that keep as many as it says."""
    result = {}
    for network, columns in _columns(plan).items():
        pruned = sorted({r for method, ratios in columns.items() if keeps_exactly(method) for r in ratios})
        accounting = plan.grid.settings(network[1]).ratio_accounting
        result[network] = {r: kept_count(plan.parameters[network], r, accounting) for r in pruned}
    return result


def _narrow(plan: Plan, name: str, arch: str) -> list[tuple[str, str, float, int, int]]:
    """Return name, method, ratio, parameters and multiplications of every network that has lost channels."""
    spec = plan.datasets[name]
    cells = [c for c in plan.cells if c.seed == plan.grid.seeds[0] and (c.dataset, c.arch) == (name, arch)]
    return [
        (network_of(c)[1], c.method, c.ratio, narrow_counts(c.widths, spec.n_classes, spec.image_shape).total,
         multiplications(c.widths, spec.n_classes, spec.image_shape))
        for c in cells if c.widths is not None
    ]  # fmt: skip


def _how_many(method: str) -> str:
    """Return what there is to say of a method whose ratio is not the one it achieves."""
    if not is_criterion(method) or keeps_exactly(method):
        return ""
    matched = method.partition(MATCHED)[2]
    return f", with as many weights as {matched} keeps" if matched else ", nominal: its rule decides how many stay"


def _ratios(method: str, ratios: list[float]) -> str:
    """Return ratios in words; those of lottery tickets are powers with many digits."""
    return ", ".join(f"{ratio:.4g}" if method == "lth" else f"{ratio:g}" for ratio in ratios)


def _levels(plan: Plan) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Return what each level of the lottery tickets of each network leaves, where no weights tie."""
    result: dict[tuple[str, str], list[dict[str, Any]]] = {network: [] for network in plan.parameters}
    for (name, arch), columns in _columns(plan).items():
        ratios = columns.get("lth", [])
        settings = plan.grid.settings(arch, "lth")
        if not ratios or not isinstance(settings, LotterySettings):
            continue
        counts = plan.parameters[name, arch]
        n = sum(candidates(counts, head=settings.prune_head).values())
        kept = remaining_weights(n, len(ratios), settings.prune_fraction)
        result[name, arch] = [
            {"level": i + 1, "ratio": ratio, "weights": k, "of": n, "achieved_ratio": lottery_ratio(counts, n, k)}
            for i, (ratio, k) in enumerate(zip(ratios, kept, strict=True))
        ]
    return result


def _time(forecast: Forecast) -> list[str]:
    """Return what is left to be computed as a table, and how long it takes."""
    if not forecast.networks:
        return []
    n, kind = len(forecast.devices), forecast.devices[0].partition(":")[0]
    unit = "core hours" if kind == "cpu" else "device hours"
    rows: list[tuple[str, ...]] = [(*_HEAD, unit)]
    for cost in forecast.networks:
        epoch = _number(cost.seconds_per_epoch) if cost.seconds_per_epoch is not None else "-"
        hours = _number(cost.hours) if cost.hours is not None else "-"
        rows.append((cost.dataset, cost.arch, str(cost.cells), str(cost.epochs), epoch, hours))
    if len(forecast.networks) > 1:
        sums = [sum(getattr(cost, name) for cost in forecast.networks) for name in ("cells", "epochs")]
        total = _number(forecast.hours) if forecast.hours is not None else "-"
        rows.append(("all", "", *map(str, sums), "", total))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["", *("  ".join(_aligned(row, widths)).rstrip() for row in rows)]
    workers = f"{n} worker{'s' if n > 1 else ''} on {kind}"
    untimed = [cost for cost in forecast.networks if cost.hours is None]
    if forecast.seconds is not None:
        without = " without what is not timed" if untimed else ""
        projected = forecast.projection
        how = "as a few steps take here" if projected is None else "as projected below" + (
            ", give or take a factor of 2" if projected.profile else ""
        )  # fmt: skip
        lines += _wrapped(f"time: about {words(forecast.seconds)} with {workers}{without}, {how}")
    reasons: dict[str, list[str]] = {}
    for cost in untimed:
        reasons.setdefault(cost.reason, []).append(f"{cost.dataset} {cost.arch}")
    for reason, names in reasons.items():
        which = "" if len(names) == len(forecast.networks) else f"{', '.join(names)} "
        lines += _wrapped(f"time: {which}not timed: {reason}")
    return lines


def _aligned(row: tuple[str, ...], widths: list[int]) -> list[str]:
    return [text.ljust(w) if i < 2 else text.rjust(w) for i, (text, w) in enumerate(zip(row, widths, strict=True))]


def _disk(forecast: Forecast) -> list[str]:
    disk = forecast.disk
    free = f"; {_size(disk.free)} free" if disk.free is not None else ""
    lines = _wrapped(
        f"disk: {_size(disk.cells + disk.cube)} in the end (finished cells {_size(disk.cells)}, cube "
        f"{_size(disk.cube)}), {_size(disk.images + disk.checkpoints)} more while it runs (images "
        f"{_size(disk.images)}, checkpoints up to {_size(disk.checkpoints)}){free}"
    )
    if forecast.unread:
        names = ", ".join(forecast.unread)
        lines += _wrapped(f"disk: images and predictions of {names} not counted: not on this machine")
    return lines


def words(seconds: float) -> str:
    """Return a duration as people say it, in two units.

    Examples
    --------
    >>> words(0.4), words(75), words(7380), words(300000)
    ('1 s', '1 min 15 s', '2 h 3 min', '3 days 11 h')
    """
    whole = max(1, round(seconds))
    units = (("days", 86400), ("h", 3600), ("min", 60), ("s", 1))
    at = next(i for i, (_, size) in enumerate(units) if whole >= size)
    name, size = units[at]
    first, rest = divmod(whole, size)
    if name == "s":
        return f"{first} s"
    smaller, small = units[at + 1]
    name = "day" if name == "days" and first == 1 else name
    return f"{first} {name}" + (f" {rest // small} {smaller}" if rest // small else "")


def _number(value: float) -> str:
    """Return a positive number with about three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value >= 0.01 else f"{value:.4f}"


def _size(n_bytes: int) -> str:
    value, unit = n_bytes / 2**20, "MiB"
    if value >= 1024:
        value, unit = value / 1024, "GiB"
    return f"{value:.1f} {unit}"


def _wrapped(text: str) -> list[str]:
    indent = len(text) - len(text.lstrip())
    return textwrap.wrap(text.lstrip(), WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2),
                         break_on_hyphens=False, break_long_words=False)  # fmt: skip
