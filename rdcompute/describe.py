"""A plan in words."""

from __future__ import annotations

from rdcompute.criteria import is_control
from rdcompute.masks import kept_count
from rdcompute.plan import Plan


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
    for (name, arch), counts in plan.parameters.items():
        settings = grid.settings(arch)
        columns: dict[str, list[float]] = {}
        for cell in plan.cells:
            if (cell.dataset, cell.arch, cell.seed) == (name, arch, grid.seeds[0]) and not cell.is_dense:
                columns.setdefault(cell.method, []).append(cell.ratio)
        lines.append(f"{name} {arch}: {counts.total} parameters, {counts.prunable_weights} prunable weights")
        lines += [f"  {method}: ratio {', '.join(f'{r:g}' for r in ratios)}" for method, ratios in columns.items()]
        pruned = sorted({r for method, ratios in columns.items() if not is_control(method) for r in ratios})
        kept = [(r, kept_count(counts, r, settings.ratio_accounting)) for r in pruned]
        lines += [f"  kept weights at ratio {r:g}: {k} ({k / counts.prunable_weights:.2%})" for r, k in kept]
    return lines
