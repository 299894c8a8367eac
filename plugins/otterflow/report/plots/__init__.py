"""Plots as SVG text, from plain data: for the report, for pages, and for whatever else shows an experiment.

Each function gives an `Svg`, which a template with autoescape takes as it is. A plot can be read without any style
sheet, on a light ground; with `CSS` in the page's own it follows the light and the dark. Nothing in it is a script or
an inline style, so a strict content security policy lets it through. All texts that are handed in are escaped.
"""

from otterflow.report.plots.effects import Effect, effects_plot
from otterflow.report.plots.forest import ForestRow, forest_plot, narrow_forest_plot
from otterflow.report.plots.sparkline import sparkline
from otterflow.report.plots.style import CSS
from otterflow.report.plots.svg import Svg, on_white
from otterflow.report.plots.trials import Counted, TrialPoint, trials_plot
from otterflow.report.plots.view import View

__all__ = [
    "CSS",
    "Counted",
    "Effect",
    "ForestRow",
    "Svg",
    "TrialPoint",
    "View",
    "effects_plot",
    "forest_plot",
    "narrow_forest_plot",
    "on_white",
    "sparkline",
    "trials_plot",
]
