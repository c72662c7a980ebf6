"""Two models compared in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rdstats.analysis import FOLDS, analyze
from rdstats.array.validate import check_choice
from rdstats.comparison.inputs import cube_of_matrices, cube_of_predictions
from rdstats.comparison.result import Comparison
from rdstats.slope import MARGIN
from rdstats.unknown import UNKNOWN


def compare(
    before: Any,
    after: Any,
    *,
    labels: Any = None,
    control: Any = None,
    classes: Any = None,
    dims: Sequence[str] | None = None,
    unknown: str = "error",
    reference: str = "accuracy",
    level: float = 0.95,
    margin: float = MARGIN,
) -> Comparison:
    """Compare a model with its compressed version: which classes pay, by how much, and is it beyond chance?

    Parameters
    ----------
    before, after : two confusion matrices ``(C, C)`` of counts, true classes on the rows; or, with `labels`, the two
        models' predictions ``(images,)``.  NumPy, lists, pandas, polars, xarray, PyTorch on the CPU, or anything with
        ``__array__`` or DLPack; the names of a DataFrame (`pandas.crosstab`) are the classes', and its columns may be
        others than its rows.  Leading axes are several pairs, see `dims`.
    labels : true classes ``(images,)``, whole numbers or texts.
    control : like `after`, of models that were re-trained alike without compression: what claims are made against.
    classes : all classes in their order (with matrices, or with labels 0, 1, ...: their names); default: the labels,
        sorted.
    dims : names of the leading axes of `before` and `after`: ``("seed",)`` for pairs of one training run each, over
        which intervals and claims are then made; other names keep pairs apart.
    unknown : what a prediction outside the classes is: ``error``, ``other`` (they share a class without images of its
        own; missing predictions, too), or ``keep`` (each is a class of its own, without images).
    reference : what recalls are balanced against, see `rdstats.slopes`.
    level, margin : confidence level, equivalence margin; see `rdstats.analyze`.

    Returns
    -------
    Comparison
        ``print(result.summary())`` for sentences, ``result["slope"]`` for a number with its interval,
        ``result.table("classes")`` for a DataFrame, ``result.to_dict()``, ``result.cube``; it shows itself in
        notebooks.

    Raises
    ------
    InputError
        Wrong shapes, labels or choices, fractions instead of counts, classes with other numbers of test images
        before and after.

    Notes
    -----
    One pair says nothing about other training runs: its intervals are over test images (docs/statistics.md, section
    8).  With predictions they are paired image by image; two matrices alone give wider ones, and bounds of the
    corrected slope and the churn.

    Examples
    --------
    >>> import rdstats
    >>> result = rdstats.compare([[900, 100], [300, 700]], [[700, 300], [500, 500]])
    >>> round(result["slope"].value, 4), round(result["worst_recall_drop"].lower, 4)
    (1.3333, 0.157)
    >>> labels = ["cat"] * 6 + ["dog"] * 6
    >>> result = rdstats.compare(labels, ["cat"] * 7 + ["dog"] * 5, labels=labels)
    >>> round(result["churn"].value, 4)
    0.0833
    """
    check_choice("unknown", unknown, UNKNOWN)
    if labels is None:
        cube = cube_of_matrices(before, after, control, dims=dims, classes=classes, unknown=unknown)
    else:
        cube = cube_of_predictions(labels, before, after, control, dims=dims, classes=classes, unknown=unknown)
    # too few images for the folds of crossed intervals: both_correct says the rest
    few = "label" in cube and cube.sizes["sample"] < FOLDS
    analysed = cube.drop_vars(["label", "prediction", "prediction_dense"]) if few else cube
    analysis = analyze(analysed, reference=reference, level=level, margin=margin)
    return Comparison(cube, analysis)
