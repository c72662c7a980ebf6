"""What every figure shows, as one finished Dataset: `rdstats.charts` draws it and computes nothing.

Each function takes the result of `rdstats.analyze` and raises `rdstats.errors.UnanswerableError`, with what the
figure would need, where a cube cannot answer it.
"""

from rdstats.figures.boxes import box_figure
from rdstats.figures.classes import class_figure
from rdstats.figures.confusion import confusion_figure
from rdstats.figures.delta import delta_figure
from rdstats.figures.family import family_figure
from rdstats.figures.posterior import posterior_figure
from rdstats.figures.ratios import ratio_figure
from rdstats.figures.sampling import sampling_figure
from rdstats.figures.scatter import scatter_figure
from rdstats.figures.slopes import slope_figure
from rdstats.figures.spread import spread_figure
from rdstats.figures.tradeoff import level_figure, tradeoff_figure

__all__ = [
    "box_figure",
    "class_figure",
    "confusion_figure",
    "delta_figure",
    "family_figure",
    "level_figure",
    "posterior_figure",
    "ratio_figure",
    "sampling_figure",
    "scatter_figure",
    "slope_figure",
    "spread_figure",
    "tradeoff_figure",
]
