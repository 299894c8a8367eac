"""The targets: who holds each, what is in force, the last good configuration, and how the machine drifts over weeks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from otterflow.experiment.comparison import BASELINE
from otterflow.report.plots import Counted, TrialPoint, View, trials_plot
from otterflow.repository import KnownPoint, Repository, Sought, TargetGlimpse
from otterflow.web.experiments import row_of
from otterflow.web.opening import Opened
from otterflow.web.reader import Asking
from otterflow.web.rendering import page, short, when
from otterflow.web.shown import KnobTexts, knob_rows
from otterflow.web.zoom import Viewed, zoom

router = APIRouter()

WEEKS = 12
"""How far back the drift of a machine is shown."""
MOST_POINTS = 500
"""And by how many measurements at most, the newest."""
_NEWEST = 10
_LEAST = 2
_MOST_SERIES = 6
_MEASUREMENTS = Counted("measurement", "measurements")

Series = list[tuple[int, KnownPoint]]
"""Measurements of one configuration in the order of time, each with its number."""


@router.get("/targets")
def targets(request: Request, asking: Asking, repository: Opened) -> Response:
    """All targets of experiments that may be read."""
    dags = asking.dags(repository)
    found = repository.targets_of(dags)
    seen = _seen(repository, dags, found)
    rows: list[dict[str, Any]] = [
        {
            "name": each.name,
            "dbms": each.dbms,
            "experiments": each.experiments,
            "newest": each.newest,
            "holder": each.holder if each.holder in seen else None,
            "held": each.holder is not None,
            "held_since": each.held_since,
        }
        for each in found
    ]
    return page(request, "targets", rows=rows)


@router.get("/target/{name}")
def target(request: Request, asking: Asking, repository: Opened, name: str, part: Viewed) -> Response:
    """One target; of its drift the part that the address says."""
    dags = asking.dags(repository)
    found = next((each for each in repository.targets_of(dags) if each.name == name), None)
    if found is None:
        raise HTTPException(404)
    points = repository.known_points(name, dags, since=datetime.now(UTC) - timedelta(weeks=WEEKS), most=MOST_POINTS)
    series = series_of(points)
    return page(
        request,
        "target",
        target=found,
        holder=found.holder if found.holder in _seen(repository, dags, [found]) else None,
        good=last_good(repository, name, dags),
        drifts=[_drift(each, part) for each in series],
        zoom=zoom([number for each in series for number, _ in each], part, {}, "measurement", "share of the first"),
        weeks=WEEKS,
        most=MOST_POINTS if len(points) == MOST_POINTS else None,
        rows=[row_of(g) for g in repository.glimpses(Sought(dags=dags, target=name), most=_NEWEST).rows],
    )


def _seen(repository: Repository, dags: set[str], targets: Sequence[TargetGlimpse]) -> set[str]:
    """Of the experiments that hold the targets those that may be read."""
    holders = [each.holder for each in targets if each.holder is not None]
    return {name for name, dag in repository.openers_of(holders).items() if dag in dags}


def last_good(repository: Repository, target: str, dags: set[str]) -> dict[str, Any] | None:
    """The last configuration known to be good, by the newest experiment that has one, beside what that began with."""
    name = repository.newest_with_last_good(target, dags)
    if name is None:
        return None
    experiment = repository.experiment(name)
    good = experiment.last_good.configuration if experiment.last_good else {}
    outcome = experiment.outcome or {}
    columns = {"before": experiment.baseline or {}, "last good": good}
    return {
        "experiment": name,
        "ended": experiment.state.ended,
        "installed": outcome.get("installed"),
        "is_baseline": outcome.get("installed") == BASELINE,
        "columns": list(columns),
        "rows": knob_rows(columns, KnobTexts(experiment), "before"),
        "file": experiment.last_good.file if experiment.last_good else "",
    }


def series_of(points: Sequence[KnownPoint]) -> list[Series]:
    """The same configuration measured again and again for the same benchmark: what moves is the machine, or the load.

    The longest first. A measurement's number is its place in time among all of `points`, so that the same part of
    several series is of the same days.
    """
    series: defaultdict[tuple[str, str, str], Series] = defaultdict(list)
    for number, point in enumerate(points, 1):
        series[point.benchmark, point.objective, point.configuration].append((number, point))
    return sorted((s for s in series.values() if len(s) >= _LEAST), key=len, reverse=True)[:_MOST_SERIES]


def _drift(series: Series, part: View) -> dict[str, Any]:
    """The picture of a part of a series, and what the part comes to; each value as a share of the series' first."""
    first = series[0][1]
    marks = [
        TrialPoint(
            iteration=number,
            value=point.value / first.value if first.value else 1.0,
            kind="reference",
            told=f"{when(point.at)} UTC, {point.experiment}: {short(point.value)}",
        )
        for number, point in series
    ]
    title = f"{first.objective} of {first.benchmark}, one configuration measured {len(series)} times"
    lines = {"first": 1.0}
    return {
        "plot": trials_plot(
            marks, title=title, unit="x first", maximise=True, lines=lines, view=part, counted=_MEASUREMENTS
        ),
        "title": title,
        "stretch": _stretch_of(series, marks, part),
    }


def _stretch_of(series: Series, marks: Sequence[TrialPoint], part: View) -> dict[str, Any] | None:
    """The measurements of the part, the oldest first, and between which shares; None where nothing is in it."""
    rows: list[dict[str, Any]] = [
        {"number": number, "at": point.at, "experiment": point.experiment, "value": point.value, "share": mark.value}
        for (number, point), mark in zip(series, marks, strict=True)
        if mark.value is not None and part.holds(number, mark.value)
    ]
    if not rows:
        return None
    shares = [row["share"] for row in rows]
    return {"rows": rows, "low": min(shares), "high": max(shares)}
