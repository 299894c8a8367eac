"""An experiment on MariaDB: the Dags' own tasks, by hand and in order, on a real server with real benchmarks."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from otterflow.hosts.server import Server
from otterflow.operators.command_line import main
from otterflow.operators.connected_host import ConnectedHost
from otterflow.operators.connections import open_repository
from otterflow.operators.task_command import SERVER
from otterflow.operators.undo import UndoTuningOperator
from stack.mariadb_host import MariadbHost
from tests.dbms.mysql_family.conftest import clean_host, mariadb, mariadb_host, nothing_kept, private_mariadb  # noqa: F401 fixtures
from tests.operators.family_hosts import set_up
from tests.operators.harness import Dags, Run

pytestmark = pytest.mark.integration


@pytest.fixture
def lab(
    clean_host: MariadbHost,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> MariadbHost:
    """The host with no data loaded and no snapshot, a small benchmark, and an empty repository."""
    nothing_kept(clean_host)
    set_up(clean_host, tmp_path, monkeypatch)
    monkeypatch.setenv(*SERVER)
    return clean_host


@pytest.fixture
def params(lab: MariadbHost) -> dict[str, Any]:
    return {
        "experiment": "on-mariadb",
        "target": lab.name,
        "benchmark": "sysbench_uniform_read_write",
        "iterations": 3,
        "restore_every": 2,
        "reference_every": 0,
        "final_rounds": 3,
        "ablation_percent": 0,
        "quiet_gate": False,
    }


@pytest.fixture
def task(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """`task(name, *options)` runs a task of experiment `by-hand`: what it has printed, read as JSON."""

    def run(name: str, *options: str) -> Any:
        code = main(["task", name, "--experiment", "by-hand", *options])
        said = capsys.readouterr()
        assert code == 0, said.err
        return json.loads(said.out)

    return run


def test_an_experiment_is_made_by_hand_a_task_at_a_time(
    lab: MariadbHost, params: dict[str, Any], task: Callable[..., Any]
) -> None:
    form = {name: value for name, value in params.items() if name != "experiment"}
    assert task("check_experiment", "--conf", json.dumps(form))["benchmark"]
    assert "innodb_buffer_pool_size" in task("check_target")["knobs"]
    assert task("take_snapshot") is not None
    assert task("start_iterations")["would_trigger"] == "tuning_iteration"
    assert set(task("begin")) == {"skips"}
    assert task("restart")["in_force"]
    assert task("benchmark")["throughput"] > 0
    assert task("collect")["metrics"] > 10
    assert open_repository().trial("by-hand", 0).state == "ok"
    assert task("recommend", "--iteration", "0")["iteration"] == 1
    assert task("next_iteration", "--iteration", "0")["run_id"] == "by-hand-0001"


def test_a_whole_experiment_ends_with_its_winner_in_force(lab: MariadbHost, params: dict[str, Any], dags: Dags) -> None:
    pools: dict[str, set[str]] = {}

    def look(run: Run, task: str) -> None:
        if task == "benchmark":
            pools[run.run_id] = warm_start(lab)

    assert warm_start(lab) == {"ON"}
    runs = dags.follow("tuning_experiment", params, before=look)
    assert all(run.state == "success" for run in runs), [(run.states, run.errors) for run in runs]
    assert list(pools.values()) == [{"OFF"}] * 3, "a trial begins with its predecessor's pages"
    assert warm_start(lab) == {"ON"}, "as it was found"
    assert runs[-1].dag_id == "tuning_finish"
    repository = open_repository()
    trials = repository.trials("on-mariadb")
    assert [trial.state for trial in trials] == ["ok"] * 3
    outcome = repository.experiment("on-mariadb").outcome
    assert outcome is not None
    with lab.mariadb.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT LOWER(VARIABLE_NAME) AS name, GLOBAL_VALUE AS value FROM information_schema.SYSTEM_VARIABLES"
        )
        shown = {row["name"]: row["value"] for row in cursor.fetchall()}
    for name, value in outcome["in_force"].items():
        if not isinstance(value, bool | float):
            assert shown[name] == str(value), name

    found = repository.experiment("on-mariadb").baseline_file
    done = UndoTuningOperator(task_id="undo", target=lab.name, experiment="", remove="True").execute({"run_id": "undo"})
    assert any(removed.startswith("database ") for removed in done["removed"])
    assert any(removed.startswith("snapshot ") for removed in done["removed"])
    knobs_file = lab.mariadb.knobs_file
    assert (knobs_file.read_text() if knobs_file.exists() else "") == (found or "")
    assert lab.mariadb.is_running
    with lab.mariadb.connect(None) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'bench%'")
        assert not cursor.fetchall()
        cursor.execute("CREATE DATABASE bench")  # as the host had it


def test_configurations_that_stop_the_server_are_results_and_the_loop_goes_on(
    lab: MariadbHost, params: dict[str, Any], dags: Dags
) -> None:
    def sabotage(run: Run, task: str) -> None:
        if (run.run_id, task) == ("on-mariadb-0000", "apply"):
            force(1, innodb_flush_method="banana")
        elif (run.run_id, task) == ("on-mariadb-0001", "apply"):
            force(2, innodb_buffer_pool_size=2 * 2**20)
        elif (run.run_id, task) == ("on-mariadb-0003", "collect") and lab.mariadb.pid:
            os.kill(lab.mariadb.pid, signal.SIGKILL)

    runs = dags.follow("tuning_experiment", params | {"iterations": 4, "restore_every": 0}, before=sabotage)
    assert all(run.state == "success" for run in runs), [(run.states, run.errors) for run in runs]
    trials = open_repository().trials("on-mariadb")
    assert [trial.state for trial in trials[:3]] == ["ok", "crashed", "crashed"]
    assert "banana" in trials[1].message + trials[1].log_tail
    assert "InnoDB" in trials[2].message + trials[2].log_tail
    assert lab.mariadb.is_running
    good = open_repository().experiment("on-mariadb").last_good
    assert good is not None
    assert lab.mariadb.knobs_file.read_text() == good.file


def test_a_knobs_file_that_the_server_would_pass_over_is_written_anew(lab: MariadbHost) -> None:
    text, file = "[mysqld]\ninnodb_io_capacity = 333\n", lab.mariadb.knobs_file
    with closing(ConnectedHost(lab.target)) as host:
        server = Server(host)
        assert server.write_knobs_file(text)
        assert not server.write_knobs_file(text)
        for mode in (0o666, 0o600):
            file.chmod(mode)
            assert server.write_knobs_file(text)
            assert file.stat().st_mode & 0o777 == 0o644
        server.restart()
        assert server.live()["innodb_io_capacity"].value == 333


def warm_start(lab: MariadbHost) -> set[str]:
    """What is in force of writing the pool's pages down at a stop, and of reading them at a start."""
    with lab.mariadb.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT GLOBAL_VALUE AS value FROM information_schema.SYSTEM_VARIABLES"
            " WHERE VARIABLE_NAME IN ('INNODB_BUFFER_POOL_DUMP_AT_SHUTDOWN', 'INNODB_BUFFER_POOL_LOAD_AT_STARTUP')"
        )
        return {row["value"] for row in cursor.fetchall()}


def force(iteration: int, **knobs: Any) -> None:
    """Put values into the configuration that is planned for an iteration."""
    repository = open_repository()
    trial = repository.trial("on-mariadb", iteration)
    repository.plan_trial(
        "on-mariadb", iteration, kind="model", wanted={**trial.wanted, **knobs}, repairs=[], reasons={}, seed=0
    )
