"""Where a cube comes from: facts of the run, and the evidence it carries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import xarray as xr

from rdstats._labelled import METHOD, RATIO, SEED, is_control
from rdstats._version import __version__
from rdstats.analysis import Analysis
from rdstats.report.phrases import span
from rdstats.tables.table import label


def run_facts(analysis: Analysis) -> list[tuple[str, str]]:
    """Return what was run as pairs of a term and its text, without the facts that the cube does not carry."""
    attrs = analysis.counts.attrs
    facts = [("Grid", str(attrs.get("grid_name") or ""))]
    for dim in (str(dim) for dim in analysis.summary["mean"].dims if dim != RATIO):
        labels = analysis.summary[dim].values.tolist() if dim in analysis.summary.coords else []
        texts = map(_method_text if dim == METHOD else label, labels)
        facts.append((dim.replace("_", " ").capitalize(), ", ".join(texts)))
    if RATIO in analysis.summary.coords:
        facts.append(("Ratio: nominal (mean achieved)", _ratios_text(analysis.summary)))
    provenance = json_object(attrs.get("provenance"))
    checksums = provenance.get("datasets") if isinstance(provenance.get("datasets"), dict) else {}
    facts += [
        ("Seeds", str(analysis.slopes.sizes.get(SEED, 1))),
        ("Test images per class", _images_text(analysis)),
        ("Device", str(attrs.get("device") or "")),
        ("Versions", ", ".join(f"{k} {v}" for k, v in json_object(attrs.get("versions")).items())),
        ("Git commit", str(attrs.get("git_commit") or "")),
        ("Root seed", str(attrs.get("root_seed", ""))),
        ("Started, written", ", ".join(str(provenance[key]) for key in ("started", "written") if key in provenance)),
        ("Checksums of the data", ", ".join(f"{name} {value}" for name, value in (checksums or {}).items())),
        ("Selected part", str(attrs.get("selected") or "")),
        ("Shortened run", ", ".join(f"{k} = {v}" for k, v in json_object(attrs.get("scaled")).items())),
        ("Analysed with", f"rd {__version__}"),
    ]
    return [(term, text) for term, text in facts if text]


def _images_text(analysis: Analysis) -> str:
    return span(analysis.test_images_per_class) if analysis.test_images_per_class[1] else ""


def _method_text(name: Any) -> str:
    return f"{name} (control)" if is_control(name) else label(name)


def _ratios_text(summary: xr.Dataset) -> str:
    texts = []
    for ratio in summary[RATIO].values.tolist():
        text = label(ratio)
        if "achieved_ratio" in summary:
            values = summary["achieved_ratio"].sel({RATIO: ratio})
            ends = dict.fromkeys(f"{float(end):.3g}" for end in (values.min(), values.max()) if end == end)
            text += f" ({' to '.join(ends)})" if ends else ""
        texts.append(text)
    return ", ".join(texts)


def json_object(text: Any) -> dict[str, Any]:
    """Return an attribute that holds a JSON object; anything else is no object."""
    try:
        value = json.loads(str(text or "{}"))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def nested_attributes(attrs: Mapping[Any, Any]) -> list[tuple[str, str]]:
    """Return the evidence that is kept as JSON text, indented."""
    names = {"grid": "Resolved grid", "provenance": "Provenance"}
    return [
        (title, json.dumps(json_object(attrs[name]), indent=2, ensure_ascii=False))
        for name, title in names.items()
        if json_object(attrs.get(name))
    ]
