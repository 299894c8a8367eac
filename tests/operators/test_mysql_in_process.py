"""An experiment on MySQL 9: the Dags' own tasks on a real server; where none can be had, the test says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otterflow.operators.connections import open_repository
from otterflow.operators.undo import UndoTuningOperator
from stack.family_host import FamilyHost
from tests.operators.family_hosts import running_host, set_up
from tests.operators.harness import Dags, Run

pytestmark = pytest.mark.integration

SWITCHES = "'innodb_buffer_pool_dump_at_shutdown', 'innodb_buffer_pool_load_at_startup'"


@pytest.fixture(scope="module")
def host() -> Iterator[FamilyHost]:
    with running_host("mysql-9") as found:
        yield found


@pytest.fixture
def lab(host: FamilyHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FamilyHost:
    """The host, a small benchmark, and an empty repository."""
    set_up(host, tmp_path, monkeypatch)
    return host


def in_force(host: FamilyHost, condition: str = "true") -> dict[str, str]:
    with host.server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT VARIABLE_NAME AS name, VARIABLE_VALUE AS value FROM performance_schema.global_variables WHERE "
            + condition
        )
        return {row["name"]: row["value"] for row in cursor.fetchall()}


def warm_start(host: FamilyHost) -> set[str]:
    return set(in_force(host, f"VARIABLE_NAME IN ({SWITCHES})").values())


def test_a_whole_experiment_with_a_configuration_that_stops_the_server(lab: FamilyHost, dags: Dags) -> None:
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
    assert lab.server.is_running
    assert lab.server.knobs_file.read_text() == (experiment.baseline_file or "")
