"""Accuracy of a column: before compression, and along the ratios beside the slope."""

from __future__ import annotations

import xarray as xr

from rdstats._labelled import RATIO, of_columns, planned, seed_means, with_seed
from rdstats.errors import InputError

_NEEDED = ("slope", "reason", "accuracy", "accuracy_dense")
_OPTIONAL = ("achieved_ratio", "status")


def accuracies(slopes: xr.Dataset) -> xr.Dataset:
    """Return the mean accuracy before compression of every column, over seeds.

    A column is a combination of all dimensions but seed and ratio.  Columns may start from different dense
    networks: the mean is over those whose compressed networks the column has.

    Parameters
    ----------
    slopes : result of `rdstats.slopes`.

    Returns
    -------
    Dataset over the cell dimensions without ``seed`` and ``ratio``: ``accuracy_dense``,
    ``accuracy_dense_se = sd/sqrt(n)`` (ddof 1; NaN below two networks), ``n`` networks, and ``planned``,
    whether the grid has the column.  NaN where no network is there.

    Raises
    ------
    InputError
        A Dataset that is not a result of `rdstats.slopes`.

    Source: paper, appendix D (Table 10).

    Examples
    --------
    >>> import rdstats
    >>> before, after = [[[90, 10], [30, 70]], [[90, 10], [10, 90]]], [[[80, 20], [50, 50]]] * 2
    >>> found = accuracies(rdstats.slopes(rdstats.build(before, after, dims=("seed",))))
    >>> [round(found[name].item(), 4) for name in ("accuracy_dense", "accuracy_dense_se", "n")]
    [0.85, 0.05, 2]
    """
    networks = _networks(slopes)
    result = xr.Dataset(attrs=slopes.attrs)
    dense = of_columns(networks["accuracy_dense"], networks["there"])
    result["accuracy_dense"], result["accuracy_dense_se"], result["n"] = seed_means(dense)
    there = planned(networks)
    return result.assign(planned=there.any(RATIO) if RATIO in there.dims else there)


def tradeoff(slopes: xr.Dataset) -> xr.Dataset:
    """Return accuracy and slope along the ratios of every column: what is paid for what.

    Means over seeds with standard errors sd/sqrt(n) (ddof 1; NaN below two networks).

    Parameters
    ----------
    slopes : result of `rdstats.slopes`.

    Returns
    -------
    Dataset over the cell dimensions without ``seed``: ``accuracy, accuracy_se, n`` over all networks that are
    there, ``slope, slope_se, n_slope`` over those that have a slope, and the mean ``achieved_ratio`` where the
    cube has it; and without ``ratio``, for the point at ratio 1: ``accuracy_dense, accuracy_dense_se,
    n_dense`` (see `accuracies`).  NaN where no network is there.

    Raises
    ------
    InputError
        A Dataset that is not a result of `rdstats.slopes`.

    Source: paper, appendix E (Figure 13) and appendix H (Tables 12 and 13).

    Examples
    --------
    >>> import rdstats
    >>> before, after = [[[90, 10], [30, 70]], [[90, 10], [10, 90]]], [[[80, 20], [50, 50]], [[85, 15], [40, 60]]]
    >>> found = tradeoff(rdstats.slopes(rdstats.build(before, after, dims=("seed",))))
    >>> [round(found[name].item(), 4) for name in ("accuracy", "accuracy_se", "slope", "n", "n_slope")]
    [0.6875, 0.0375, 1.8462, 2, 1]
    """
    networks = _networks(slopes)
    there = networks["there"]
    result = xr.Dataset(attrs=slopes.attrs)
    for name, count in (("accuracy", "n"), ("slope", "n_slope")):
        result[name], result[name + "_se"], result[count] = seed_means(networks[name].where(there))
    if "achieved_ratio" in networks:
        result["achieved_ratio"] = seed_means(networks["achieved_ratio"].where(there))[0]
    dense = of_columns(networks["accuracy_dense"], there)
    result["accuracy_dense"], result["accuracy_dense_se"], result["n_dense"] = seed_means(dense)
    return result


def _networks(slopes: xr.Dataset) -> xr.Dataset:
    """Return what the means need, in memory, and which networks are there."""
    if lacking := [name for name in _NEEDED if name not in slopes]:
        raise InputError(f"expected a result of rdstats.slopes; it has no {lacking[0]}")
    networks = with_seed(slopes[[name for name in (*_NEEDED, *_OPTIONAL) if name in slopes]], "slope")
    return networks.assign(there=networks["reason"] != "missing")
