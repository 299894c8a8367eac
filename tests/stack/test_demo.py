"""The demo's settings and place, without starting anything; and what it does when the experiment fails."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from otterflow.errors import InvalidInput
from otterflow.experiment.spec import ExperimentSpec
from otterflow.measures.objective import Objective
from otterflow.repository import Repository
from otterflow.settings import include_dir
from otterflow.workloads.definition import load_benchmark
from otterflow.workloads.sysbench.workload import BYTES_PER_ROW
from stack.airflow_client import AirflowClient
from stack.demo import BENCHMARKS, DemoSettings
from stack.lab import SYSTEMS, Lab, MariadbLab, lab_folder, lab_of
from stack.users import ServerUser, server_user
from stack.watch import ExperimentFailed, Progress, follow
from tests.repository.samples import new_experiment


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ITERATIONS", "0"),
        ("ITERATIONS", "-1"),
        ("ITERATIONS", "1000000000"),
        ("ITERATIONS", "ten"),
        ("ITERATIONS", "٣"),
        ("BENCHMARK", "tpch"),
        ("BENCHMARK", "../x"),
        ("SEED", "1.5"),
        ("ABLATION", "101"),
        ("DBMS", "oracle"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        DemoSettings.from_environment({name: value})
    assert str(refused.value).startswith(f"{name}: ")
    assert repr(value) in str(refused.value)


def test_settings_fill_in_the_form() -> None:
    settings = DemoSettings.from_environment({"ITERATIONS": "4", "BENCHMARK": "pgbench_tpcb", "SEED": ""})
    spec = ExperimentSpec.from_params(settings.conf())
    assert (spec.iterations, spec.benchmark, spec.seed, spec.target) == (4, "pgbench_tpcb", 0, "demo")
    assert DemoSettings.from_environment({}) == DemoSettings()
    assert spec.ablation_percent == 0
    asked = DemoSettings.from_environment({"ABLATION": "30"})
    assert ExperimentSpec.from_params(asked.conf()).ablation_percent == 30


def test_mariadb_is_tuned_on_data_beyond_its_default_pool() -> None:
    settings = DemoSettings.from_environment({"DBMS": "mariadb"})
    assert (settings.dbms, settings.benchmark) == ("mariadb", BENCHMARKS["mariadb"])
    workload = load_benchmark(include_dir() / "benchmarks" / f"{settings.benchmark}.yaml").workload
    assert workload.scale * BYTES_PER_ROW > 10 * 128 * 2**20
    spec = ExperimentSpec.from_params(settings.conf())
    assert (spec.warmup_s, spec.duration_s) == (10, 15)


def test_a_benchmark_that_the_dbms_cannot_run_is_refused_before_anything_starts() -> None:
    with pytest.raises(InvalidInput, match="BENCHMARK: 'pgbench_tpcb' is for postgresql, and the demo runs on mariadb"):
        DemoSettings.from_environment({"DBMS": "mariadb", "BENCHMARK": "pgbench_tpcb"})


def test_programs_of_postgresql_mean_nothing_on_mariadb() -> None:
    with pytest.raises(InvalidInput, match="POSTGRES_BIN: it means nothing with DBMS=mariadb"):
        DemoSettings.from_environment({"DBMS": "mariadb", "POSTGRES_BIN": "/usr/lib/postgresql/15/bin"})


@pytest.mark.parametrize(("folder", "kind"), [("pg", Lab), ("maria", MariadbLab)])
def test_a_lab_is_taken_up_again_with_the_dbms_that_it_has(tmp_path: Path, folder: str, kind: type) -> None:
    (tmp_path / "host" / folder).mkdir(parents=True)
    assert type(lab_of(tmp_path, "demo")) is kind


def test_a_new_lab_has_the_dbms_that_is_asked_for(tmp_path: Path) -> None:
    assert [type(lab_of(tmp_path, "demo", dbms=name)) for name in (None, *SYSTEMS)] == [Lab, Lab, MariadbLab]


def test_the_lab_lies_under_the_demos_folder_where_that_can_be(tmp_path: Path) -> None:
    me = ServerUser("me", os.getuid(), os.getgid(), borrowed=False)
    state = Path("/tmp") / f"of-{os.getpid()}"
    try:
        assert lab_folder(state, me) == state / "lab"
        assert lab_folder(state, me) == state / "lab"
    finally:
        (state / "lab").rmdir()
        (state / "place.json").unlink()
        state.rmdir()


def test_the_lab_moves_away_from_a_path_too_long_for_a_socket_and_stays_there(tmp_path: Path) -> None:
    state = tmp_path / ("long" * 20)
    folder = lab_folder(state, server_user())
    try:
        assert folder.parent == Path("/var/tmp")
        assert lab_folder(state, server_user()) == folder
    finally:
        folder.rmdir()
    again = lab_folder(state, server_user())
    again.rmdir()
    assert again != folder


class FakeClient:
    """An Airflow with one run of `tuning_experiment`, in a state of the test's choice."""

    def __init__(self, state: str) -> None:
        self.state = state

    def dag_run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        return {"dag_run_id": run_id, "state": self.state}

    def dag_runs(self, dag_id: str) -> list[dict[str, Any]]:
        return [{"dag_run_id": "another-0001", "state": "failed"}]

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        start = "2026-01-01T00:00:00Z"
        return [
            {"task_id": "check_experiment", "state": "success", "try_number": 1, "start_date": start},
            {"task_id": "check_target", "state": self.state, "try_number": 2, "start_date": start},
        ]

    def task_log(self, dag_id: str, run_id: str, task_id: str, try_number: int) -> list[str]:
        return [f"try {try_number} of {task_id}", "TargetNotReady: the disk is full"]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.open(f"sqlite:///{tmp_path / 'repository.db'}")


def looks(repository: Repository, client: object) -> Iterator[Progress]:
    return follow(
        repository, cast(AirflowClient, client), "demo", "r1", iterations=2, final_rounds=1,
        objective=Objective.run_time, poll_s=0,
    )  # fmt: skip


def create(repository: Repository) -> None:
    repository.create_experiment(
        new_experiment("demo", target="demo", benchmark="analytics", objective="run_time", spec={"iterations": 2})
    )


def test_a_failed_run_ends_the_watch_with_the_end_of_its_log(repository: Repository) -> None:
    with pytest.raises(ExperimentFailed) as failed:
        list(looks(repository, FakeClient("failed")))
    assert "run r1 of tuning_experiment failed" in str(failed.value)
    assert "try 2 of check_target" in str(failed.value)
    assert "TargetNotReady: the disk is full" in str(failed.value)
    assert "check_experiment\n" not in str(failed.value)
    assert "another-0001" not in str(failed.value)


def test_the_task_that_runs_is_named(repository: Repository) -> None:
    first = next(looks(repository, FakeClient("running")))
    assert first.doing.startswith("check_target (")
    assert first.state == "created"


def test_an_experiment_that_was_stopped_is_no_success(repository: Repository) -> None:
    create(repository)
    repository.set_experiment_state("demo", "stopped", "on request")
    with pytest.raises(ExperimentFailed, match="ended stopped: on request"):
        list(looks(repository, FakeClient("success")))


def test_the_last_look_at_a_finished_experiment_has_its_outcome(repository: Repository) -> None:
    create(repository)
    repository.record_outcome("demo", {"ratio": 1.5})
    repository.set_experiment_state("demo", "finished")
    last = list(looks(repository, FakeClient("success")))[-1]
    assert last.finished is not None
    assert last.finished.outcome == {"ratio": 1.5}
    assert last.state.ended
