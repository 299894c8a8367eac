"""The benchmark's data: nothing of anybody else's is lost, and nothing of otterflow's before its successor is whole."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowTaskTimeout

from otterflow.dbms.postgresql import client
from otterflow.errors import CommandTimedOut
from otterflow.hosts import data
from otterflow.hosts.same_server import give_free
from otterflow.hosts.workbench import Workbench
from otterflow.operators.connected_host import ConnectedHost
from otterflow.operators.connections import open_repository
from otterflow.remote.script import JobScript
from otterflow.remote.session import Session
from stack.host import SQL_CONN_ID, DatabaseHost
from tests.operators.harness import FAILED, SUCCESS, Dags, Run
from tests.operators.test_experiment_in_process import explain
from tests.operators.test_retries import bench_database

pytestmark = pytest.mark.integration


@pytest.fixture
def sql(lab: DatabaseHost) -> Iterator[Any]:
    """One statement on the server, in database `postgres` unless told another; what `sql.later` holds is run last."""

    def run(statement: str, database: str = "postgres") -> list[Any]:
        with lab.cluster.connect(database) as connection:
            cursor = connection.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    run.later = []  # type: ignore[attr-defined]
    yield run
    for statement in run.later:  # type: ignore[attr-defined]
        run(statement)


def databases(sql: Any) -> set[str]:
    return {name for (name,) in sql("SELECT datname FROM pg_database WHERE NOT datistemplate")}


def prepare(dags: Dags, params: dict[str, Any], name: str = "in-process", **fields: Any) -> Run:
    """The run that takes the snapshot; it leaves the target free for the next."""
    run = dags.run("tuning_experiment", {**params, "benchmark": "pgbench_tpcb", "experiment": name, **fields})
    if open_repository().holder(params["target"]) == name:
        with Workbench(open_repository(), name, ConnectedHost) as bench:
            give_free(bench)
    return run


def test_a_database_that_was_left_invalid_is_made_anew_if_it_is_otterflows(
    dags: Dags, params: dict[str, Any], sql: Any
) -> None:
    assert prepare(dags, params, restore_every=1).states["take_snapshot"] == SUCCESS
    sql("UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'bench'")
    run = prepare(dags, params, "again", restore_every=1)
    assert run.states["take_snapshot"] == SUCCESS, explain([run])
    assert run.returned["take_snapshot"] == {"loaded": True, "snapshot": False}
    assert databases(sql) == {"postgres", "bench"}
    assert sql("SELECT count(*) FROM pgbench_branches", "bench") == [(1,)]

    sql("COMMENT ON DATABASE bench IS NULL")
    sql("UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'bench'")
    try:
        run = prepare(dags, params, "unmarked", restore_every=1)
    finally:
        sql("UPDATE pg_database SET datconnlimit = -1 WHERE datname = 'bench'")
        sql("DROP DATABASE bench")
        sql("CREATE DATABASE bench")
    message = str(run.errors["check_target"])
    assert "'bench' was left invalid by a DROP that was interrupted" in message
    assert 'DROP DATABASE "bench"' in message
    assert "cannot be reached" not in message


def test_nobody_is_told_to_give_otterflow_a_production_database(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any], sql: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql("DROP DATABASE bench")
    sql("CREATE DATABASE bench")
    sql("CREATE TABLE customers ()", "bench")
    sql("CREATE ROLE plain LOGIN PASSWORD 'plain' CREATEDB IN ROLE pg_monitor, pg_signal_backend")
    name = f"AIRFLOW_CONN_{SQL_CONN_ID.upper()}"
    record = json.loads(lab.environment()[name])
    monkeypatch.setenv(name, json.dumps(record | {"login": "plain", "password": "plain"}))
    try:
        full, empty = prepare(dags, params), None
        sql("DROP TABLE customers", "bench")
        empty = prepare(dags, params, "empty")
    finally:
        sql("DROP DATABASE bench")
        sql("CREATE DATABASE bench")
        sql("DROP ROLE plain")
    message = str(full.errors["check_target"])
    assert "'bench' holds 1 tables that otterflow did not load" in message
    assert "OWNER TO" not in message
    assert 'ALTER DATABASE "bench" OWNER TO "plain"' in str(empty.errors["check_target"])


def test_an_experiment_in_a_database_called_bench_db(
    dags: Dags, params: dict[str, Any], retarget: Any, sql: Any
) -> None:
    retarget(database="Bench-DB")
    sql.later.append('DROP DATABASE IF EXISTS "Bench-DB"')
    runs = [dags.run("tuning_experiment", {**params, "benchmark": "pgbench_tpcb", "restore_every": 1})]
    runs += [dags.run("tuning_iteration", {"experiment": "in-process", "iteration": i}) for i in (0, 1)]
    assert all(run.state == SUCCESS for run in runs), explain(runs)
    assert runs[2].states["restore"] == SUCCESS
    assert databases(sql) == {"postgres", "bench", "Bench-DB"}


def test_a_load_that_fails_puts_back_what_was_there(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any], sql: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert prepare(dags, params).states["take_snapshot"] == SUCCESS
    before = bench_database(lab)
    real = data._must

    def fail(bench: Any, name: str, script: Any, *args: Any, **kwargs: Any) -> float:
        return real(bench, name, JobScript("echo out of luck; exit 9", {}, 60), *args, **kwargs)

    monkeypatch.setattr(data, "_must", fail)
    run = prepare(dags, params, "analytical", benchmark="analytics")
    assert run.states["take_snapshot"] == FAILED
    assert "out of luck" in str(run.errors["take_snapshot"])
    assert bench_database(lab) == before, "the very database, and its mark"
    assert databases(sql) == {"postgres", "bench"}

    monkeypatch.setattr(data, "_must", real)
    run = prepare(dags, params, "analytical-2", benchmark="analytics")
    assert run.states["take_snapshot"] == SUCCESS, explain([run])
    assert bench_database(lab)[0] != before[0]
    assert databases(sql) == {"postgres", "bench"}


def test_the_task_running_out_of_time_gives_the_target_free(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_time(*args: Any, **kwargs: Any) -> float:
        raise AirflowTaskTimeout

    monkeypatch.setattr(data, "_must", out_of_time)
    with pytest.raises(AirflowTaskTimeout):
        dags.run("tuning_experiment", {**params, "benchmark": "pgbench_tpcb"})
    assert open_repository().holder(lab.name) is None
    assert lab.cluster.is_running


def test_what_cannot_be_cleared_up_stays_held_and_is_told(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any], monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    def cut_off(*args: Any, **kwargs: Any) -> float:
        lab.sshd.stop()
        raise AirflowTaskTimeout

    monkeypatch.setattr(data, "_must", cut_off)
    try:
        with pytest.raises(AirflowTaskTimeout):
            dags.run("tuning_experiment", {**params, "benchmark": "pgbench_tpcb"})
    finally:
        lab.sshd.start()
    assert open_repository().holder(lab.name) == "in-process"
    assert "stays held by experiment in-process" in caplog.text


def test_a_slow_drop_or_create_has_no_limit_but_the_tasks(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "STATEMENT_TIMEOUT_S", 1)
    with lab.cluster.connect("postgres", autocommit=False) as slow:
        timer = threading.Timer(2.5, slow.rollback)

        def slow_down(run: Run, task: str) -> None:
            if task == "take_snapshot":
                slow.execute("LOCK TABLE pg_database IN EXCLUSIVE MODE")
                timer.start()

        run = dags.run("tuning_experiment", {**params, "benchmark": "pgbench_tpcb"}, before=slow_down)
        timer.join()
    assert run.states["take_snapshot"] == SUCCESS, explain([run])


COPY = {"method": "copy"}


def test_copy_is_refused_beside_another_database_and_taken_anew_after_a_change(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any], retarget: Any, sql: Any
) -> None:
    retarget(snapshot=COPY | {"dir": str(lab.snapshot_dir)})
    assert prepare(dags, params, restore_every=1).returned["take_snapshot"]["snapshot"] is True
    assert prepare(dags, params, "again", restore_every=1).returned["take_snapshot"]["snapshot"] is False

    sql("CREATE ROLE app")
    sql.later += ["DROP ROLE app", "DROP DATABASE IF EXISTS shop"]
    assert prepare(dags, params, "role", restore_every=1).returned["take_snapshot"]["snapshot"] is True

    sql("CREATE DATABASE shop")
    run = prepare(dags, params, "database", restore_every=1)
    assert run.states["check_target"] == FAILED
    message = str(run.errors["check_target"])
    assert "private.yaml: snapshot.method: copy puts back the whole cluster, which also holds database shop" in message
    assert prepare(dags, params, "unrestored", restore_every=0).states["take_snapshot"] == SUCCESS


def test_only_copy_measures_the_data_directory(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any], retarget: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Session.run

    def too_many_files(self: Session, command: str, **kwargs: Any) -> Any:
        if "du -s" in command:
            raise CommandTimedOut(kwargs["what"], kwargs["timeout_s"])
        return real(self, command, **kwargs)

    monkeypatch.setattr(Session, "run", too_many_files)
    assert prepare(dags, params, restore_every=1).states["check_target"] == SUCCESS
    retarget(snapshot=COPY | {"dir": str(lab.snapshot_dir)})
    message = str(prepare(dags, params, "copied", restore_every=1).errors["check_target"])
    assert "snapshot.method: copy: measuring data_dir did not end within 300 s; use snapshot.method dump" in message


def test_a_restore_by_copy_is_refused_when_a_database_was_made_in_the_meantime(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any], retarget: Any, sql: Any
) -> None:
    retarget(snapshot=COPY | {"dir": str(lab.snapshot_dir)})
    sql.later.append("DROP DATABASE IF EXISTS shop")
    runs = [dags.run("tuning_experiment", {**params, "benchmark": "pgbench_tpcb", "restore_every": 1})]
    runs += [dags.run("tuning_iteration", {"experiment": "in-process", "iteration": 0})]
    sql("CREATE DATABASE shop")
    runs += [dags.run("tuning_iteration", {"experiment": "in-process", "iteration": 1})]
    assert runs[-1].states["restore"] == FAILED, explain(runs)
    assert "which also holds database shop" in str(runs[-1].errors["restore"])
    assert runs[-1].states["benchmark"] != SUCCESS
    assert "shop" in databases(sql)
    assert lab.cluster.is_running
    assert open_repository().trials("in-process")[0].state == "ok"

    sql("DROP DATABASE shop")
    again = dags.run("tuning_iteration", {"experiment": "in-process", "iteration": 1})
    assert again.states["restore"] == SUCCESS, explain([again])
    assert again.state == SUCCESS, explain([again])
