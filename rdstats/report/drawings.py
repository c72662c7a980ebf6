"""The figures of a report: specifications that share data and configuration, and what they show in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import xarray as xr

from rdstats._labelled import METHOD
from rdstats.analysis import Analysis
from rdstats.errors import InputError

Prepare = Callable[[xr.Dataset], xr.Dataset]


@dataclass(frozen=True)
class Drawing:
    """One panel of a figure on the page: its identifier, and its text alternative."""

    id: str
    text: str


@dataclass(frozen=True)
class FigureView:
    """A figure of the page: its panels, or why it is not there."""

    drawings: tuple[Drawing, ...] = ()
    absent: str = ""
    summary: str = ""
    """What a figure with very many marks shows in their place."""


@dataclass
class Drawings:
    """The figures of a page, drawn one after the other; it collects their specifications."""

    analysis: Analysis
    specifications: dict[str, Any] = field(default_factory=dict)

    def figure(self, name: str, *, by: str = METHOD, prepare: Prepare | None = None) -> FigureView:
        """Return a figure, or why this cube has none; ``prepare`` may choose the cells that are drawn."""
        from rdstats.charts import FIGURES, describe, specification

        if name not in FIGURES:
            return FigureView()
        kind = FIGURES[name]
        try:
            data = kind.data(self.analysis)
            panels = kind.panels(prepare(data) if prepare else data, by=by)
        except InputError as error:
            return FigureView(absent=str(error).removeprefix(f"figure {name} "))
        about = f"{kind.about[0].upper()}{kind.about[1:]}"
        drawings = []
        for i, panel in enumerate(panels):
            own = f"{name}-{i + 1}"
            self.specifications[own] = shared_data(specification(panel.chart))
            drawings.append(Drawing(f"chart-{own}", describe(panel, about)))
        return FigureView(tuple(drawings), summary=str(data.attrs.get("summary") or ""))


def shared_data(spec: dict[str, Any]) -> dict[str, Any]:
    """Return a specification without configuration whose layers share the data that they have in common."""
    datasets: dict[str, Any] = {}
    names: dict[str, str] = {}

    def share(part: Any) -> Any:
        if isinstance(part, list):
            return [share(item) for item in part]
        if not isinstance(part, dict):
            return part
        result = {key: share(value) for key, value in part.items() if key not in ("data", "datasets")}
        data = part.get("data")
        if isinstance(data, dict) and "values" in data:
            name = names.setdefault(json.dumps(data, sort_keys=True, default=str), f"d{len(names)}")
            datasets[name] = data["values"]
            return {**result, "data": {key: value for key, value in data.items() if key != "values"} | {"name": name}}
        return result if data is None else {**result, "data": data}

    kept = {key: value for key, value in spec.items() if key not in ("config", "$schema")}
    return {**share(kept), "datasets": {**kept.get("datasets", {}), **datasets}}
