"""Charts of a finished analysis: these functions draw and compute no statistics.

Every chart exists as one Altair chart with a panel for each combination of dataset, arch and any further
dimension (`slope_chart`, `delta_chart`), and as the list of its panels (`slope_panels`, `delta_panels`).
"""

from rdstats.charts.delta import delta_chart, delta_panels
from rdstats.charts.describe import describe
from rdstats.charts.panel import Panel
from rdstats.charts.slope import slope_chart, slope_panels
from rdstats.charts.svg import to_svg

__all__ = ["Panel", "delta_chart", "delta_panels", "describe", "slope_chart", "slope_panels", "to_svg"]
