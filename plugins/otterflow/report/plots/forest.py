"""A forest plot: how many times better each configuration is than the baseline, with its interval, beside the 1."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from otterflow.report.plots.axis import Axis, axis, number
from otterflow.report.plots.style import LIGHT
from otterflow.report.plots.svg import Svg, label, line, picture, shortened, tag

WIDTH = 720.0
_LEFT, _RIGHT, _TOP, _ROW, _BOTTOM = 170.0, 170.0, 30.0, 30.0, 40.0
NARROW = 300.0
"""As wide as Airflow's form of a question shows a picture, however wide it is."""
_EDGE, _HIGH_ROW = 12.0, 46.0
_MOST = 25.0
"""An interval's end that is so many times further from 1 than the furthest ratio is cut off, and ends in an arrow."""


@dataclass(frozen=True)
class ForestRow:
    """One configuration, interval or recording. `ratio` above 1 is better; `low` and `high` are None where unknown.

    `ratio` None stands for a row without a number, of which `note` says why. `bold` marks the row to look at.
    """

    name: str
    ratio: float | None
    low: float | None = None
    high: float | None = None
    note: str = ""
    bold: bool = False


def forest_plot(rows: Sequence[ForestRow], *, title: str, matters: float | None = None) -> Svg:
    """The rows from top to bottom on one axis of ratios; right of 1 is better than the baseline.

    `matters` is the gain that would matter, as a share (0.03 for 3 %): the band about 1 that is narrower is shaded. The
    axis is logarithmic unless an interval reaches zero.
    """
    return _drawn(rows, _axis(rows, _LEFT, WIDTH - _RIGHT), WIDTH, _ROW, _row, title, matters)


def narrow_forest_plot(rows: Sequence[ForestRow], *, title: str) -> Svg:
    """The same for a place of `NARROW` pixels on white: each row's words stand above its interval."""
    return _drawn(rows, _axis(rows, _EDGE, NARROW - _EDGE), NARROW, _HIGH_ROW, _high_row, title, None)


def _drawn(
    rows: Sequence[ForestRow],
    across: Axis,
    width: float,
    row_height: float,
    draw: Callable[[ForestRow, int, Axis], Iterator[Svg]],
    title: str,
    matters: float | None,
) -> Svg:
    height = _TOP + row_height * max(len(rows), 1) + _BOTTOM
    return picture(
        width,
        height,
        *_frame(across, height, matters),
        *(part for position, row in enumerate(rows) for part in draw(row, position, across)),
        title=title,
        description=_description(rows),
    )


def _axis(rows: Sequence[ForestRow], start: float, end: float) -> Axis:
    ratios = [1.0] + [row.ratio for row in rows if row.ratio is not None and math.isfinite(row.ratio)]
    ends = [end for row in rows for end in (row.low, row.high) if end is not None and math.isfinite(end)]
    logarithmic = min(ratios + ends) > 0
    if logarithmic:
        low, high = min(ratios) / _MOST, max(ratios) * _MOST
        shown = ratios + [min(max(end, low), high) for end in ends]
        if max(shown) / min(shown) < 1.1:  # a hair's breadth should look like one
            shown += [0.95, 1.05]
    else:
        shown = ratios + ends
    return axis(shown, start, end, logarithmic=logarithmic)


def _frame(across: Axis, height: float, matters: float | None) -> Iterator[Svg]:
    bottom = height - _BOTTOM
    if matters:
        left, right = across.at(1 / (1 + matters)), across.at(1 + matters)
        yield tag(
            "rect", x=left, y=_TOP - 8, width=right - left, height=bottom - _TOP + 8, class_="grid", fill=LIGHT["grid"],
            fill_opacity="0.6",
        )  # fmt: skip
    for mark in across.marks(4):
        x = across.at(mark)
        yield line(x, _TOP - 8, x, bottom, class_="grid-line", stroke=LIGHT["grid"])
        yield label(x, bottom + 15, number(mark), anchor="middle", class_="muted", fill=LIGHT["muted"])
    one = across.at(1.0)
    yield line(one, _TOP - 8, one, bottom, class_="ink-line", stroke=LIGHT["ink"], width=1.5)
    middle = (across.start + across.end) / 2
    yield label(middle, height - 6, "times better than the baseline", anchor="middle", class_="muted",
                fill=LIGHT["muted"])  # fmt: skip
    yield label(across.start, 14, "← worse", class_="muted", fill=LIGHT["muted"])
    yield label(across.end, 14, "better →", anchor="end", class_="muted", fill=LIGHT["muted"])


def _row(row: ForestRow, position: int, across: Axis) -> Iterator[Svg]:
    y = _TOP + _ROW * (position + 0.5)
    name = shortened(row.name, 24)
    yield tag(
        "text", name, tag("title", row.name), x=_LEFT - 10, y=y + 4, text_anchor="end", class_="ink", fill=LIGHT["ink"],
        font_weight="bold" if row.bold else None,
    )  # fmt: skip
    told = _figures(row)
    yield tag("text", shortened(told, 27), tag("title", told), x=WIDTH - _RIGHT + 10, y=y + 4, class_="ink",
              fill=LIGHT["ink"])  # fmt: skip
    yield from _interval(row, y, across)


def _high_row(row: ForestRow, position: int, across: Axis) -> Iterator[Svg]:
    top = _TOP + _HIGH_ROW * position
    told = _figures(row)
    name = shortened(row.name, max(8, 44 - len(told)))
    on_ground = {"stroke": "#ffffff", "stroke_width": "4", "paint_order": "stroke"}  # no line goes through the words
    yield tag(
        "text", name, tag("title", row.name), x=across.start, y=top + 14, class_="ink", fill=LIGHT["ink"],
        font_weight="bold" if row.bold else None, **on_ground,
    )  # fmt: skip
    yield tag("text", shortened(told, 36), tag("title", told), x=across.end, y=top + 14, text_anchor="end",
              class_="ink", fill=LIGHT["ink"], **on_ground)  # fmt: skip
    yield from _interval(row, top + 30, across)


def _interval(row: ForestRow, y: float, across: Axis) -> Iterator[Svg]:
    """The ratio as a box on its interval; nothing where there is none."""
    if row.ratio is None:
        return
    colour = "good" if row.low is not None and row.low > 1 else "trial"
    colour = "bad" if row.high is not None and row.high < 1 else colour
    if row.low is not None and row.high is not None:
        yield line(across.at(row.low), y, across.at(row.high), y, class_=f"{colour}-line", stroke=LIGHT[colour],
                   width=2)  # fmt: skip
        yield from (_end(end, y, across, colour) for end in (row.low, row.high))
    size = 5.0 if row.bold else 4.0
    yield tag("rect", x=across.at(row.ratio) - size, y=y - size, width=2 * size, height=2 * size, class_=colour,
              fill=LIGHT[colour])  # fmt: skip


def _end(end: float, y: float, across: Axis, colour: str) -> Svg:
    """A short bar; an arrow where the interval goes on beyond the axis."""
    x, beyond = across.at(end), (end > across.high) - (end < across.low)
    way = (
        f"M{x:.1f},{y - 5:.1f} L{x:.1f},{y + 5:.1f}"
        if not beyond
        else f"M{x - 5 * beyond:.1f},{y - 4:.1f} L{x:.1f},{y:.1f} L{x - 5 * beyond:.1f},{y + 4:.1f}"
    )
    return tag("path", d=way, class_=f"{colour}-line", stroke=LIGHT[colour], stroke_width="2", fill="none")


def _figures(row: ForestRow) -> str:
    if row.ratio is None:
        return row.note or "not measured"
    interval = "" if row.low is None or row.high is None else f" ({row.low:.2f} to {row.high:.2f})"
    return f"{row.ratio:.2f}{interval}" + (f" {row.note}" if row.note else "")


def _description(rows: Sequence[ForestRow]) -> str:
    return "; ".join(f"{row.name}: {_figures(row)}" for row in rows) or "Nothing was compared."
