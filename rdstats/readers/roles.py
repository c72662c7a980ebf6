"""Which column of a table is what: as told, else by its usual names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rdstats.cube.schema import CELL
from rdstats.errors import InputError, one_of
from rdstats.readers.options import Options
from rdstats.readers.table import column_named
from rdstats.readers.values import shown

USUAL: Mapping[str, tuple[str, ...]] = {
    "true": ("y_true", "true", "true_class", "true_label", "label", "labels", "target", "targets", "ground_truth",
             "gold", "actual", "reference", "references"),
    "predicted": ("y_pred", "predicted", "predicted_class", "predicted_label", "prediction", "predictions", "pred",
                  "preds"),
    "count": ("count", "counts", "n", "frequency", "freq", "n_images"),
    "stage": ("stage",),
    "id": ("id", "example_id", "sample_id", "image_id", "doc_id"),
    "seed": ("seed", "run", "replicate"),
    "dataset": ("dataset",),
    "arch": ("arch", "architecture", "backbone"),
    "method": ("method", "model", "algorithm"),
    "ratio": ("ratio", "compression", "compression_ratio"),
}  # fmt: skip
"""Names that are understood, whatever their case, with blanks and hyphens as underscores."""

PREFIXES = ("y_pred_", "predicted_", "prediction_", "predictions_", "pred_", "preds_")
BEFORE = ("dense", "before", "original", "baseline", "uncompressed")
AFTER = ("after", "compressed", "pruned", "quantized", "quantised")
"""Names that say on which side of compression a network is."""


@dataclass(frozen=True)
class Roles:
    """Columns of one table: `models` are pairs of a prediction column and the name of its model ("" for none)."""

    true: str
    models: tuple[tuple[str, str], ...]
    count: str | None = None
    stage: str | None = None
    id: str | None = None
    dims: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """All columns that are read."""
        models = (column for column, _ in self.models)
        named = [self.true, *models, self.count, self.stage, self.id, *self.dims.values()]
        return list(dict.fromkeys(name for name in named if name is not None))


def find_roles(source: str, names: Sequence[str], options: Options, index: Collection[str] = ()) -> Roles:
    """Return the roles of the columns of a table; those of the `index` of a frame are predictions only if named so.

    Raises
    ------
    InputError
        No label or prediction column, two that could be one and the same, or a named one that is not there.
    """
    true = _one(source, names, "true", options.true)
    if true is None:
        raise InputError(_told(source, names, "no column of true classes", "--true COLUMN", USUAL["true"]))
    count = _one(source, names, "count", options.count)
    dims = {dim: column_named(source, names, column) for dim, column in options.columns.items()}
    for dim in CELL:
        if dim not in dims and (found := _one(source, names, dim, None, taken=(true, *dims.values()))) is not None:
            dims[dim] = found
    stage = _one(source, names, "stage", options.stage)
    taken = {true, count, stage, options.id, *dims.values()}
    models = _models(source, names, options, taken.union(index))
    if not models:
        raise InputError(_told(source, names, "no column of predictions", "--predicted COLUMN", USUAL["predicted"]))
    if count is not None and len(models) > 1:
        if options.count is not None:
            raise InputError(f"{source}: a column of counts and {len(models)} of predictions; one row a count has one")
        count = None
    named = options.id is not None or (count is None and len(models) == 1)
    identity = _one(source, names, "id", options.id) if named else None
    _check_apart(source, {"true": true, "count": count, "stage": stage, "id": identity, **dims}, models)
    return Roles(true, models, count, stage, identity, dims)


def could_be_table(names: Sequence[str]) -> bool:
    """Return whether a header row names a column of true classes."""
    return any(_plain(name) in USUAL["true"] for name in names)


def _models(
    source: str, names: Sequence[str], options: Options, taken: Iterable[str | None]
) -> tuple[tuple[str, str], ...]:
    if options.predicted:
        columns = [column_named(source, names, name) for name in options.predicted]
        return tuple((name, model_name(name) if len(columns) > 1 else "") for name in columns)
    left = [name for name in names if name not in taken and name]
    exact = [name for name in left if _plain(name) in USUAL["predicted"]]
    prefixed = [name for name in left if _plain(name).startswith(PREFIXES)]
    if len(exact) == 1 and not prefixed:
        return ((exact[0], ""),)
    if len(exact) > 1:
        raise InputError(
            f"{source}: columns {one_of(map(shown, exact))} could all be predictions; name those that are: --predicted"
        )
    if prefixed:
        return tuple((name, model_name(name)) for name in (*exact, *prefixed))
    is_before = [name for name in left if name == options.before or _plain(name) in BEFORE]
    if not is_before:
        return ()
    return tuple((name, name) for name in left if _plain(name) not in USUAL["id"] and name != "index")


def model_name(column: str) -> str:
    """Return the name of the model of a prediction column: ``dense`` for ``y_pred_dense``."""
    for prefix in PREFIXES:
        if column.lower().startswith(prefix) and len(column) > len(prefix):
            return column[len(prefix) :]
    return column


def _one(
    source: str, names: Sequence[str], role: str, told: str | None, taken: Iterable[str] = ()
) -> str | None:
    if told is not None:
        return column_named(source, names, told)
    found = [name for name in names if _plain(name) in USUAL[role] and name not in taken]
    if len(found) > 1:
        exact = [name for name in found if _plain(name) == role]
        if len(exact) == 1 and role in CELL:
            return exact[0]
        option = f"--column {role}=COLUMN" if role in CELL else f"--{role} COLUMN"
        raise InputError(f"{source}: columns {one_of(map(shown, found))} could all be {role}; say which: {option}")
    return found[0] if found else None


def _check_apart(source: str, roles: Mapping[str, Any], models: tuple[tuple[str, str], ...]) -> None:
    seen: dict[str, str] = {}
    for role, name in [*roles.items(), *(("predicted", column) for column, _ in models)]:
        if name is not None and name in seen:
            raise InputError(f"{source}: column {shown(name)} cannot be both {seen[name]} and {role}")
        if name is not None:
            seen[name] = role


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def _told(source: str, names: Sequence[str], what: str, option: str, usual: Sequence[str]) -> str:
    columns = one_of(shown(name) for name in names[:12]) + (", ..." if len(names) > 12 else "")
    return f"{source}: {what} among {columns}; say which with {option} (understood: {one_of(usual)})"
