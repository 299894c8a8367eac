"""An empty, migrated repository on each database that it runs on; PostgreSQL is a private cluster."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import URL, text

from otterflow.repository import Repository
from otterflow.repository.database import Database
from otterflow.repository.tables import Base
from stack.postgres import ROLE, PrivateCluster
from stack.processes import belonging_to, end_all
from stack.users import server_user

_numbers = count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PrivateCluster]:
    """A private PostgreSQL for repositories alone: the one that the other tests tune is stopped now and then."""
    root = Path(tempfile.mkdtemp(prefix="otterflow-repository-"))
    root.chmod(0o755)
    cluster = PrivateCluster(root, server_user())
    try:
        cluster.create()
        cluster.user.write_file(cluster.knobs_file, "fsync = off\n")  # a database for every test: no need to be durable
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        end_all(belonging_to(root))
        shutil.rmtree(root)


BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)]


@contextmanager
def _empty_database(cluster: PrivateCluster) -> Iterator[URL]:
    name = f"repository_{next(_numbers)}"
    with cluster.connect("postgres") as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield URL.create("postgresql", ROLE, cluster.password, cluster.host, cluster.port, name)
    with cluster.connect("postgres") as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=BOTH)
def bare_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[URL]:
    """The URL of a database without tables."""
    if request.param == "sqlite":
        yield URL.create("sqlite", database=str(tmp_path / "bare.db"))
        return
    with _empty_database(request.getfixturevalue("postgres")) as url:
        yield url


@pytest.fixture(scope="session")
def migrated_database(postgres: PrivateCluster) -> Iterator[URL]:
    """A PostgreSQL repository to empty before each use."""
    with _empty_database(postgres) as url:
        Repository.open(url)
        yield url


@pytest.fixture
def postgres_url(migrated_database: URL) -> URL:
    """The URL of a migrated repository without content, on PostgreSQL."""
    with Database(migrated_database).write() as session:
        session.execute(text(f"TRUNCATE {', '.join(Base.metadata.tables)} RESTART IDENTITY"))
    return migrated_database


@pytest.fixture(params=BOTH)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    """The URL of a migrated repository without content."""
    if request.param == "sqlite":
        file = tmp_path / "repository.db"
        shutil.copyfile(request.getfixturevalue("migrated_file"), file)
        return URL.create("sqlite", database=str(file))
    url: URL = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def repository(url: URL) -> Repository:
    """A migrated repository without content."""
    return Repository.open(url, migrate=False)
