"""The pages over a real repository, with a made-up answer to who asks: Airflow itself is asked in `tests/e2e`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from airflow.api_fastapi.core_api.security import get_user
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from otterflow.operators.connections import open_repository
from otterflow.repository import Repository
from otterflow.web import app
from otterflow.web.headers import WithHeaders
from otterflow.web.reader import Reader, reader

BASE = "/otterflow"


class FakeRights:
    """Stands for Airflow's auth manager: whoever asks may read these Dags, their logs only where `logs` says so."""

    def __init__(self, dags: set[str] | None = None, *, logs: bool = True) -> None:
        self.dags, self.logs = dags, logs

    def __call__(self, dag_id: str, entity: object) -> bool:
        """Whether the Dag may be read."""
        if getattr(entity, "value", "") == "TASK_LOGS" and not self.logs:
            return False
        return self.dags is None or dag_id in self.dags


class FakeUser:
    """Stands for a user whose token Airflow has accepted."""

    def get_name(self) -> str:
        """The name."""
        return "somebody"


def mounted(pages: ASGIApp) -> TestClient:
    """A browser of the pages where Airflow mounts them; a redirect is not followed."""
    return TestClient(Starlette(routes=[Mount(BASE, pages)]), f"http://testserver{BASE}", follow_redirects=False)


Client = Callable[..., TestClient]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def repository(home: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """The module's repository, found as tasks find it."""
    monkeypatch.setenv("OTTERFLOW_HOME", str(home))
    monkeypatch.delenv("OTTERFLOW_TARGETS_DIR", raising=False)
    return open_repository()


@pytest.fixture
def client(repository: Repository) -> Client:
    """Makes a browser of the pages for who has these rights."""

    def made(dags: set[str] | None = None, *, logs: bool = True) -> TestClient:
        pages = app.pages()
        pages.dependency_overrides[get_user] = FakeUser
        pages.dependency_overrides[reader] = lambda: Reader(FakeRights(dags, logs=logs))
        return mounted(WithHeaders(pages))

    return made
