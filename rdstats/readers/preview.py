"""What was understood, in words, before anything is written."""

from __future__ import annotations

from rdstats.errors import one_of
from rdstats.readers.imported import Imported, labels_text
from rdstats.readers.layout import stored
from rdstats.readers.values import shown


def preview(imported: Imported) -> str:
    """Return lines on files, dimensions, classes, networks, predictions, what is missing, and notes."""
    layout = imported.layout
    lines = [f"kind:    {imported.kind}", *imported.understood, f"before:  {_before(imported)}"]
    dims = [labels_text(dim, stored(dim, labels)) for dim, labels in layout.coords.items()]
    lines.append(f"dims:    {'; '.join(dims) or 'none: one pair of networks'}")
    lines += [f"classes: {line}" for line in _classes(imported)]
    lines.append(f"cells:   {_cells(imported)}")
    lines.append(f"images:  {_images(imported)}")
    lines.append(f"predictions: {_predictions(imported)}")
    lines += [f"missing: {line}" for line in _missing(imported)]
    lines += [f"note:    {note}" for note in imported.notes]
    return "\n".join(" ".join(line.split("\n")) for line in lines)


def _before(imported: Imported) -> str:
    layout = imported.layout
    models = list(dict.fromkeys(str(one.where.get("method", one.model)) for one in layout.before.values()))
    named = f" ({one_of(map(shown, models[:5]))})" if any(models) else ""
    along = f", one for each {' and '.join(layout.dims_dense)}" if layout.dims_dense else ", shared by all"
    n = len(layout.before)
    return f"{n} network{'s' if n > 1 else ''}{named}{along}; told by {layout.told_by}"


def _classes(imported: Imported) -> list[str]:
    lines = []
    for dataset, names in imported.classes.items():
        few = one_of(names[:10]) + (", ..." if len(names) > 10 else "")
        lines.append(f"{len(names)}{f' of {dataset}' if dataset else ''} ({few})")
    unlabelled, unpredicted = _unused(imported)
    for what, names in (("never a label", unlabelled), ("never predicted", unpredicted)):
        if names:
            lines.append(f"{what}: {one_of(names[:10])}{', ...' if len(names) > 10 else ''} ({len(names)})")
    return lines


def _unused(imported: Imported) -> tuple[list[str], list[str]]:
    unlabelled, unpredicted = [], []
    for dataset, names in imported.classes.items():
        networks = [
            one for one in (*imported.layout.before.values(), *imported.layout.after.values())
            if dataset in ("", one.where.get("dataset"))
        ]  # fmt: skip
        total = sum(imported.matrix(one) for one in networks)
        unlabelled += [name for name, n in zip(names, total.sum(axis=1), strict=True) if not n]  # type: ignore[union-attr]
        unpredicted += [name for name, n in zip(names, total.sum(axis=0), strict=True) if not n]  # type: ignore[union-attr]
    return unlabelled, unpredicted


def _cells(imported: Imported) -> str:
    layout = imported.layout
    paired = sum(layout.before_of(key) is not None for key in layout.after)
    size = 1
    for labels in layout.coords.values():
        size *= len(labels)
    absent = f", of a grid of {size}" if size != len(layout.after) else ""
    return f"{len(layout.after)} after compression{absent}, {paired} of them with the network before"


def _images(imported: Imported) -> str:
    layout = imported.layout
    totals = sorted({int(one.counts.sum()) for one in (*layout.before.values(), *layout.after.values())})
    return f"{totals[0]:,} a network" if len(totals) == 1 else f"{totals[0]:,} to {totals[-1]:,} a network"


def _predictions(imported: Imported) -> str:
    paired = imported.paired
    if paired.both_correct is None:
        return f"not paired: {paired.why}"
    networks = [*imported.layout.after.values(), *imported.layout.before.values()]
    named = any(one.examples is not None and one.examples.ids is not None for one in networks)
    by = "by the names of the examples" if named else "by the order of the rows (their labels agree)"
    stored_ = "stored" if imported.stores_predictions else "not stored" + (f" ({paired.why})" if paired.why else "")
    return f"paired {by}; {stored_}"


def _missing(imported: Imported) -> list[str]:
    layout = imported.layout
    lonely = [key for key in layout.after if layout.before_of(key) is None]
    if not lonely:
        return []
    where = ", ".join(f"{dim}={label}" for dim, label in zip(layout.dims, lonely[0], strict=True))
    return [f"{len(lonely)} networks after compression have none before, such as {where}"]
