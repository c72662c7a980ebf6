"""How much the scores of the classes of a network vary, per network and over seeds."""

from __future__ import annotations

import xarray as xr

from rdstats import array
from rdstats._labelled import CLASS, like, of_columns, over_classes, seed_means, with_seed
from rdstats.cube import class_counts
from rdstats.measures import require_pair, score, undefined

DDOFS = (0, 1)


def recall_variance(cube: xr.Dataset, measure: str = "recall", ddof: int = 0) -> xr.Dataset:
    """Return the variance of the class scores of every network, before and after compression.

    ``variance = sum_c (R_c - mean)^2 / (C - ddof)`` over the C classes with test images.

    Parameters
    ----------
    cube : a cube, or its class counts.
    measure : ``recall``, ``precision`` or ``f1``.
    ddof : 0 for the variance of these classes, 1 for the estimate of a population of classes.

    Returns
    -------
    Dataset over the cell dimensions: ``variance`` (after) and ``variance_dense`` (before), in squared score;
    NaN where the network is missing, a class with test images has an undefined score (0/0), or at most
    `ddof` classes have test images.

    Raises
    ------
    InputError
        An unknown measure or a negative `ddof`.

    Source: paper, appendix F (Table 11).

    Examples
    --------
    >>> import rdstats
    >>> found = recall_variance(rdstats.build([[90, 10], [30, 70]], [[80, 20], [50, 50]]))
    >>> round(found["variance_dense"].item(), 4), round(found["variance"].item(), 4)
    (0.01, 0.0225)
    """
    counts = class_counts(cube)
    result = xr.Dataset(attrs={"measure": measure, "ddof": ddof})
    for name, values in score(counts, measure).data_vars.items():
        stage = str(name).removeprefix("score")
        found = over_classes(array.recall_variance, values, ddof=ddof)
        result["variance" + stage] = like(found, values).where(~undefined(counts, values, stage))
    return result


def recall_variances(cube: xr.Dataset, measure: str = "recall") -> xr.Dataset:
    """Return the mean over seeds of the variance of class scores, before and after compression.

    With divisors C and C - 1, since the source does not say which it used.

    Parameters
    ----------
    cube : a cube with matrices before and after compression, or its class counts.
    measure : ``recall``, ``precision`` or ``f1``.

    Returns
    -------
    Dataset over ``ddof`` (0, 1) and the cell dimensions without ``seed``: ``variance, variance_se`` and,
    without ``ddof``, ``n`` networks; and without ``ratio``: ``variance_dense, variance_dense_se, n_dense`` of
    the dense networks that the column's compressed networks come from.  Standard errors are sd/sqrt(n)
    (ddof 1), NaN below two networks.

    Raises
    ------
    InputError
        A cube without matrices before or after, or an unknown measure.

    Source: paper, appendix F (Table 11).

    Examples
    --------
    >>> import rdstats
    >>> before = [[[90, 10], [30, 70]], [[90, 10], [10, 90]]]
    >>> after = [[[80, 20], [50, 50]], [[90, 10], [30, 70]]]
    >>> found = recall_variances(rdstats.build(before, after, dims=("seed",)))
    >>> found["variance"].values.round(5).tolist(), found["variance_dense"].values.round(5).tolist()
    ([0.01625, 0.0325], [0.005, 0.01])
    """
    counts = class_counts(cube)
    require_pair(counts)
    tested = (counts["support"] > 0) & (counts["support_dense"] > 0)
    parts = []
    for ddof in DDOFS:
        found = recall_variance(counts, measure, ddof).assign(there=tested.any(CLASS))
        parts.append(_over_seeds(with_seed(found, "variance")))
    result = xr.concat(parts, xr.DataArray(list(DDOFS), dims="ddof", name="ddof"))
    counted = {name: result[name].isel(ddof=0, drop=True) for name in ("n", "n_dense")}
    return result.assign(counted).assign_attrs(measure=measure)


def _over_seeds(networks: xr.Dataset) -> xr.Dataset:
    there = like(networks["there"], networks["variance"])
    stages = {"": networks["variance"].where(there), "_dense": of_columns(networks["variance_dense"], there)}
    result = xr.Dataset()
    for stage, values in stages.items():
        result["variance" + stage], result[f"variance{stage}_se"], result["n" + stage] = seed_means(values)
    return result
