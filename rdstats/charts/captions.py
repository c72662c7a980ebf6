"""How each figure is read, in short sentences over it: what its marks are, and what its intervals say."""

from __future__ import annotations

import xarray as xr

from rdstats._words import words

Caption = list[str]
"""Sentences."""

GONE = "Hollow and crossed: a collapsed cell, whose interval is left out."
EDGE = "Arrow: the interval goes on; a number at the frame: a value beyond it."


def delta_caption(data: xr.Dataset) -> Caption:
    """Points are differences paired by the dense network."""
    return [
        "Points: mean over seeds of slope minus the control's slope, paired by the dense network; 0: as after the "
        f"control's {words(data.attrs).training} alone. Grey band: up to {float(data.attrs['margin']):g}, of no "
        "practical meaning.",
        _bars(data),
        "Hollow and crossed: a collapsed cell or control, whose interval is left out. " + EDGE,
    ]


def slope_caption(data: xr.Dataset) -> Caption:
    """Points are mean slopes."""
    return [
        "Points: mean slope over seeds. It follows accuracy, so it is read beside the slope expected from accuracy "
        "alone (short bars) and beside the control (grey line and band).",
        _bars(data),
        f"{GONE} {EDGE}",
    ]


def box_caption(data: xr.Dataset) -> Caption:
    """Boxes are quartiles over networks."""
    dots = "Dots: networks (plus: degenerate; triangle: beyond the frame). " if "slope" in data else ""
    return [
        f"{dots}Box and whiskers: quartiles, and the farthest network within 1.5 interquartile ranges; diamond: mean; "
        "short bar: slope expected from accuracy alone; grey line and band: the control's mean and interval.",
        "Under a ratio: is the mean slope below (<) or above (>) 1, undecided (?) or of a collapsed cell "
        f"(\u00d7)? {_bars(data, 'Decided by')}",
    ]


def tradeoff_caption(data: xr.Dataset) -> Caption:
    """Points are means with standard errors."""
    return [
        "Points: means over seeds; bars: one standard error to both sides. Dashed line: no change, which is the "
        "accuracy before compression on the left axis and slope 1 on the right one. Grey line: the control's mean "
        "slope (right axis).",
        f"Hollow and crossed: a collapsed cell. A number at the frame: a value beyond it. {_given()}",
    ]


def level_caption(data: xr.Dataset) -> Caption:
    """Points are means with standard errors."""
    return [
        "Points: means over seeds; bars: one standard error to both sides. Lines across: accuracy before compression, "
        "slope 1, and the control's means; short bars: the slope expected from accuracy alone.",
        f"Hollow and crossed: a collapsed cell. {EDGE} {_given()}",
    ]


def sampling_caption(data: xr.Dataset) -> Caption:
    """Hollow marks are raw, filled ones corrected."""
    how = f"over training runs, simultaneous at {_level(data)} over the ratios of a column"
    if data.attrs["units"] == "test images":
        how = f"over test images, given these networks, at {_level(data)}"
    return [
        "Hollow: raw slope, as large as the luck of these test images makes it; filled, joined to it: what the "
        f"networks would show on an infinite test set, with its interval ({how}).",
        "Question mark: the test set is too weak to correct the slope; dashed: every slope that the matrices allow. "
        f"Crossed: a collapsed cell. {EDGE}",
    ]


def ratio_caption(data: xr.Dataset) -> Caption:
    """Points are means, bars ranges."""
    return [
        "Points: mean achieved ratio over networks; bars: from the smallest to the largest, no interval. Dashed "
        "diagonal and the short lines across: achieved as asked for."
    ]


def family_caption(data: xr.Dataset) -> Caption:
    """Marks are differences of means; p is of another test than the interval."""
    levels = sorted({round(100 * (1 - alpha), 6) for alpha in data["alpha"].values.tolist()})
    return [
        "Marks: mean of the first minus mean of the second. Bars: two-sided t intervals, simultaneous over the tests "
        f"of a panel at {' and '.join(f'{level:g}' for level in levels)} %, {data.attrs['conditional_on']}; an arrow: "
        "the interval goes on.",
        "p is that of the declared test, corrected: as that may be one-sided or of ranks, a filled mark may have an "
        "interval that contains 0.",
    ]


def scatter_caption(data: xr.Dataset) -> Caption:
    """Dots are classes of networks, or squares count them."""
    what = "Squares: dots there, the deeper the more; a dot is" if "count" in data else "Dots:"
    return [
        f"{what} one class of one network: how far its {data.attrs['measure']} lies from the reference score, as a "
        "share of that, before and after compression; triangles lie beyond the frame.",
        "Dashed: nothing changed. Solid: the pooled line through the origin, whose slope stands over the panel; "
        f"steeper than dashed: differences between classes grew. No interval. {_given()}",
    ]


def spread_caption(data: xr.Dataset) -> Caption:
    """Large marks are means, small dots networks."""
    dots = "Small dots: networks. " if "network_spread" in data else ""
    return [
        f"{dots}Large marks: means over seeds with the ratio beside them, joined in its order; grey: the control. "
        "Dotted curves: equal slope, which is the spread ratio times the cosine.",
        "Hollow and crossed: a collapsed cell; what lies beyond the frame is drawn at its edge. No intervals. "
        f"{_given()}",
    ]


def class_caption(data: xr.Dataset) -> Caption:
    """Lines are classes; what is decided hangs on their intervals."""
    units = "t intervals of the change over training runs"
    if data.attrs.get("units") == "test images":
        units = "intervals of the change over test images, whatever images both models get right"
    how = f"{units}, simultaneous at {_level(data)} over the classes of a panel"
    if "p_corrected" in data:
        how = f"McNemar's test over test images, corrected over the classes of a panel (Holm), at {_level(data)}"
    return [
        f"Lines: mean {data.attrs['measure']} of a class before and after compression. Solid with \u25bc: it loses, "
        "dashed with \u25b2: it wins, dotted with ?: undecided; grey: not named.",
        f"Decided by {how}. {_given()}",
    ]


def confusion_caption(data: xr.Dataset) -> Caption:
    """Squares are differences of shares."""
    return [
        "Squares: share of the test images of a true class (row) with a prediction (column), after minus before "
        "compression, mean over networks, in percentage points; each panel has its own colours.",
        f"A loss on the diagonal is lost recall; gains beside it say where it went. No intervals. {_given()}",
    ]


def posterior_caption(data: xr.Dataset) -> Caption:
    """Marks are posterior means."""
    return [
        "Marks: posterior means. Bars: credible intervals, thin of equal tails, thick of highest density, at "
        f"{_level(data)} of a column together. Numbers: probability beyond the line; grey band: up to "
        f"{float(data.attrs['margin']):g} from it, of no practical meaning.",
        f"Hollow and crossed: a collapsed cell. Arrow: the interval goes on. {_given()}",
    ]


def _bars(data: xr.Dataset, word: str = "Bars:") -> str:
    """Return what the t intervals of a figure say, or why there are none."""
    if bool(data["interval"].isnull().all()):
        return f"No interval: that takes several training runs. {_given()}"
    return (
        f"{word} t intervals, simultaneous at {_level(data)} over the ratios of a column, "
        f"{data.attrs['conditional_on']}."
    )


def _level(data: xr.Dataset) -> str:
    return f"{100 * float(data.attrs['level']):.6g} %"


def _given() -> str:
    return "All of it is conditional on this test set."
