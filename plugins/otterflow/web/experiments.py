"""The list of experiments: filtered, searched, each with its gain and how its trials went."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from otterflow.experiment.comparison import BASELINE
from otterflow.report.plots import sparkline
from otterflow.repository import ExperimentState, Glimpse, Sought
from otterflow.web.opening import Opened
from otterflow.web.reader import Asking
from otterflow.web.rendering import page

router = APIRouter()

MOST = 50
"""Rows of a page."""
_LONGEST = 200
_State = Annotated[str, Query(max_length=20)]
_Text = Annotated[str, Query(max_length=_LONGEST)]


@router.get("/")
def experiments(
    request: Request,
    asking: Asking,
    repository: Opened,
    q: _Text = "",
    state: _State = "",
    target: _Text = "",
    number: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1,
) -> Response:
    """The newest experiments that match."""
    dags = asking.dags(repository)
    sought = Sought(dags=dags, text=q.strip(), state=state, target=target)
    found = repository.glimpses(sought, most=MOST, skip=(number - 1) * MOST)
    return page(
        request,
        "experiments",
        rows=[row_of(glimpse) for glimpse in found.rows],
        total=found.total,
        number=number,
        pages=max(1, -(-found.total // MOST)),
        asked={"q": q, "state": state, "target": target},
        states=[each.value for each in ExperimentState],
        targets=[each.name for each in repository.targets_of(dags)],
        live=any(not glimpse.state.ended for glimpse in found.rows),
    )


def row_of(glimpse: Glimpse) -> dict[str, Any]:
    """An experiment as a row."""
    values = [mark.value if mark.state == "ok" else None for mark in glimpse.marks]
    failed = sum(mark.state.ended and mark.state != "ok" for mark in glimpse.marks)
    return {
        "name": glimpse.name,
        "state": glimpse.state.value,
        "ended": glimpse.state.ended,
        "message": glimpse.message,
        "target": glimpse.target,
        "benchmark": glimpse.benchmark,
        "objective": glimpse.objective,
        "done": glimpse.done,
        "iterations": glimpse.iterations,
        "failed": failed,
        "created_at": glimpse.created_at,
        "gain": gain_of(glimpse.winner, glimpse.ratios),
        "sparkline": sparkline(values, title=f"Trials of {glimpse.name}"),
    }


def gain_of(winner: str | None, ratios: dict[str, Any]) -> dict[str, Any] | None:
    """The ratio of the winner, or of what looked best where nothing won; None where nothing was compared."""
    known = {arm: ratio for arm, ratio in ratios.items() if ratio and ratio.get("ratio") is not None}
    if not known:
        return None
    arm = winner if winner in known else max(known, key=lambda each: float(known[each]["ratio"]))
    return {**known[arm], "arm": arm, "won": winner not in (None, BASELINE)}
