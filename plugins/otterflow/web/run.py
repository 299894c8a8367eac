"""From a Dag run to its experiment or trial: what the tab on a run opens."""

from __future__ import annotations

import re

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from otterflow.repository import Repository
from otterflow.web.opening import Opened
from otterflow.web.reader import Asking
from otterflow.web.rendering import page, part

router = APIRouter()

_ITERATION = re.compile(r"^(?P<name>.+)-(?P<iteration>\d{4,9})(?:\.\d+)?$")
_FINISH = re.compile(r"^(?P<name>.+)-finish-\d+(?:\.\d+)?$")


@router.get("/run/{dag_id}/{run_id:path}")
def run(request: Request, asking: Asking, repository: Opened, dag_id: str, run_id: str) -> Response:
    """Leads to what the run belongs to, or says that it belongs to none."""
    name, iteration = belongs_to(repository, dag_id, run_id)
    owner = None if name is None else repository.opener(name)
    if name is None or owner is None or not asking.may_read(owner):
        return page(request, "run", dag=dag_id, run=run_id)
    base = request.scope["root_path"]
    to = f"{base}/experiment/{part(name)}"
    return RedirectResponse(to if iteration is None else f"{to}/trial/{iteration}", 303)


def belongs_to(repository: Repository, dag_id: str, run_id: str) -> tuple[str | None, int | None]:
    """The experiment, and the iteration of a trial's run."""
    if dag_id == "tuning_iteration" and (found := _ITERATION.match(run_id)):
        return found["name"], int(found["iteration"])
    if dag_id == "tuning_finish" and (found := _FINISH.match(run_id)):
        return found["name"], None
    opened = repository.opened_by(f"{dag_id}/{run_id}")
    return opened or run_id, None
