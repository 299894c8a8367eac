"""A line in the size of a word: how the values went, for a row of a table."""

from __future__ import annotations

from collections.abc import Sequence

from otterflow.report.plots.axis import axis, number
from otterflow.report.plots.style import LIGHT
from otterflow.report.plots.svg import Svg, path, picture, tag

WIDTH, HEIGHT = 120.0, 26.0


def sparkline(values: Sequence[float | None], *, title: str) -> Svg:
    """The values in their order, those that are None left out, with a dot at the last."""
    known = [(position, value) for position, value in enumerate(values) if value is not None]
    if not known:
        return picture(WIDTH, HEIGHT, title=title, description="no value yet", class_="plot sparkline")
    across = axis([0.0, float(max(len(values) - 1, 1))], 4.0, WIDTH - 4, room=0.0)
    up = axis([value for _, value in known], HEIGHT - 4, 4.0, room=0.0)
    places = [(across.at(position), up.at(value)) for position, value in known]
    drawn = [path(places, class_="trial-line", stroke=LIGHT["trial"])] if len(places) > 1 else []
    x, y = places[-1]
    return picture(
        WIDTH,
        HEIGHT,
        *drawn,
        tag("circle", cx=x, cy=y, r=2.5, class_="best", fill=LIGHT["best"]),
        title=title,
        description=f"from {number(known[0][1])} to {number(known[-1][1])}",
        class_="plot sparkline",
    )
