"""The picture of what a promotion rests on, for the question to a person: Airflow shows it there by its address."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

from otterflow.errors import InvalidInput
from otterflow.report.plots import ForestRow, narrow_forest_plot, on_white
from otterflow.repository import Promotion, Repository
from otterflow.web.opening import Opened
from otterflow.web.reader import Asking

router = APIRouter()

_LARGEST = 2**31 - 1


@router.get("/promotion/{number}/plot.svg")
def plot(asking: Asking, repository: Opened, number: int) -> Response:
    """The comparison behind the proposal, for who may read the run that asks; 404 where nothing was compared."""
    found = _found(repository, number)
    if found is None or not asking.may_read(found.run.partition("/")[0]):
        raise HTTPException(404)
    compared = found.proposal.get("compared")
    if not compared:
        raise HTTPException(404)
    rows = [
        ForestRow(row["arm"], row["ratio"], row["low"], row["high"], bold=row["arm"] == compared["proposed"])
        for row in compared["rows"]
    ]
    drawn = on_white(narrow_forest_plot(rows, title=f"{compared['objective']} of {compared['benchmark']}"))
    return Response(drawn, media_type="image/svg+xml")


def _found(repository: Repository, number: int) -> Promotion | None:
    try:
        return repository.promotion(number) if 0 < number <= _LARGEST else None
    except InvalidInput:
        return None
