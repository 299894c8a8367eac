"""What may be taken along of an experiment: its report, and a configuration of it for other tools.

Both are made anew of what the repository holds, so they are to be had wherever the tasks have run.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.exceptions import HTTPException
from starlette.responses import Response

from otterflow.errors import InvalidInput
from otterflow.report.bundle import export
from otterflow.report.page import report_page
from otterflow.web.opening import Opened
from otterflow.web.reader import Asking
from otterflow.web.rendering import part
from otterflow.web.shown import has_report, owner, seen

router = APIRouter()


@router.get("/experiment/{name}/report.html")
def report(asking: Asking, repository: Opened, name: str) -> Response:
    """The report as one file; 422 while there is no result to report."""
    experiment = seen(repository, asking, name)
    if not has_report(experiment):
        raise HTTPException(422, "This experiment has no result that a report could be made of.")
    try:
        text = report_page(experiment, experiment.outcome or {})
    except InvalidInput as error:
        raise HTTPException(422, str(error)) from None
    return _file(text.encode(), f"{name}-report.html", "text/html; charset=utf-8")


@router.get("/experiment/{name}/export.zip")
def bundle(
    asking: Asking, repository: Opened, name: str, configuration: Annotated[str, Query(max_length=200)] = "best"
) -> Response:
    """The bundle of a configuration: `best`, `rules`, an arm's name or a trial's number; 422 where there is none."""
    owner(repository, asking, name)
    try:
        archive = export(repository, name, configuration).archive()
    except InvalidInput as error:
        raise HTTPException(422, str(error)) from None
    return _file(archive, f"{name}-{configuration}.zip", "application/zip")


def _file(content: bytes, called: str, kind: str) -> Response:
    """A file that is kept, and never shown as a page of Airflow's: its style is its own."""
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{part(called)}"}
    return Response(content, media_type=kind, headers=headers)
