"""Connections: which URLs serve, what is said when a database cannot be reached, what the tables refuse themselves."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import URL, NullPool, text
from sqlalchemy.exc import IntegrityError, StatementError

from otterflow.errors import InvalidInput, RepositoryUnavailable
from otterflow.repository import Repository
from otterflow.repository.database import Database, checked_url, make_engine
from otterflow.repository.tables import TargetRow
from otterflow.repository.values import to_json
from stack.postgres import PrivateCluster
from stack.processes import free_port
from tests.repository.samples import FILES, content, measured, new_experiment, plan

SECRET = "tr0ub4dor"


@pytest.fixture
def repository_on_postgres(postgres_url: URL) -> Repository:
    """A repository whose server the test may stop."""
    return Repository.open(postgres_url)


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("postgres://u:p@h/db", "postgresql+psycopg"),
        ("postgresql://u:p@h/db", "postgresql+psycopg"),
        ("postgresql+psycopg2://u:p@h/db", "postgresql+psycopg"),
        ("sqlite:////var/lib/otterflow/repository.db", "sqlite+pysqlite"),
    ],
)
def test_a_url_gets_its_driver(given: str, driver: str) -> None:
    url = checked_url(given)
    assert url.drivername == driver
    assert url.database == given.split("/", 3)[3]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("sqlite://", "SQLite database '(in memory)' would not be found by the next task"),
        ("sqlite:///:memory:", "SQLite database ':memory:' would not be found"),
        ("sqlite:///otterflow.db", "SQLite database 'otterflow.db' would not be found"),
        (f"mysql://u:{SECRET}@h/db", "'mysql' is not supported; give sqlite:////absolute/path.db or postgresql://"),
        (f"postgresql://u:{SECRET}@h:port/db", "the URL cannot be read"),
        ("", "the URL cannot be read"),
        ("repository.db", "the URL cannot be read"),
    ],
)
def test_a_url_that_cannot_serve_is_refused(given: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Repository.open(given)
    assert str(refusal.value).startswith(f"repository: {said}")
    assert SECRET not in str(refusal.value)
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


def test_the_password_is_never_shown() -> None:
    database = Database(f"postgresql://otter:{SECRET}@h:5432/db")
    repository = Repository(database)
    assert repr(repository) == "Repository('postgresql+psycopg://otter:***@h:5432/db')"
    fault = str(database.unavailable(f"could not log in with {SECRET}"))
    assert "could not log in with ***; check that" in fault
    assert SECRET not in fault


def test_a_server_that_is_not_there_is_named() -> None:
    port = free_port()
    with pytest.raises(RepositoryUnavailable, match=rf"otter:\*\*\*@127\.0\.0\.1:{port}/db: .*refused") as fault:
        Repository.open(f"postgresql://otter:{SECRET}@127.0.0.1:{port}/db")
    assert SECRET not in str(fault.value)
    assert "Airflow connection otterflow_repository" in str(fault.value)


@pytest.mark.integration
@pytest.mark.parametrize("user", ["otterflow", "nobody_here"])
def test_a_login_that_fails_says_so_without_the_password(postgres: PrivateCluster, user: str) -> None:
    url = URL.create("postgresql", user, SECRET, postgres.host, postgres.port, "postgres")
    with pytest.raises(RepositoryUnavailable, match="password authentication failed") as fault:
        Repository.open(url)
    assert SECRET not in str(fault.value) + repr(fault.value.__cause__)


@pytest.mark.integration
def test_a_database_that_does_not_exist_is_named(postgres: PrivateCluster) -> None:
    url = URL.create("postgresql", "otterflow", postgres.password, postgres.host, postgres.port, "nowhere")
    with pytest.raises(RepositoryUnavailable, match='database "nowhere" does not exist'):
        Repository.open(url)


@pytest.mark.integration
def test_a_database_without_an_encoding_serves_as_a_repository(postgres: PrivateCluster) -> None:
    """initdb makes SQL_ASCII databases where the machine has no locale."""
    with postgres.connect("postgres") as connection:
        connection.execute("CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0")
    url = URL.create("postgresql", "otterflow", postgres.password, postgres.host, postgres.port, "ascii")
    assert Repository.open(url).experiments() == []


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("remember the milk\n" * 100)
    with pytest.raises(RepositoryUnavailable, match=r"notes\.txt: file is not a database"):
        Repository.open(f"sqlite:///{file}")
    assert file.read_text().startswith("remember the milk")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RepositoryUnavailable, match=r"folder '.*/file/below' cannot be made: Not a directory"):
        Repository.open(f"sqlite:///{tmp_path}/file/below/repository.db")


def test_the_embedded_database_is_made_with_its_folder_for_its_user_alone(tmp_path: Path) -> None:
    Repository.open(f"sqlite:///{tmp_path}/home/repository.db")
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "home" / "repository.db").stat().st_mode & 0o777 == 0o600


def test_a_database_that_all_could_read_is_closed_to_them(tmp_path: Path) -> None:
    """Settings and statements of servers are in it."""
    file = tmp_path / "repository.db"
    Repository.open(f"sqlite:///{file}")
    file.chmod(0o644)
    with Database(f"sqlite:///{file}").read() as session:
        session.execute(text("SELECT name FROM targets"))
        Repository.open(f"sqlite:///{file}")
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob("repository.db*")}
    assert len(modes) == 3
    assert set(modes.values()) == {0o600}


def test_sqlite_is_set_up_for_many_writers(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/repository.db"
    Repository.open(url)
    with Database(url).read() as session:
        found = {
            name: session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
        }
    assert found == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 30000, "synchronous": 2}


def test_a_repository_that_is_damaged_is_a_fault_of_the_machinery(tmp_path: Path) -> None:
    """Not an answer, not a bug: the task is retried, and the user told."""
    file = tmp_path / "repository.db"
    repository = Repository.open(f"sqlite:///{file}")
    file.write_bytes(os.urandom(4096))
    with pytest.raises(RepositoryUnavailable, match="file is not a database"):
        repository.experiments()


@pytest.mark.integration
def test_a_server_that_goes_away_is_a_fault_of_the_machinery(
    repository_on_postgres: Repository, postgres: PrivateCluster
) -> None:
    repository_on_postgres.create_experiment(new_experiment())
    postgres.stop()
    try:
        with pytest.raises(RepositoryUnavailable, match="refused"):
            repository_on_postgres.hold_target("staging", "night")
    finally:
        postgres.start()
    repository_on_postgres.hold_target("staging", "night")


def test_a_transaction_that_raises_leaves_nothing(repository: Repository, url: URL) -> None:
    repository.create_experiment(new_experiment())
    before = content(url)

    def stumble() -> None:
        with Database(url).write() as session:
            session.add(TargetRow(name="half"))
            session.flush()
            raise InterruptedError

    with pytest.raises(InterruptedError):
        stumble()
    assert content(url) == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE trials SET state = 'great'",
        "UPDATE trials SET kind = 'guess'",
        "UPDATE trials SET attempt = 0",
        "UPDATE trials SET iteration = -1",
        "UPDATE trials SET wanted_hash = 'unknown'",
        "UPDATE experiments SET state = 'paused'",
        "UPDATE experiments SET target = 'unknown'",
        "UPDATE metrics SET scope = 'moon'",
        "UPDATE snapshots SET moment = 'during'",
        "UPDATE targets SET holder = 'night', held_since = NULL",
        "INSERT INTO trial_seconds VALUES (99, 'apply', 1)",
        "INSERT INTO measurements VALUES (99, 1, 0, 'best', 1, '{}', 'ok', '2026-01-01')",
    ],
)
def test_the_tables_refuse_nonsense_by_themselves(repository: Repository, url: URL, statement: str) -> None:
    repository.create_experiment(new_experiment())
    measured(repository)
    with pytest.raises(IntegrityError), Database(url).write() as session:
        session.execute(text(statement))


@pytest.mark.slow
def test_deleting_an_experiment_deletes_what_belongs_to_it_alone(repository: Repository, url: URL) -> None:
    for name in ("night", "day"):
        repository.create_experiment(new_experiment(name))
        measured(repository, experiment=name)
        repository.record_measurement(name, round=0, arm="best", value=1, result={}, state="ok")
        repository.record_model("ranking", scope="experiment", subject=name, content={}, sources={}, version=1)
        repository.keep_files(name, FILES)
    with Database(url).write() as session:
        session.execute(text("DELETE FROM experiments WHERE name = 'night'"))
    counts = {table: len(rows) for table, rows in content(url).items()}
    assert counts == {
        "experiments": 1, "trials": 1, "trial_seconds": 1, "snapshots": 2, "metrics": 2, "measurements": 1, "models": 1,
        "targets": 1, "configurations": 1, "surroundings": 0, "experiment_files": 4, "definitions": 4, "recordings": 0,
        "promotions": 0, "notices": 0,
    }  # fmt: skip


def test_a_naive_time_is_a_bug_and_told_so(repository: Repository, url: URL) -> None:
    with pytest.raises(StatementError, match="naive datetime"), Database(url).write() as session:
        session.add(TargetRow(name="staging", holder="night", held_since=datetime(2026, 1, 1)))


def test_times_come_back_as_utc(repository: Repository, url: URL) -> None:
    elsewhere = datetime.fromisoformat("2026-03-29T02:30:00.123456+05:45")
    with Database(url).write() as session:
        session.add(TargetRow(name="staging", holder="night", held_since=elsewhere))
    with Database(url).read() as session:
        found = session.get_one(TargetRow, "staging").held_since
    assert found == elsewhere
    assert found is not None
    assert found.tzinfo is UTC


def test_a_read_sees_one_state_whatever_is_written_meanwhile(repository: Repository, url: URL) -> None:
    repository.create_experiment(new_experiment())
    plan(repository)
    count = text("SELECT count(*) FROM trials")
    with Database(url).read() as session:
        assert session.scalar(count) == 1
        plan(repository, 1)
        assert session.scalar(count) == 1
    assert len(repository.trials("night")) == 2


def test_a_process_compiles_its_statements_once_for_a_database(tmp_path: Path) -> None:
    url = checked_url(f"sqlite:///{tmp_path}/repository.db")
    assert make_engine(url) is make_engine(checked_url(str(url)))
    assert make_engine(url) is not make_engine(url.set(database=str(tmp_path / "another.db")))
    assert isinstance(make_engine(url).pool, NullPool), "a forked worker would share what it keeps"


def test_nan_never_becomes_json() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json({"a": float("nan")})
