"""Charts: functions that take a finished Dataset (`rdstats.figures`), draw it, and compute nothing.

Every figure exists as one Altair chart (`delta_chart`) and as the list of its panels (`delta_panels`); `plot` goes
from an analysis to a chart by the figure's name, `save_chart` writes it.
"""

from rdstats.charts.boxes import box_chart, box_panels
from rdstats.charts.classes import class_chart, class_panels
from rdstats.charts.confusion import confusion_chart, confusion_panels
from rdstats.charts.delta import delta_chart, delta_panels
from rdstats.charts.describe import describe
from rdstats.charts.export import FORMATS, save_chart, script_json, specification, to_html, to_svg
from rdstats.charts.families import family_chart, family_panels
from rdstats.charts.levels import level_chart, level_panels
from rdstats.charts.panel import Panel
from rdstats.charts.posterior import posterior_chart, posterior_panels
from rdstats.charts.ratios import ratio_chart, ratio_panels
from rdstats.charts.registry import FIGURES, Figure, figure_panels, plot
from rdstats.charts.sampling import sampling_chart, sampling_panels
from rdstats.charts.scatter import scatter_chart, scatter_panels
from rdstats.charts.slopes import slope_chart, slope_panels
from rdstats.charts.spread import spread_chart, spread_panels
from rdstats.charts.tradeoff import tradeoff_chart, tradeoff_panels

__all__ = [
    "FIGURES",
    "FORMATS",
    "Figure",
    "Panel",
    "box_chart",
    "box_panels",
    "class_chart",
    "class_panels",
    "confusion_chart",
    "confusion_panels",
    "delta_chart",
    "delta_panels",
    "describe",
    "family_chart",
    "family_panels",
    "figure_panels",
    "level_chart",
    "level_panels",
    "plot",
    "posterior_chart",
    "posterior_panels",
    "ratio_chart",
    "ratio_panels",
    "sampling_chart",
    "sampling_panels",
    "save_chart",
    "scatter_chart",
    "scatter_panels",
    "script_json",
    "slope_chart",
    "slope_panels",
    "specification",
    "spread_chart",
    "spread_panels",
    "to_html",
    "to_svg",
    "tradeoff_chart",
    "tradeoff_panels",
]
