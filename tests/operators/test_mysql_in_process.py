"""An experiment on MySQL 9: the Dags' own tasks on a real server; where none can be had, the test says so."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from otterflow.operators.connections import open_repository
from otterflow.operators.undo import UndoTuningOperator
from stack.processes import StackError
from stack.suite_host import MysqlHost
from stack.suites import fetch
from tests.operators.conftest import small_benchmarks
from tests.operators.harness import Dags, Run

pytestmark = pytest.mark.integration

SWITCHES = "'innodb_buffer_pool_dump_at_shutdown', 'innodb_buffer_pool_load_at_startup'"


@pytest.fixture(scope="module")
def host() -> Iterator[MysqlHost]:
    folder = Path(tempfile.mkdtemp(prefix="otterflow-mysql-"))
    folder.chmod(0o755)  # the server's user has to pass
    try:
        found = MysqlHost(folder, fetch("mysql-9"))
    except StackError as error:
        shutil.rmtree(folder)
        pytest.skip(f"MySQL 9 cannot be had here, so nothing was tried on it: {error}")
    try:
        found.start()
        yield found
    finally:
        found.stop()
        shutil.rmtree(folder)


@pytest.fixture
def lab(host: MysqlHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MysqlHost:
    """The host, a small benchmark, and an empty repository."""
    include = small_benchmarks(tmp_path)
    path = include / "benchmarks" / "sysbench_uniform_read_write.yaml"
    record = yaml.safe_load(path.read_text())
    small = {"tables": 2, "table_size": 2000, "threads": 2, "load_threads": 2}
    record |= {"workload": record["workload"] | small, "warmup_s": 1, "duration_s": 3}
    path.write_text(yaml.safe_dump(record))
    for name, value in host.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OTTERFLOW_INCLUDE_DIR", str(include))
    monkeypatch.setenv("OTTERFLOW_HOME", str(tmp_path / "home"))
    return host


def in_force(host: MysqlHost, condition: str = "true") -> dict[str, str]:
    with host.mysql.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT VARIABLE_NAME AS name, VARIABLE_VALUE AS value FROM performance_schema.global_variables WHERE "
            + condition
        )
        return {row["name"]: row["value"] for row in cursor.fetchall()}


def warm_start(host: MysqlHost) -> set[str]:
    return set(in_force(host, f"VARIABLE_NAME IN ({SWITCHES})").values())


def test_a_whole_experiment_with_a_configuration_that_stops_the_server(lab: MysqlHost, dags: Dags) -> None:
    pools: dict[str, set[str]] = {}

    def meddle(run: Run, task: str) -> None:
        if task == "benchmark":
            pools[run.run_id] = warm_start(lab)
        if (run.run_id, task) == ("on-mysql-0001", "apply"):
            repository = open_repository()
            wanted = {**repository.trial("on-mysql", 2).wanted, "innodb_flush_method": "banana"}
            repository.plan_trial("on-mysql", 2, kind="model", wanted=wanted, repairs=[], reasons={}, seed=0)

    params: dict[str, Any] = {
        "experiment": "on-mysql", "target": lab.name, "benchmark": "sysbench_uniform_read_write", "iterations": 3,
        "restore_every": 2, "reference_every": 0, "final_rounds": 3, "ablation_percent": 0, "quiet_gate": False,
    }  # fmt: skip
    assert warm_start(lab) == {"ON"}
    runs = dags.follow("tuning_experiment", params, before=meddle)
    assert all(run.state == "success" for run in runs), [(run.states, run.errors) for run in runs]
    assert runs[-1].dag_id == "tuning_finish"

    repository = open_repository()
    experiment, trials = repository.experiment("on-mysql"), repository.trials("on-mysql")
    assert experiment.versions["text"].startswith("MySQL 9.")
    assert [trial.state for trial in trials] == ["ok", "ok", "crashed"]
    assert "banana" in trials[2].message + trials[2].log_tail
    assert trials[1].metrics["global_status.com_commit"] > 0
    assert trials[1].metrics["write_debt.redo_bytes_written"] > 0
    assert pools == {"on-mysql-0000": {"OFF"}, "on-mysql-0001": {"OFF"}}, "a trial begins with another's pages"
    assert warm_start(lab) == {"ON"}, "as it was found"
    assert experiment.outcome is not None
    shown = in_force(lab)
    for name, value in experiment.outcome["in_force"].items():
        if not isinstance(value, bool | float):
            assert shown[name] == str(value), name

    done = UndoTuningOperator(task_id="undo", target=lab.name, experiment="", remove="True").execute({"run_id": "undo"})
    assert {removed.partition(" ")[0] for removed in done["removed"]} >= {"database", "snapshot"}
    assert lab.mysql.is_running
    assert lab.mysql.knobs_file.read_text() == (experiment.baseline_file or "")
