"""The nights of each schedule: what every night came to, and the gain of each beside its interval."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from otterflow import settings
from otterflow.experiment.nights import COLUMNS, Night, known_nights
from otterflow.experiment.schedule import dag_of
from otterflow.report.plots import ForestRow, forest_plot
from otterflow.web.opening import Opened
from otterflow.web.reader import Asking
from otterflow.web.rendering import page

router = APIRouter()

MOST = 60
"""Nights that are shown, the newest."""
_FEW = 5
"""So many names that begin like a schedule's are looked at for its newest night: another's may begin so, too."""


@router.get("/nights")
def nights(request: Request, asking: Asking, repository: Opened) -> Response:
    """The schedules whose Dag may be read, each with its newest night."""
    dags = asking.dags(repository)
    rows = [
        {"name": name, "dag": dag_of(name), "newest": found[-1] if found else None}
        for name in schedules()
        if asking.may_read(dag_of(name))
        for found in [known_nights(repository, name, dags, most=_FEW)]
    ]
    return page(request, "nights", rows=rows)


@router.get("/nights/{name}")
def schedule(request: Request, asking: Asking, repository: Opened, name: str) -> Response:
    """One schedule's nights, the newest first."""
    if name not in schedules() or not asking.may_read(dag_of(name)):
        raise HTTPException(404)
    found = known_nights(repository, name, asking.dags(repository), most=MOST)
    return page(
        request,
        "schedule",
        name=name,
        dag=dag_of(name),
        columns=COLUMNS,
        rows=[_row(night) for night in reversed(found)],
        forest=forest_plot([_forest_row(night) for night in found], title=f"Nights of {name}") if found else None,
        most=MOST,
    )


def schedules() -> list[str]:
    """The schedules that there are, by the names of their files."""
    return sorted(path.stem for path in settings.schedules_dir().glob("*.yaml"))


def _row(night: Night) -> dict[str, Any]:
    return {"night": night, "cells": night.cells()}


def _forest_row(night: Night) -> ForestRow:
    def ratio(percent: float | None) -> float | None:
        return None if percent is None else 1 + percent / 100

    low, high = ratio(night.low_percent), ratio(night.high_percent)
    return ForestRow(night.night, ratio(night.gain_percent), low, high, note=night.then, bold=night.then == "installed")
