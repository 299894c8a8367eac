"""Who reads a page, and what they may see: Airflow is asked, nobody else.

An experiment belongs to the Dag whose run opened it. Whoever may not read that Dag's runs gets the same answer as for
an experiment that there is not.
"""

from __future__ import annotations

from typing import Annotated, Protocol

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.models.dag import DagModel
from fastapi import Depends

from otterflow.repository import Repository


class Rights(Protocol):
    """What of a Dag may be read."""

    def __call__(self, dag_id: str, entity: DagAccessEntity) -> bool:
        """Whether it may."""


class Reader:
    """Who asks. Answers are kept for as long as the request takes."""

    def __init__(self, rights: Rights) -> None:
        self._rights = rights
        self._known: dict[tuple[str, DagAccessEntity], bool] = {}

    def may_read(self, dag_id: str, entity: DagAccessEntity = DagAccessEntity.RUN) -> bool:
        """Whether the runs of a Dag may be read, or what else of it."""
        key = (dag_id, entity)
        if key not in self._known:
            self._known[key] = self._rights(dag_id, entity)
        return self._known[key]

    def may_read_logs(self, dag_id: str) -> bool:
        """Whether the logs of a Dag's tasks may be read."""
        return self.may_read(dag_id, DagAccessEntity.TASK_LOGS)

    def dags(self, repository: Repository) -> set[str]:
        """The Dags whose experiments may be shown."""
        return {dag_id for dag_id in repository.openers() if self.may_read(dag_id)}


def reader(user: GetUserDep) -> Reader:
    """The reader of a request. Airflow has checked the token by then: without one that holds this is not reached."""

    def rights(dag_id: str, entity: DagAccessEntity) -> bool:
        details = DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))
        return get_auth_manager().is_authorized_dag(method="GET", access_entity=entity, details=details, user=user)

    return Reader(rights)


Asking = Annotated[Reader, Depends(reader)]
