from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from otterflow.dbms.postgresql.configuration_file import render
from otterflow.dbms.postgresql.include_order import rows_by_text
from otterflow.dbms.postgresql.overriding import file_errors, include_problem, overriding_settings
from otterflow.dbms.postgresql.settings import (
    DIRECTORIES_SQL,
    FILE_SETTINGS_SQL,
    ROLE_SETTINGS_SQL,
    VERSION_SQL,
    read_back,
)
from otterflow.knobs.space import Value
from stack.host import DatabaseHost
from tests.dbms.conftest import Query, live_settings

pytestmark = pytest.mark.integration

WANTED: dict[str, Value] = {
    "shared_buffers": 12288,
    "work_mem": 5000,
    "random_page_cost": 1.1,
    "jit": False,
    "wal_compression": "pglz",
    "checkpoint_completion_target": 0.85,
}


def put_in_force(host: DatabaseHost, query: Query, wanted: dict[str, Value]) -> None:
    host.user.write_file(host.cluster.knobs_file, render(wanted, live_settings(query), header="test"))
    host.cluster.restart()


def test_what_was_written_is_what_is_in_force(
    clean_host: DatabaseHost, query: Query, connect: Callable[[], Query]
) -> None:
    knobs_file = str(clean_host.cluster.knobs_file)
    put_in_force(clean_host, query, WANTED)
    query = connect()
    live = live_settings(query)
    assert read_back(WANTED, live, knobs_file) == []
    assert live["work_mem"].sourcefile == knobs_file
    assert include_problem(query(FILE_SETTINGS_SQL), knobs_file, "x") is None


def test_alter_system_overrides_and_is_named(
    clean_host: DatabaseHost, query: Query, connect: Callable[[], Query]
) -> None:
    knobs_file = str(clean_host.cluster.knobs_file)
    query("ALTER SYSTEM SET work_mem = '7MB'")
    put_in_force(clean_host, query, WANTED)
    query = connect()
    (problem,) = read_back(WANTED, live_settings(query), knobs_file)
    assert problem.field == "work_mem"
    assert "in force is 7MB" in problem.found
    assert "write work_mem = 7MB into postgresql.conf" in problem.advice
    assert "run ALTER SYSTEM RESET work_mem and SELECT pg_reload_conf()" in problem.advice
    (found,) = overriding_settings(
        live_settings(query), query(FILE_SETTINGS_SQL), query(ROLE_SETTINGS_SQL), WANTED,
        knobs_file=knobs_file, database="bench", user="otterflow",
    )  # fmt: skip
    assert found.field == "work_mem"
    assert "postgresql.auto.conf" in found.found


def test_settings_of_database_and_role_are_found(
    clean_host: DatabaseHost, query: Query, connect: Callable[[], Query]
) -> None:
    query("ALTER DATABASE bench SET work_mem = '7MB'")
    query("ALTER ROLE otterflow IN DATABASE bench SET jit = off")
    try:
        query = connect()
        found = overriding_settings(
            live_settings(query), query(FILE_SETTINGS_SQL), query(ROLE_SETTINGS_SQL), WANTED,
            knobs_file="/none", database="bench", user="otterflow",
        )  # fmt: skip
        assert {p.advice for p in found} == {
            'note the value, and run ALTER ROLE "otterflow" IN DATABASE "bench" RESET jit; or exclude the knob',
            'note the value, and run ALTER DATABASE "bench" RESET work_mem; or exclude the knob',
        }
        (problem,) = read_back({"work_mem": 5000}, live_settings(query), "/none")
        assert "ALTER DATABASE ... SET" in problem.advice
    finally:
        query("ALTER DATABASE bench RESET ALL")
        query("ALTER ROLE otterflow IN DATABASE bench RESET ALL")


def test_a_written_value_that_waits_for_a_restart_is_no_error_in_the_file_but_not_in_force(
    clean_host: DatabaseHost, query: Query
) -> None:
    knobs_file = clean_host.cluster.knobs_file
    clean_host.user.write_file(knobs_file, render(WANTED, live_settings(query), header=""))
    live = live_settings(query)
    assert file_errors(query(FILE_SETTINGS_SQL), live) == []
    assert {p.field for p in read_back(WANTED, live, str(knobs_file))} >= {"shared_buffers", "work_mem"}


def test_a_setting_taken_out_that_waits_for_a_restart_is_no_error(
    clean_host: DatabaseHost, connect: Callable[[], Query]
) -> None:
    cluster = clean_host.cluster
    cluster.stop()
    clean_host.user.write_file(cluster.knobs_file, "wal_buffers = 16MB\n")
    cluster.start()
    query = connect()
    clean_host.user.write_file(cluster.knobs_file, "")
    rows = query(FILE_SETTINGS_SQL)
    assert any("wal_buffers" in (row["error"] or "") for row in rows), "the server speaks of it"
    assert file_errors(rows, live_settings(query)) == []


@pytest.mark.parametrize(
    "line", ["shared_buffers = banana", "shared_buffers = 900000GB", "work_mem = -1", "no_such = 1", "garbage here now"]
)
def test_an_error_in_the_file_is_seen_before_the_restart(clean_host: DatabaseHost, query: Query, line: str) -> None:
    clean_host.user.write_file(clean_host.cluster.knobs_file, f"jit = off\n{line}\n")
    (problem,) = file_errors(query(FILE_SETTINGS_SQL), live_settings(query))
    assert str(clean_host.cluster.knobs_file) in problem.found


def _text(path: str) -> str:
    return Path(path).read_text() if Path(path).exists() else ""


def test_the_include_line_is_found_by_its_text(clean_host: DatabaseHost, query: Query) -> None:
    (where,) = query(DIRECTORIES_SQL)
    config_file = where["config_file"]
    for knobs_file, read in ((str(clean_host.cluster.knobs_file), True), ("/srv/other.conf", False)):
        rows = rows_by_text(config_file, knobs_file, _text, lambda folder: [])
        assert (include_problem(rows, knobs_file, config_file) is None) is read
    assert where["data_directory"] == str(clean_host.cluster.data_dir)


def test_version(query: Query) -> None:
    (version,) = query(VERSION_SQL)
    assert version["number"] >= 120000
    assert version["text"].startswith("PostgreSQL")
