"""The trials of an experiment: each one's value, the best so far, what is compared with, and what gave no value."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from otterflow.report.plots.axis import Axis, number
from otterflow.report.plots.style import LIGHT
from otterflow.report.plots.svg import Svg, label, line, path, picture, shortened, tag
from otterflow.report.plots.view import WHOLE, View

WIDTH, HEIGHT = 720.0, 320.0
_LEFT, _RIGHT, _TOP, _BOTTOM, _LANE = 72.0, 92.0, 42.0, 46.0, 22.0
_FLOOR = HEIGHT - _BOTTOM - _LANE
"""Where the axis of values begins; the lane of those without one is below."""
OK = "ok"
_MARKED = {"baseline": "baseline", "rules": "rules", "reference": "measured again", "ablation": "knobs sent home"}
"""Kinds of trials with a shape of their own, and what the legend calls them."""


@dataclass(frozen=True)
class TrialPoint:
    """One trial. `value` is what the axis shows, in its unit; None where it has none, as after a crash.

    `kind` and `state` are the repository's words, `told` is shown where a mouse rests on the mark. `href` leads to a
    page of the same site (`/...`, `?...`, `#...` or a relative `./...`); anything else is left out.
    """

    iteration: int
    value: float | None
    state: str = OK
    kind: str = "model"
    told: str = ""
    href: str = ""


class Counted(NamedTuple):
    """What the plot calls the number of a mark, and its marks."""

    number: str = "iteration"
    marks: str = "trials"


_TRIALS = Counted()


def trials_plot(
    points: Sequence[TrialPoint],
    *,
    title: str,
    unit: str,
    maximise: bool,
    lines: Mapping[str, float] | None = None,
    view: View | None = None,
    counted: Counted = _TRIALS,
) -> Svg:
    """Every trial by its iteration, a stepped line of the best so far, and level `lines` by name (the baseline's, say).

    Trials without a value stand as crosses in a lane below. The axis is logarithmic where positive values differ by
    twenty times or more. Without any trial the picture says so. With a `view` that part alone is drawn, the best so far
    still of all trials, and the picture's `data-axes` say to a script what stands where. `counted` is what is said in
    words of what the marks are.
    """
    if not points:
        return picture(WIDTH, 60.0, label(8, 34, "No trial has ended yet."), title=title, description="No trial yet.")
    part = view or WHOLE
    shown = [point for point in points if part.holds(point.iteration, point.value)]
    across = part.across([p.iteration for p in points], _LEFT + 8, WIDTH - _RIGHT - 8)
    best = _best_so_far(points, maximise=maximise)
    levels = dict(lines or {})
    up = part.up(_values(shown, _within(best, across), levels if part.is_whole else {}), _FLOOR, _TOP)
    return picture(
        WIDTH,
        HEIGHT,
        *_grid(up, across, points, unit, counted.number),
        *_levels({name: value for name, value in levels.items() if value == up.within(value)}, up),
        *([_steps(_within(best, across), across, up)] if best else []),
        *(_mark(point, across, up) for point in shown),
        *_legend(shown, best=bool(best)),
        title=title,
        description=_description(points, best, unit, counted.marks)
        if part.is_whole
        else _description_of(part, points, shown, across, counted),
        data_axes=None if view is None else _axes(across, up),
    )


def _values(
    shown: Sequence[TrialPoint], best: Sequence[tuple[float, float]], levels: Mapping[str, float]
) -> list[float]:
    """All that the axis of values is to hold."""
    return [p.value for p in shown if p.value is not None] + [value for _, value in best] + list(levels.values())


def _axes(across: Axis, up: Axis) -> str:
    """The frame in the picture's own units, and the values at its sides."""
    sides = {"left": across.start, "right": across.end, "top": up.end, "bottom": up.start}
    ends = {"first": across.low, "last": across.high, "low": up.low, "high": up.high}
    return json.dumps(sides | ends | {"logarithmic": up.logarithmic})


def _best_so_far(points: Sequence[TrialPoint], *, maximise: bool) -> list[tuple[float, float]]:
    """Where the best so far changes, and how far it goes: the measured values, each with its luck."""
    found: list[tuple[float, float]] = []
    for point in sorted(points, key=lambda p: p.iteration):
        if point.value is None or point.state != OK:
            continue
        best = point.value if not found else (max if maximise else min)(found[-1][1], point.value)
        found.append((point.iteration, best))
    return found


def _within(best: Sequence[tuple[float, float]], across: Axis) -> list[tuple[float, float]]:
    """Of the best so far what is on the axis; it begins with what was the best there already."""
    before = [value for iteration, value in best if iteration <= across.low]
    inside = [(iteration, value) for iteration, value in best if across.low < iteration <= across.high]
    return [(across.low, before[-1]), *inside] if before else inside


def _steps(best: Sequence[tuple[float, float]], across: Axis, up: Axis) -> Svg:
    """The stepped line, as far as it is on the axes: a part beyond them interrupts it."""
    corners: list[tuple[float, float]] = []
    for iteration, value in best:
        if corners:
            corners.append((across.at(iteration), corners[-1][1]))
        corners.append((across.at(iteration), value))
    corners += [(WIDTH - _RIGHT, corners[-1][1])] if corners else []
    strokes: list[list[tuple[float, float]]] = []
    for one, other in pairwise(corners):
        if max(one[1], other[1]) < up.low or min(one[1], other[1]) > up.high:
            continue
        begin, end = ((x, up.at(value)) for x, value in (one, other))
        if strokes and strokes[-1][-1] == begin:
            strokes[-1].append(end)
        else:
            strokes.append([begin, end])
    return path(*strokes, class_="best-line", stroke=LIGHT["best"], width=2)


def _grid(up: Axis, across: Axis, points: Sequence[TrialPoint], unit: str, below: str) -> Iterator[Svg]:
    for mark in up.marks():
        y = up.at(mark)
        yield line(_LEFT, y, WIDTH - _RIGHT, y, class_="grid-line", stroke=LIGHT["grid"])
        yield label(_LEFT - 6, y + 4, number(mark), anchor="end", class_="muted", fill=LIGHT["muted"])
    whole = [mark for mark in across.marks(8) if mark == int(mark)]
    for mark in whole if len(points) > 1 else [points[0].iteration]:
        place = across.at(mark)
        yield label(place, HEIGHT - 24, f"{mark:g}", anchor="middle", class_="muted", fill=LIGHT["muted"])
    yield label(_LEFT - 6, _TOP - 12, unit, anchor="end", class_="muted", fill=LIGHT["muted"])
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    yield label(middle, HEIGHT - 6, below, anchor="middle", class_="muted", fill=LIGHT["muted"])


def _levels(levels: Mapping[str, float], up: Axis) -> Iterator[Svg]:
    """Level lines, their names at the right and out of each other's way."""
    lowest = HEIGHT
    for name, value in sorted(levels.items(), key=lambda item: up.at(item[1]), reverse=True):
        y = up.at(value)
        lowest = min(y + 4, lowest - 13)
        yield tag(
            "line", x1=_LEFT, y1=y, x2=WIDTH - _RIGHT, y2=y, class_="muted-line", stroke=LIGHT["muted"],
            stroke_dasharray="5 4",
        )  # fmt: skip
        yield label(WIDTH - _RIGHT + 5, lowest, shortened(name, 13), class_="muted", fill=LIGHT["muted"])


def _mark(point: TrialPoint, across: Axis, up: Axis) -> Svg:
    x = across.at(point.iteration)
    hint = tag("title", point.told or _told(point))
    if point.value is None or point.state != OK:
        y = up.at(point.value) if point.value is not None else HEIGHT - _BOTTOM - 6
        return _linked(tag("g", hint, _cross(x, y)), point)
    return _linked(tag("g", hint, _shape(point.kind, x, up.at(point.value))), point)


def _linked(mark: Svg, point: TrialPoint) -> Svg:
    leads_here = point.href.startswith(("/", "?", "#", "./")) and not point.href.startswith("//")
    return tag("a", mark, href=point.href, aria_label=point.told or _told(point)) if leads_here else mark


def _told(point: TrialPoint) -> str:
    value = "no value" if point.value is None else number(point.value)
    return f"iteration {point.iteration}, {point.kind}: {value}" + ("" if point.state == OK else f", {point.state}")


def _shape(kind: str, x: float, y: float) -> Svg:
    """A square for the baseline, a triangle for the rules, hollow for what was measured before, else a dot."""
    if kind == "baseline":
        return tag("rect", x=x - 5, y=y - 5, width=10.0, height=10.0, class_="ink", fill=LIGHT["ink"])
    if kind == "rules":
        way = f"M{x:.1f},{y - 6:.1f} L{x + 6:.1f},{y + 5:.1f} L{x - 6:.1f},{y + 5:.1f} Z"
        return tag("path", d=way, class_="good", fill=LIGHT["good"])
    if kind == "reference":
        return tag(
            "circle", cx=x, cy=y, r=4.5, class_="muted-line", stroke=LIGHT["muted"], stroke_width="2", fill="none"
        )
    if kind == "ablation":
        way = f"M{x:.1f},{y - 6:.1f} L{x + 6:.1f},{y:.1f} L{x:.1f},{y + 6:.1f} L{x - 6:.1f},{y:.1f} Z"
        return tag("path", d=way, class_="trial-line", stroke=LIGHT["trial"], stroke_width="2", fill="none")
    return tag("circle", cx=x, cy=y, r=4.0, class_="trial", fill=LIGHT["trial"])


def _cross(x: float, y: float) -> Svg:
    way = f"M{x - 4:.1f},{y - 4:.1f} L{x + 4:.1f},{y + 4:.1f} M{x - 4:.1f},{y + 4:.1f} L{x + 4:.1f},{y - 4:.1f}"
    return tag("path", d=way, class_="bad-line", stroke=LIGHT["bad"], stroke_width="2", fill="none")


def _legend(points: Sequence[TrialPoint], *, best: bool) -> Iterator[Svg]:
    """What the shapes mean, of those that are in the picture."""
    x, y = _LEFT, 14.0
    kinds = {point.kind for point in points if point.state == OK}
    entries = [(name, _shape(kind, 0, 0)) for kind, name in _MARKED.items() if kind in kinds]
    if kinds - _MARKED.keys():
        entries.append(("trial", _shape("model", 0, 0)))
    if any(point.value is None or point.state != OK for point in points):
        entries.append(("gave no value", _cross(0, 0)))
    if best:
        entries.append(("best so far", path([(-7, 0), (7, 0)], class_="best-line", stroke=LIGHT["best"], width=2)))
    for name, shape in entries:
        yield tag("g", shape, transform=f"translate({x:.0f},{y - 4:.0f})")
        yield label(x + 11, y, name)
        x += 26 + 6.6 * len(name)


def _description_of(
    part: View, points: Sequence[TrialPoint], shown: Sequence[TrialPoint], across: Axis, counted: Counted
) -> str:
    ends_of = f"{counted.number.capitalize()}s {across.low:g} to {across.high:g}"
    said = f"{ends_of}: {len(shown)} of {len(points)} {counted.marks}"
    ends = [f"{word} {number(end)}" for word, end in (("from", part.low), ("to", part.high)) if end is not None]
    return f"{said}{', values ' + ' '.join(ends) if ends else ''}."


def _description(points: Sequence[TrialPoint], best: Sequence[tuple[float, float]], unit: str, marks: str) -> str:
    failed = sum(point.value is None or point.state != OK for point in points)
    said = f"{len(points)} {marks}" + (f", {failed} of them without a value" if failed else "")
    if not best:
        return said + "."
    return f"{said}; the best so far went from {number(best[0][1])} to {number(best[-1][1])} {unit}".rstrip() + "."
