"""The repository for a request: found by the connection that tasks use, and kept for as long as that leads there."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

from fastapi import Depends
from sqlalchemy import URL

from otterflow import settings
from otterflow.repository import Repository
from otterflow.repository.addressed import url_of


def opened() -> Repository:
    """The repository behind the connection `otterflow_repository`, or the embedded SQLite file without one.

    Raises RepositoryUnavailable when it cannot be reached.
    """
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        found = BaseHook.get_connection(settings.REPOSITORY_CONN_ID)
    except AirflowNotFoundException:
        return _at(f"sqlite:///{settings.private_home() / 'repository.db'}")
    return _at(url_of(settings.REPOSITORY_CONN_ID, found))


@lru_cache(maxsize=2)
def _at(url: str | URL) -> Repository:
    """A repository holds no connection, and is brought up to date when it is opened: once a process is enough."""
    return Repository.open(url)


Opened = Annotated[Repository, Depends(opened)]
