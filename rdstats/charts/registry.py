"""Every figure by name: what it answers, what it shows, and how it is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import xarray as xr

from rdstats import figures
from rdstats._labelled import METHOD
from rdstats.analysis import Analysis
from rdstats.charts import captions
from rdstats.charts.boxes import box_panels
from rdstats.charts.classes import class_panels
from rdstats.charts.confusion import confusion_panels
from rdstats.charts.delta import delta_panels
from rdstats.charts.families import family_panels
from rdstats.charts.levels import level_panels
from rdstats.charts.marks import Chart, join
from rdstats.charts.panel import Panel
from rdstats.charts.posterior import posterior_panels
from rdstats.charts.ratios import ratio_panels
from rdstats.charts.sampling import sampling_panels
from rdstats.charts.scatter import scatter_panels
from rdstats.charts.slopes import slope_panels
from rdstats.charts.spread import spread_panels
from rdstats.charts.tradeoff import tradeoff_panels
from rdstats.errors import InputError, nearest, one_of

Panels = Callable[..., list[Panel]]


@dataclass(frozen=True)
class Figure:
    """A figure of an analysis.

    Attributes
    ----------
    about : what it shows, in a line.
    data : from an analysis to the Dataset that is drawn; `UnanswerableError` where the cube cannot answer.
    panels : from that Dataset, and the dimension `by`, to panels.
    caption : from that Dataset to sentences that say how the figure is read where it stands alone.
    paper : the figures or tables of the paper that it stands for.
    """

    about: str
    data: Callable[[Analysis], xr.Dataset]
    panels: Panels
    caption: Callable[[xr.Dataset], list[str]]
    paper: str = ""


FIGURES = {
    "delta": Figure(
        "slope minus the control's slope against ratio, with intervals",
        figures.delta_figure,
        delta_panels,
        captions.delta_caption,
    ),
    "slopes": Figure(
        "mean slope against ratio, with simultaneous intervals",
        figures.slope_figure,
        slope_panels,
        captions.slope_caption,
        "Figures 9 to 12",
    ),
    "boxes": Figure(
        "slope of every network as box plots against ratio, with the verdict against 1",
        figures.box_figure,
        box_panels,
        captions.box_caption,
        "Figures 1 to 4",
    ),
    "tradeoff": Figure(
        "accuracy and slope against ratio, with both axes aligned at no change",
        figures.tradeoff_figure,
        tradeoff_panels,
        captions.tradeoff_caption,
        "Figure 13, Tables 12 and 13",
    ),
    "levels": Figure(
        "accuracy above, slope below, against the achieved ratio: methods beside each other",
        figures.level_figure,
        level_panels,
        captions.level_caption,
        "Tables 12 and 13",
    ),
    "sampling": Figure(
        "raw slope beside the one freed of the sampling of test images",
        figures.sampling_figure,
        sampling_panels,
        captions.sampling_caption,
    ),
    "ratios": Figure(
        "achieved against nominal ratio",
        figures.ratio_figure,
        ratio_panels,
        captions.ratio_caption,
    ),
    "family": Figure(
        "tests of the families: differences with simultaneous intervals and corrected p",
        figures.family_figure,
        family_panels,
        captions.family_caption,
        "Tables 1 to 9",
    ),
    "scatter": Figure(
        "normalised balance of every class after against before, with the pooled line",
        figures.scatter_figure,
        scatter_panels,
        captions.scatter_caption,
        "Figures 5 to 8",
    ),
    "spread": Figure(
        "spread ratio against cosine, whose product is the slope",
        figures.spread_figure,
        spread_panels,
        captions.spread_caption,
    ),
    "classes": Figure(
        "recall of every class before and after, with those named that lose or win",
        figures.class_figure,
        class_panels,
        captions.class_caption,
    ),
    "confusion": Figure(
        "where lost recall went: confusion after minus before",
        figures.confusion_figure,
        confusion_panels,
        captions.confusion_caption,
    ),
    "posterior": Figure(
        "posterior of slope and of its difference from the control",
        figures.posterior_figure,
        posterior_panels,
        captions.posterior_caption,
    ),
}


def figure_panels(analysis: Analysis, name: str, *, by: str = METHOD) -> list[Panel]:
    """Return the panels of a figure, see `plot`."""
    figure = _figure(name)
    return figure.panels(figure.data(analysis), by=by)


def _figure(name: str) -> Figure:
    if name not in FIGURES:
        raise InputError(f"figure {name!r}{nearest(name, FIGURES)}: {one_of(FIGURES)} is accepted")
    return FIGURES[name]


def plot(analysis: Analysis, name: str, *, by: str = METHOD) -> Chart:
    """Draw a figure of an analysis.

    Parameters
    ----------
    analysis : result of `rdstats.analyze`.
    name : one of `FIGURES`.
    by : dimension that the figure sets side by side.

    Returns
    -------
    An Altair chart that says over its panels what it shows and how it is read; `rdstats.charts.save_chart` writes it.

    Raises
    ------
    InputError
        An unknown figure or dimension, or a cube that cannot answer: what it would need.
    """
    figure = _figure(name)
    data = figure.data(analysis)
    return join(figure.panels(data, by=by), about=figure.about, caption=figure.caption(data))
