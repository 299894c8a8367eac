"""A MariaDB or MySQL with users: promotions by a restart and by SET GLOBAL, and an experiment without a restart.

Both read their option files at a start alone; some knobs can be changed by a statement besides.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql
import pytest
import yaml

from otterflow.errors import InvalidInput
from otterflow.operators.connections import open_repository
from otterflow.operators.undo import UndoTuningOperator
from stack.family_host import FamilyHost
from stack.host import SQL_CONN_ID
from stack.mariadb import DATABASE
from tests.dbms.mysql_family.servers import ALL
from tests.operators.conftest import change_connection
from tests.operators.family_hosts import running_host, set_up
from tests.operators.harness import Dags, Run
from tests.operators.test_promotion_in_process import TASKS, Promoting, told, worse_after  # noqa: F401 told: a fixture

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

KEPT = "[mysqld]\nlong_query_time = 7\n"
"""What the knobs file holds besides."""
ROWS = 500
OBJECTIVE = {"mariadb": "throughput", "mysql": "latency_mean"}
"""MariaDB has its performance schema, which latencies need, switched off."""


@contextmanager
def users(host: FamilyHost) -> Iterator[list[str]]:
    """Somebody who asks a few hundred times a second, and comes back after a restart; how each lost session ended."""
    stop, lost = threading.Event(), []

    def work() -> None:
        while not stop.is_set():
            try:
                with host.server.connect(DATABASE) as connection, connection.cursor() as cursor:
                    while not stop.wait(0.003):
                        cursor.execute(
                            "UPDATE users_own SET word = LEFT(SHA2(word, 256), 32) WHERE id = 1 + FLOOR(RAND() * %s)",
                            [ROWS],
                        )
            except pymysql.Error as error:
                lost.append(str(error))
                stop.wait(0.1)

    load = threading.Thread(target=work)
    load.start()
    try:
        yield lost
    finally:
        stop.set()
        load.join()


@pytest.fixture(scope="module", params=list(ALL))
def lab(request: pytest.FixtureRequest) -> Iterator[FamilyHost]:
    with running_host(request.param) as host:
        yield host


@pytest.fixture
def with_users(lab: FamilyHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FamilyHost:
    """The private server as one with users, who are yet to come, and whose knobs file holds a line of theirs."""
    set_up(lab, tmp_path, monkeypatch)
    record = yaml.safe_load((lab.targets_dir / f"{lab.name}.yaml").read_text())
    folder = tmp_path / "production"
    folder.mkdir()
    (folder / f"{lab.name}.yaml").write_text(yaml.safe_dump(record | {"has_users": True}))
    monkeypatch.setenv("OTTERFLOW_TARGETS_DIR", str(folder))
    path = Path(os.environ["OTTERFLOW_INCLUDE_DIR"]) / "benchmarks" / "live.yaml"
    benchmark = yaml.safe_load(path.read_text())
    benchmark["workload"]["least_transactions"] = 1  # on a busy machine the users get little done
    path.write_text(yaml.safe_dump(benchmark))
    lab.user.write_file(lab.server.knobs_file, KEPT, 0o644)
    lab.server.restart()
    with lab.server.connect(None) as connection, connection.cursor() as cursor:
        for database in ("DROP DATABASE IF EXISTS {}", "CREATE DATABASE {}", "USE {}"):
            cursor.execute(database.format(DATABASE))
        cursor.execute("CREATE TABLE users_own (id int PRIMARY KEY, word char(32)) ENGINE = InnoDB")
        cursor.executemany("INSERT INTO users_own VALUES (%s, 'x')", [(n,) for n in range(1, ROWS + 1)])
    return lab


@pytest.fixture
def lost(with_users: FamilyHost) -> Iterator[list[str]]:
    """What became of the users' sessions that did not end well."""
    with users(with_users) as found:
        yield found


@pytest.fixture
def shop(with_users: FamilyHost, lost: list[str]) -> Iterator[FamilyHost]:
    """The private server with its users at work."""
    yield with_users
    with_users.break_lock()


def shown(host: FamilyHost, name: str) -> Any:
    with host.server.connect(DATABASE) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT @@GLOBAL.{name} AS shown")
        return cursor.fetchall()[0]["shown"]


FORM: dict[str, Any] = {
    "configuration": {"innodb_sort_buffer_size": 2097152}, "objective": "throughput", "window_s": 1, "restart": True,
}  # fmt: skip


def test_a_promotion_is_installed_by_a_restart_watched_and_kept(
    shop: FamilyHost,
    dags: Dags,
    monkeypatch: pytest.MonkeyPatch,
    told: list[tuple[str, str]],  # noqa: F811
) -> None:
    without = Promoting(dags, shop, **{**FORM, "restart": False})
    with pytest.raises(InvalidInput, match="innodb_sort_buffer_size: it takes a restart, which was not allowed"):
        without.do("propose")
    promoting, pid, before = Promoting(dags, shop, **FORM), shop.server.pid, shown(shop, "innodb_sort_buffer_size")
    assert promoting.do("propose")["subject"] == "Change 1 knob on private, by a restart?"
    promoting.answer()
    with worse_after(monkeypatch, 1.0):
        promoting.do(*TASKS[2:6])
        assert shown(shop, "innodb_sort_buffer_size") == 2097152
        assert shop.server.pid != pid
        pid = shop.server.pid
        promoting.do("install")
        assert shop.server.pid == pid, "a task that is done again finds it in force"
        assert promoting.do("watch_after", "keep_or_roll_back")["state"] == "kept"
    assert all(window["result"]["transactions"] > 0 for window in promoting.promotion.windows), "the users' own load"
    assert shown(shop, "long_query_time") == 7, "what stood there is still in force"
    assert shop.locks() == []

    back = dags.run("rollback", {"target": shop.name, "why": "by hand"})
    assert back.state == "success", back.errors
    assert shop.server.knobs_file.read_text() == KEPT
    assert shown(shop, "innodb_sort_buffer_size") == before
    assert "the server was restarted" in promoting.promotion.message
    with shop.server.connect(DATABASE) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) AS n FROM users_own")
        counted: Any = cursor.fetchall()
        assert counted == [{"n": ROWS}]
    assert open_repository().holder(shop.name) is None
    assert [event for event, _ in told] == ["rolled_back"]


def test_what_is_worse_beyond_noise_is_rolled_back_by_itself(
    shop: FamilyHost,
    dags: Dags,
    monkeypatch: pytest.MonkeyPatch,
    told: list[tuple[str, str]],  # noqa: F811
) -> None:
    form = {**FORM, "configuration": {"innodb_io_capacity": 333}, "restart": False}
    promoting, before, pid = Promoting(dags, shop, **form), shown(shop, "innodb_io_capacity"), shop.server.pid
    assert promoting.do("propose")["subject"] == "Change 1 knob on private, by a reload?"
    promoting.answer()
    with worse_after(monkeypatch, 0.5):
        promoting.do(*TASKS[2 : TASKS.index("install") + 1])
        assert shown(shop, "innodb_io_capacity") == 333
        done = promoting.do(*TASKS[TASKS.index("install") + 1 : TASKS.index("keep_or_roll_back") + 1])
    assert done["state"] == "rolled_back"
    assert "worse, beyond noise" in done["because"]
    assert shown(shop, "innodb_io_capacity") == before
    assert shop.server.pid == pid, "SET GLOBAL both ways"
    assert shop.server.knobs_file.read_text() == KEPT
    assert open_repository().holder(shop.name) is None


@pytest.mark.timeout(600)
def test_an_experiment_on_it_changes_knobs_while_the_users_work(shop: FamilyHost, lost: list[str], dags: Dags) -> None:
    path = Path(os.environ["OTTERFLOW_INCLUDE_DIR"]) / "benchmarks" / "live.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"warmup_s": 0.2, "duration_s": 2}))
    pid, pool = shop.server.pid, shown(shop, "innodb_buffer_pool_dump_at_shutdown")
    form = {
        "experiment": "live", "target": shop.name, "benchmark": "live", "objective": OBJECTIVE[shop.dbms],
        "iterations": 4, "reference_every": 0, "final_rounds": 3, "ablation_percent": 0, "quiet_gate": False,
        "knob_set": "core",
    }  # fmt: skip

    def sabotage(run: Run, task: str) -> None:
        if (run.run_id, task) == ("live-0000", "apply"):
            repository = open_repository()
            wanted = {**repository.trial("live", 1).wanted, "innodb_io_capacity": 1}
            repository.plan_trial("live", 1, kind="model", wanted=wanted, repairs=[], reasons={}, seed=0)

    with shop.server.connect(DATABASE) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT connection_id() AS id")
        runs = dags.follow("tuning_experiment", form, before=sabotage)
        assert all(run.state == "success" for run in runs), [(run.states, run.errors) for run in runs]
        cursor.execute("SELECT connection_id() AS id")  # the session from before is still there
    assert (shop.server.pid, lost) == (pid, [])
    assert runs[-1].run_id == "live-finish-1"
    repository = open_repository()
    trials, experiment = repository.trials("live"), repository.experiment("live")
    assert [trial.state for trial in trials] == ["ok", "crashed", "ok", "ok"], [trial.message for trial in trials]
    assert "refuses the configuration: innodb_io_capacity = 1, of which it made 100" in trials[1].message
    assert any(trial.wanted != trials[0].wanted for trial in trials)
    names = {knob["name"] for knob in experiment.space}
    assert len(names) > 5
    assert names.isdisjoint({"innodb_buffer_pool_size", "sort_buffer_size", "innodb_redo_log_capacity"})
    assert shown(shop, "innodb_buffer_pool_dump_at_shutdown") == pool, "no cold start was asked for"
    assert experiment.last_good is not None
    assert "innodb_buffer_pool_dump_at_shutdown" not in shop.server.knobs_file.read_text()
    for knob, value in experiment.last_good.configuration.items():
        if not isinstance(value, bool | float | str):
            assert shown(shop, knob) == value
    with shop.server.connect(DATABASE) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) AS n FROM users_own")
        counted: Any = cursor.fetchall()
        assert counted == [{"n": ROWS}]
    # Another one on other knobs, whose values undo_tuning of the first has to take back as well.
    batch = shown(shop, "innodb_purge_batch_size")
    form |= {"experiment": "again", "iterations": 1, "knob_set": "extended"}
    runs = dags.follow("tuning_experiment", form)
    assert all(run.state == "success" for run in runs), [(run.states, run.errors) for run in runs]
    with shop.server.connect(DATABASE) as connection, connection.cursor() as cursor:
        cursor.execute("SET GLOBAL innodb_purge_batch_size = 123")  # as if its winner had it
    UndoTuningOperator(task_id="undo", target=shop.name, experiment="", remove="False").execute({"run_id": "undo"})
    assert "innodb_purge_batch_size" not in names
    assert shown(shop, "innodb_purge_batch_size") == batch
    assert shop.server.knobs_file.read_text() == KEPT
    assert (shop.server.pid, lost) == (pid, [])


def test_without_rights_for_more_a_promotion_takes_a_restart(
    shop: FamilyHost, dags: Dags, monkeypatch: pytest.MonkeyPatch
) -> None:
    with shop.server.connect(DATABASE) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE USER watcher@'%' IDENTIFIED BY 'seen'")
        cursor.execute("GRANT PROCESS ON *.* TO watcher@'%'")
        for database in (DATABASE, "performance_schema"):
            cursor.execute(f"GRANT SELECT ON {database}.* TO watcher@'%'")
    change_connection(monkeypatch, SQL_CONN_ID, login="watcher", password="seen")
    try:
        promoting = Promoting(dags, shop, **{**FORM, "configuration": {"innodb_io_capacity": 333}})
        assert promoting.do("propose")["subject"] == "Change 1 knob on private, by a restart?"
    finally:
        with shop.server.connect(DATABASE) as connection, connection.cursor() as cursor:
            cursor.execute("DROP USER watcher@'%'")
