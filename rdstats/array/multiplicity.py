"""Corrections of a family of p-values, with members that could not be computed still counted."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rdstats.array.numeric import FloatArray
from rdstats.array.validate import as_share, broadcast, check_choice, check_family_size, refuse
from rdstats.errors import InputError

CORRECTIONS = ("bonferroni", "holm", "bh", "none")


def correct(p: ArrayLike, method: str = "bonferroni", m: ArrayLike | None = None, axis: int = -1) -> FloatArray:
    """Correct the p-values of a family of m declared members.

    Bonferroni: min(1, m p). Holm: max over j <= i of min(1, (m - j + 1) p_(j)). Benjamini-Hochberg ("bh"):
    min over j >= i of min(1, m p_(j) / j), for the i-th smallest p. "none" returns p.

    Parameters
    ----------
    p : array_like
        Raw p-values, the members of a family along `axis`. NaN is a declared member that could not be
        computed: it stays NaN, counts in m, and enters Holm and Benjamini-Hochberg as p = 1.
    method : {"bonferroni", "holm", "bh", "none"}
        One of `CORRECTIONS`. The first two bound the chance of any false rejection, "bh" bounds the expected
        share of false ones among the rejections.
    m : array_like, optional
        Declared members, at least the p-values that are there; default the length of `axis`. An array
        broadcasts against the shape of `p` without `axis`. Members beyond the axis enter as p = 1.
    axis : int
        Axis of the members.

    Returns
    -------
    ndarray
        Corrected p-values, in the shape of `p` (broadcast with m).

    Raises
    ------
    InputError
        For an unknown method, a p outside [0, 1], or m smaller than the number of p-values.

    Notes
    -----
    Holm, Scand. J. Statist. 6 (1979), 65-70. Benjamini and Hochberg, J. R. Stat. Soc. B 57 (1995), 289-300.
    The paper's tables are Bonferroni-corrected by column (section 6.2).

    Examples
    --------
    >>> correct([0.01, 0.04, 0.03]).round(4).tolist()
    [0.03, 0.12, 0.09]
    >>> correct([0.01, 0.04, 0.03], "holm").round(4).tolist()
    [0.03, 0.06, 0.06]
    >>> correct([0.01, float("nan"), 0.03], "bh").round(4).tolist()
    [0.03, nan, 0.045]
    """
    check_choice("method", method, CORRECTIONS)
    raw = np.moveaxis(as_share("p", p), axis, -1)
    size = check_family_size("m", max(1, raw.shape[-1]) if m is None else m)
    known = (~np.isnan(raw)).sum(axis=-1)
    broadcast(p=known, m=size)
    short = np.asarray(size < known)
    if short.any():
        held, wanted = (np.broadcast_to(part, short.shape)[short].flat[0] for part in (size, known))
        raise InputError(f"m: a family of {held:g} declared members cannot hold {wanted:g} p-values")
    refuse("m", size, size != np.floor(size), "a whole number of members")
    corrected = _CORRECTORS[method](raw, size[..., np.newaxis])
    return np.moveaxis(np.where(np.isnan(raw), np.nan, corrected), -1, axis)


def _none(raw: FloatArray, m: FloatArray) -> FloatArray:
    return raw * np.ones_like(m)


def _bonferroni(raw: FloatArray, m: FloatArray) -> FloatArray:
    return np.minimum(1.0, m * raw)


def _holm(raw: FloatArray, m: FloatArray) -> FloatArray:
    """Step down from the smallest p. Missing members have p = 1 and come last, so they only count in m."""
    order, rank = _ranks(raw)
    scaled = np.maximum(m - rank + 1, 1.0) * np.take_along_axis(raw, order, axis=-1)
    return _restore(np.maximum.accumulate(np.minimum(1.0, scaled), axis=-1), order)


def _bh(raw: FloatArray, m: FloatArray) -> FloatArray:
    """Step up from the largest p. Missing members have p = 1: there m p / rank >= 1 lowers nothing."""
    order, rank = _ranks(raw)
    scaled = m * np.take_along_axis(np.where(np.isnan(raw), 1.0, raw), order, axis=-1) / np.minimum(rank, m)
    capped = np.minimum(1.0, scaled)
    return _restore(np.flip(np.minimum.accumulate(np.flip(capped, axis=-1), axis=-1), axis=-1), order)


def _ranks(raw: FloatArray) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.intp]], FloatArray]:
    """Ascending order of the members, NaN last, and the ranks 1, 2, ... of that order."""
    return np.argsort(raw, axis=-1, kind="stable"), np.arange(1.0, raw.shape[-1] + 1)


def _restore(ordered: FloatArray, order: np.ndarray[tuple[int, ...], np.dtype[np.intp]]) -> FloatArray:
    """Put sorted values back in their places; `order` broadcasts over the leading axes."""
    places = np.broadcast_to(np.argsort(order, axis=-1), ordered.shape)
    return np.take_along_axis(ordered, places, axis=-1)


_CORRECTORS = {"none": _none, "bonferroni": _bonferroni, "holm": _holm, "bh": _bh}
