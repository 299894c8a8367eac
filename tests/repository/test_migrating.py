"""Migrations: they make exactly the tables of the code, all or nothing, and say what to do when they cannot."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, inspect, text
from sqlalchemy.exc import IntegrityError

from otterflow.errors import RepositoryUnavailable
from otterflow.repository import Repository, migrating
from otterflow.repository.database import Database
from otterflow.repository.migrating import MIGRATIONS_DIR, current_revision
from otterflow.repository.tables import HEAD_REVISION, VERSION_TABLE, Base
from stack.postgres import PrivateCluster
from tests.repository.samples import measured, new_experiment

POSTGRES_DDL = """
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid)
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
     WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
     UNION ALL
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated, NULL FROM pg_constraint
     WHERE connamespace = 'public'::regnamespace
     UNION ALL
    SELECT tablename, indexname, indexdef, true, NULL FROM pg_indexes WHERE schemaname = 'public'
"""
SQLITE_DDL = "SELECT type, name, tbl_name, sql FROM sqlite_master"


def _ddl(url: URL) -> set[tuple[object, ...]]:
    """All that the database knows of its tables, without Alembic's own and without the order of constraints."""
    database = Database(url)
    with database.read() as session:
        rows = session.execute(text(SQLITE_DDL if database.is_sqlite else POSTGRES_DDL)).all()
    told = {tuple(" ".join(str(cell).split()) for cell in row) for row in rows}
    return {tuple(_parts(cell) for cell in row) for row in told if VERSION_TABLE not in " ".join(row)}


def _parts(cell: str) -> object:
    """A CREATE TABLE of SQLite as the set of its columns and constraints; anything else as it is."""
    head, _, body = cell.partition(" ( ")
    return (head, frozenset(re.split(r", (?=[a-z_]+ [A-Z]|[A-Z]+ )", body.removesuffix(" )")))) if body else cell


def test_the_code_asks_for_the_newest_migration() -> None:
    assert ScriptDirectory(str(MIGRATIONS_DIR)).get_heads() == [HEAD_REVISION]


def test_an_empty_database_comes_to_the_head(bare_url: URL) -> None:
    Repository.open(bare_url)
    with Database(bare_url).connection() as connection:
        assert (
            MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()
            == HEAD_REVISION
        )
        assert set(inspect(connection).get_table_names()) == {*Base.metadata.tables, VERSION_TABLE}


def test_autogenerate_finds_nothing_to_migrate(repository: Repository, url: URL) -> None:
    with Database(url).connection() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_migrations_make_what_the_tables_say(bare_url: URL) -> None:
    """Autogenerate is blind to check constraints and to what foreign keys cascade, so the database is asked itself."""
    Repository.open(bare_url)
    migrated = _ddl(bare_url)
    database = Database(bare_url)
    with database.connection() as connection:
        Base.metadata.drop_all(connection)
        Base.metadata.create_all(connection)
        connection.commit()
    assert len(migrated) > len(Base.metadata.tables)
    assert _ddl(bare_url) == migrated


@pytest.mark.slow
def test_migrating_again_keeps_everything(repository: Repository, url: URL) -> None:
    repository.create_experiment(new_experiment())
    measured(repository)
    trials = repository.trials("night")
    assert Repository.open(url).trials("night") == trials


@pytest.mark.slow
def test_an_older_repository_is_upgraded_with_all_it_holds(bare_url: URL) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS_DIR))
    with Database(bare_url).connection() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text("INSERT INTO targets (name, holder, held_since) VALUES ('staging', NULL, NULL)"))
        connection.commit()
    assert current_revision(Database(bare_url)) == "0001"
    upgraded = Repository.open(bare_url)
    upgraded.create_experiment(new_experiment())
    measured(upgraded)
    assert upgraded.models() == []
    with Database(bare_url).read() as session:
        assert session.scalars(text("SELECT name FROM targets")).all() == ["staging"]


def test_passwords_that_were_kept_are_forgotten_by_the_upgrade(bare_url: URL) -> None:
    """primary_conninfo was kept with the replication role's password; the other settings stay."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS_DIR))
    kept = {
        "work_mem": {"vartype": "integer", "setting": "4096"},
        "password_encryption": {"vartype": "enum", "setting": "scram-sha-256"},
        "primary_conninfo": {"vartype": "string", "setting": "password=sesame-opens"},
        "app.key": {"vartype": "string", "setting": "sesame-opens"},
    }
    row = {
        "name": "'night'", "target": "'staging'", "benchmark": "'b'", "objective": "'o'", "spec": "'{}'",
        "state": "'finished'", "message": "''", "stop_requested": "false", "stop_reason": "''", "space": "'[]'",
        "facts": "'{}'", "live": f"'{json.dumps(kept)}'", "comparison": "1", "seed": "0", "code_version": "''",
        "created_at": "'2026-01-01 00:00:00'",
    }  # fmt: skip
    with Database(bare_url).connection() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        connection.exec_driver_sql("INSERT INTO targets (name) VALUES ('staging')")
        connection.exec_driver_sql(f"INSERT INTO experiments ({', '.join(row)}) VALUES ({', '.join(row.values())})")
        connection.commit()
    experiment = Repository.open(bare_url).experiment("night")
    assert set(experiment.live) == {"work_mem", "password_encryption"}
    assert (experiment.files, experiment.ran_s, experiment.finished_because) == (None, 0.0, "")


@pytest.mark.slow
def test_an_experiment_of_before_was_postgresqls(bare_url: URL) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS_DIR))
    row = {
        "name": "'night'", "target": "'staging'", "benchmark": "'b'", "objective": "'o'", "spec": "'{}'",
        "state": "'finished'", "message": "''", "stop_requested": "false", "stop_reason": "''", "space": "'[]'",
        "facts": "'{}'", "live": "'{}'", "comparison": "1", "seed": "0", "code_version": "''",
        "created_at": "'2026-01-01 00:00:00'",
    }  # fmt: skip
    with Database(bare_url).connection() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
        connection.exec_driver_sql("INSERT INTO targets (name) VALUES ('staging')")
        connection.exec_driver_sql(f"INSERT INTO experiments ({', '.join(row)}) VALUES ({', '.join(row.values())})")
        connection.commit()
    upgraded = Repository.open(bare_url)
    upgraded.create_experiment(new_experiment("day", target="elsewhere", dbms="other"))
    assert {e.name: e.dbms for e in upgraded.experiments()} == {"night": "postgresql", "day": "other"}


def test_a_result_of_before_gets_its_headline(bare_url: URL) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS_DIR))
    row = {
        "target": "'staging'", "benchmark": "'b'", "objective": "'o'", "spec": "'{}'",
        "state": "'finished'", "message": "''", "stop_requested": "false", "stop_reason": "''", "space": "'[]'",
        "facts": "'{}'", "live": "'{}'", "comparison": "1", "seed": "0", "code_version": "''",
        "created_at": "'2026-01-01 00:00:00'",
    }  # fmt: skip
    ratios = {"best": {"ratio": 1.5, "low": 1.4, "high": 1.6, "rounds": 3}}
    outcome = {"winner": "best", "comparison": {"ratios": ratios}, "trials": [{}, {}], "seed": 3}
    with Database(bare_url).connection() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0007")
        connection.exec_driver_sql("INSERT INTO targets (name) VALUES ('staging')")
        for name, kept in (("'night'", f"'{json.dumps(outcome)}'"), ("'day'", "NULL")):
            columns = ", ".join(["name", "outcome", *row])
            values = ", ".join([name, kept, *row.values()])
            connection.exec_driver_sql(f"INSERT INTO experiments ({columns}) VALUES ({values})")
        connection.commit()
    found = {glimpse.name: glimpse.headline for glimpse in Repository.open(bare_url).headlines("")}
    assert found == {"night": {"winner": "best", "ratios": ratios, "trials": 2}, "day": {}}


def test_a_kind_of_trial_that_is_new_is_taken_and_nothing_of_the_old_ones_is_lost(bare_url: URL) -> None:
    """On SQLite the table must not be made anew: dropping it would delete all that belongs to its rows."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS_DIR))
    experiment = {
        "name": "'night'", "target": "'staging'", "benchmark": "'b'", "objective": "'o'", "spec": "'{}'",
        "state": "'running'", "message": "''", "stop_requested": "false", "stop_reason": "''", "space": "'[]'",
        "facts": "'{}'", "live": "'{}'", "comparison": "1", "seed": "0", "code_version": "''",
        "created_at": "'2026-01-01 00:00:00'",
    }  # fmt: skip
    trial = {
        "experiment_id": "1", "iteration": "0", "attempt": "1", "kind": "'baseline'", "state": "'ok'",
        "wanted_hash": "'h'", "repeats": "'[]'", "reset": "'[]'", "repairs": "'[]'", "reasons": "'{}'", "seed": "0",
        "message": "''", "log_tail": "''", "code_version": "''",
    }  # fmt: skip
    with Database(bare_url).connection() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0007")
        connection.exec_driver_sql("INSERT INTO targets (name) VALUES ('staging')")
        connection.exec_driver_sql("INSERT INTO configurations (hash, content) VALUES ('h', '{}')")
        for table, row in (("experiments", experiment), ("trials", trial)):
            connection.exec_driver_sql(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(row.values())})")
        connection.exec_driver_sql("INSERT INTO metrics (trial_id, scope, name, value) VALUES (1, 'dbms', 'm', 2.5)")
        connection.commit()
    upgraded = Repository.open(bare_url)
    assert upgraded.trials("night")[0].metrics == {"m": 2.5}
    planned = upgraded.plan_trial("night", 1, kind="ablation", wanted={}, repairs=[], reasons={}, seed=0)
    assert planned.kind == "ablation"
    with Database(bare_url).connection() as connection, pytest.raises(IntegrityError):
        connection.exec_driver_sql("UPDATE trials SET kind = 'other'")


def test_there_is_no_way_down(repository: Repository, url: URL) -> None:
    repository.create_experiment(new_experiment())
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS_DIR))
    with Database(url).connection() as connection:
        config.attributes["connection"] = connection
        with pytest.raises(NotImplementedError, match="restore the backup"):
            command.downgrade(config, "base")
    assert [experiment.name for experiment in repository.experiments()] == ["night"]


@pytest.mark.slow
def test_a_migration_that_fails_leaves_nothing(bare_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS_DIR, broken)
    first = broken / "versions" / "0001_first_tables.py"
    first.write_text(
        first.read_text().replace("\n\ndef downgrade()", "    op.execute('SELECT 1 FROM nowhere')\n\n\ndef downgrade()")
    )
    with monkeypatch.context() as patched:
        patched.setattr(migrating, "MIGRATIONS_DIR", broken)
        with pytest.raises(RepositoryUnavailable, match="nowhere"):
            Repository.open(bare_url)
    with Database(bare_url).connection() as connection:
        assert inspect(connection).get_table_names() == []
    assert Repository.open(bare_url).experiments() == []


@pytest.mark.slow
def test_an_empty_database_is_not_opened_unmigrated(bare_url: URL) -> None:
    with pytest.raises(
        RepositoryUnavailable, match=rf"has no tables, revision {HEAD_REVISION} is needed; upgrade it with Repos"
    ):
        Repository.open(bare_url, migrate=False)
    assert current_revision(Database(bare_url)) is None
    Repository.open(bare_url).create_experiment(new_experiment())
    assert len(Repository.open(bare_url, migrate=False).experiments()) == 1


@pytest.mark.parametrize("is_migrating", [False, True])
def test_a_newer_repository_is_left_alone(bare_url: URL, is_migrating: bool) -> None:
    Repository.open(bare_url)
    with Database(bare_url).connection() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
        connection.commit()
    with pytest.raises(
        RepositoryUnavailable, match=rf"is at revision 9999, .*{HEAD_REVISION} is needed; a newer otterflow made it"
    ):
        Repository.open(bare_url, migrate=is_migrating)


def test_tables_of_others_are_left_alone(bare_url: URL) -> None:
    """The database may be shared, even with Airflow's own, which has an alembic_version too."""
    with Database(bare_url).connection() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num text)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('airflow')"))
        connection.commit()
    Repository.open(bare_url)
    with Database(bare_url).read() as session:
        assert session.scalar(text("SELECT version_num FROM alembic_version")) == "airflow"


@pytest.mark.integration
def test_a_role_that_may_not_create_tables_is_told_so(postgres: PrivateCluster) -> None:
    with postgres.connect("postgres") as connection:
        connection.execute("CREATE ROLE visitor LOGIN PASSWORD 'sesame-opens'")
        connection.execute("CREATE DATABASE guarded")
    try:
        url = URL.create("postgresql", "visitor", "sesame-opens", postgres.host, postgres.port, "guarded")
        with pytest.raises(RepositoryUnavailable, match="permission denied for schema public") as refusal:
            Repository.open(url)
        assert "sesame" not in str(refusal.value)
    finally:
        with postgres.connect("postgres") as connection:
            connection.execute("DROP DATABASE guarded")
            connection.execute("DROP ROLE visitor")


@pytest.mark.integration
def test_waiting_for_another_migration_has_an_end(postgres: PrivateCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrating, "LOCK_TIMEOUT_S", 1)
    with postgres.connect("postgres") as connection:
        connection.execute("CREATE DATABASE waiting")
    url = URL.create("postgresql", "otterflow", postgres.password, postgres.host, postgres.port, "waiting")
    try:
        with postgres.connect("waiting") as other:
            other.execute(f"SELECT pg_advisory_lock({migrating.LOCK_KEY})")
            with pytest.raises(RepositoryUnavailable, match=re.escape("lock timeout")):
                Repository.open(url)
    finally:
        with postgres.connect("postgres") as connection:
            connection.execute("DROP DATABASE waiting WITH (FORCE)")
