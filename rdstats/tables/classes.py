"""Which classes pay, as tables."""

from __future__ import annotations

from rdstats.analysis import Analysis
from rdstats.records import class_records, contribution_records, model_records, worst_records
from rdstats.tables.table import (
    NONE,
    Column,
    Table,
    between,
    build,
    cell_dims,
    conditional,
    fixed_text,
    n_text,
    num,
    percent,
)

_CLASS = "class"


def class_tables(analysis: Analysis) -> list[Table]:
    """Return, class by class, the score before and after and its change."""
    records, dims = class_records(analysis), [*cell_dims(analysis), _CLASS]
    measure, level = analysis.slopes.attrs["measure"], analysis.summary.attrs["level"]
    columns = [
        num("before", "score_dense"), num("after", "score"), num("change", "change"), between("interval"),
        num("balance", "balance_dense"), num("balance after", "balance"),
    ]  # fmt: skip
    caption = (
        f"Mean {measure} of every class before and after compression over {n_text(records)}"
        f"{fixed_text(records, dims)}, and its balance ({measure} minus the reference score) before and after. "
        f"Change: paired t intervals, simultaneous at {percent(level)} over the classes of a cell, "
        f"{conditional(analysis)}."
    )
    return build("Classes", records, dims, columns, caption)


def contribution_tables(analysis: Analysis) -> list[Table]:
    """Return what each class contributes to the slope."""
    records, dims = contribution_records(analysis), [*cell_dims(analysis), _CLASS]
    columns = [num("contribution", "contribution"), num("sd", "contribution_sd"), num("weight", "weight")]
    caption = (
        f"Mean contribution of every class to the slope over {n_text(records)}{fixed_text(records, dims)}: "
        "contributions of a network add up to its slope, weights (its share of the squared balances before) to 1; "
        "in each network, contribution / weight is the class's intensification ratio."
    )
    return build("Contributions to the slope", records, dims, columns, caption)


def worst_tables(analysis: Analysis) -> list[Table]:
    """Return how far the worst class lies behind the best one."""
    records, dims = worst_records(analysis), cell_dims(analysis)
    columns = [
        num("gap before", "worst_gap_dense"), num("gap", "worst_gap"), num("min/max before", "worst_ratio_dense"),
        num("min/max", "worst_ratio"), Column("worst before", lambda r: str(r["worst_class_dense"] or NONE)),
        Column("worst", lambda r: str(r["worst_class"] or NONE)),
    ]  # fmt: skip
    caption = (
        f"Gap (best minus worst class) and ratio (worst over best) of {analysis.slopes.attrs['measure']}, means over "
        f"{n_text(records)}{fixed_text(records, dims)}, and the class that is the worst most often. The extremes of "
        "noisy scores lie farther apart than the classes do: compare before with after, not with 0 or 1."
    )
    return build("Worst class", records, dims, columns, caption)


def model_tables(analysis: Analysis) -> list[Table]:
    """Return the line with intercept, and the one line for all networks."""
    records, dims = model_records(analysis), cell_dims(analysis)
    columns = [
        num("slope", "slope_origin"), num("with intercept", "slope"), num("intercept", "intercept", 4),
        num("r2", "r_squared", 2), num("pooled slope", "pooled_slope"), num("pooled r2", "pooled_r_squared", 2),
    ]  # fmt: skip
    caption = (
        f"Mean slope through the origin beside the mean least-squares line with intercept (r2 centred) over "
        f"{n_text(records)}{fixed_text(records, dims)}, and the one line through the origin for all networks and "
        "classes (r2 uncentred), which is descriptive only: classes of one network are not independent."
    )
    return build("Models of the balances", records, dims, columns, caption)
