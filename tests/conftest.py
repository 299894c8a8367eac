"""Fixtures that all tests share: Airflow's folders in a temporary place, and a private database host."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from sqlalchemy import URL, Engine, make_url

PROJECT = Path(__file__).resolve().parents[1]
MIGRATED = PROJECT / "tests" / "repository"
"""Where migrations are what is tested."""

gc.disable()  # until the tests are collected; see pytest_runtestloop
_UMASK = os.umask(0o022)
os.umask(_UMASK)

# The tests run in several processes: linear algebra in several threads each would make them wait for each other. Read
# when NumPy is first imported, and handed on to the processes that tests start.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

# Airflow reads its configuration when it is first imported, so this comes before any test module does that.
_SCRATCH = Path(tempfile.mkdtemp(prefix="otterflow-airflow-"))
atexit.register(shutil.rmtree, _SCRATCH, ignore_errors=True)
for _name in [name for name in os.environ if name.startswith(("AIRFLOW", "OTTERFLOW_"))]:
    del os.environ[_name]
os.environ.update(
    {
        "AIRFLOW_HOME": str(_SCRATCH),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_SCRATCH}/airflow.db",
    }
)

from otterflow.repository import Repository, database, migrating  # noqa: E402
from otterflow.repository.database import Database  # noqa: E402
from stack.belongings import take_back  # noqa: E402
from stack.free_cache import FreeCacheRule  # noqa: E402
from stack.host import DatabaseHost  # noqa: E402
from stack.users import server_user  # noqa: E402
from tests.layers import LayerSummary  # noqa: E402

# The tests share the processors with servers and with each other: the time of one example says nothing of the code.
hypothesis.settings.register_profile("otterflow", deadline=None)
hypothesis.settings.register_profile("quick", deadline=None, max_examples=20)  # `make unit`
hypothesis.settings.load_profile("otterflow")


def pytest_configure(config: pytest.Config) -> None:
    """Count the tests and their time by layer."""
    config.pluginmanager.register(LayerSummary(), "layer-summary")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """What was imported to collect the tests stays: the collector of garbage looks at none of it again.

    Airflow and all else are a million objects, which it went through every few dozen tests, half a second each time.
    """
    gc.freeze()
    gc.enable()
    umask = os.umask(_UMASK)
    if umask != _UMASK:
        raise pytest.UsageError(f"a module has changed the umask to {umask:o} when it was imported: take it back there")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take back what this run, or one that was killed, has made on the machine outside of the checkout."""
    take_back()


_COMPILED: dict[Any, Any] = {}
_DIALECTS: list[Any] = []
_make_engine = database.make_engine


def _quick_engine(url: URL) -> Engine:
    """The product's engine; on SQLite it shares dialect and compiled statements with all engines of this process.

    Each test has a database of its own, and thus an engine: a third of its time went into compiling statements. An
    event on the dialect of one of them would reach them all.
    """
    engine = _make_engine(url)
    if url.get_backend_name() == "sqlite":
        if not _DIALECTS:
            nowhere = _make_engine(make_url("sqlite+pysqlite://"))
            nowhere.connect().close()  # by which a dialect gets to know its database
            _DIALECTS.append(nowhere.dialect)
        engine.dialect = _DIALECTS[0]  # a compiled statement is kept by its dialect
        engine.update_execution_options(compiled_cache=_COMPILED)
    return engine


database.make_engine = _quick_engine  # type: ignore[assignment]


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite repository to copy."""
    file = tmp_path_factory.mktemp("migrated") / "repository.db"
    Repository.open(f"sqlite:///{file}")
    return file


@pytest.fixture(autouse=True)
def _new_repositories_are_copies(
    request: pytest.FixtureRequest, migrated_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new SQLite repository is a copy of one: half a second of migrations a test was a third of `make unit`."""
    if MIGRATED in request.path.parents:
        return

    def migrate(database: Database) -> None:
        file = Path(str(database.url.database))
        if database.is_sqlite and file.parent.is_dir() and not file.exists():
            shutil.copyfile(migrated_file, file)
        migrating.migrate(database)

    monkeypatch.setattr("otterflow.repository.repository.migrate", migrate)


@pytest.fixture(scope="session")
def db_host() -> Iterator[DatabaseHost]:
    """A running PostgreSQL behind a running sshd, one for the whole test run. Leave it as you found it."""
    folder = Path(tempfile.mkdtemp(prefix="otterflow-host-"))
    folder.chmod(0o755)  # the servers' user has to pass
    FreeCacheRule().grant(server_user())
    host = DatabaseHost(folder)
    try:
        host.start()
        yield host
    finally:
        host.stop()
        shutil.rmtree(folder)


@pytest.fixture
def clean_host(db_host: DatabaseHost) -> Iterator[DatabaseHost]:
    """The host with no knobs file and its server up; afterwards it is put back so, whatever the test did to it."""
    _put_back(db_host)
    yield db_host
    _put_back(db_host)


@pytest.fixture
def host_environment(db_host: DatabaseHost, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The host's connections and target file, in the environment of this test."""
    environment = db_host.environment()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment


def _put_back(host: DatabaseHost) -> None:
    cluster = host.cluster
    if cluster.knobs_file.exists():
        cluster.knobs_file.unlink()
        cluster.stop()
    overrides = cluster.data_dir / "postgresql.auto.conf"
    if "=" in overrides.read_text():
        host.user.write_file(overrides, "")
        cluster.stop()
    cluster.start()
    host.sshd.start()
    host.break_lock()
