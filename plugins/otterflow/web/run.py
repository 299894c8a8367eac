"""From a Dag run to its experiment or trial: what the tab on a run opens."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from otterflow.experiment.run_names import read_run_id
from otterflow.repository import Repository
from otterflow.web.opening import Opened
from otterflow.web.reader import Asking
from otterflow.web.rendering import page, part

router = APIRouter()


@router.get("/run/{dag_id}/{run_id:path}")
def run(request: Request, asking: Asking, repository: Opened, dag_id: str, run_id: str) -> Response:
    """Leads to what the run belongs to, or says that it belongs to none."""
    name, iteration = belongs_to(repository, dag_id, run_id)
    owner = repository.opener(name)
    if owner is None or not asking.may_read(owner):
        return page(request, "run", dag=dag_id, run=run_id)
    base = request.scope["root_path"]
    to = f"{base}/experiment/{part(name)}"
    return RedirectResponse(to if iteration is None else f"{to}/trial/{iteration}", 303)


def belongs_to(repository: Repository, dag_id: str, run_id: str) -> tuple[str, int | None]:
    """The experiment, and the iteration of a trial's run."""
    named = read_run_id(dag_id, run_id)
    return named or (repository.opened_by(f"{dag_id}/{run_id}") or run_id, None)
