"""A whole experiment with the real operators on a real PostgreSQL behind a real sshd; only Airflow is left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import structlog

from otterflow.operators.connections import open_repository
from stack.host import DatabaseHost
from tests.operators.harness import FAILED, SKIPPED, SUCCESS, Dags, Run
from tests.report.reading import Page

pytestmark = pytest.mark.integration


def explain(runs: list[Run]) -> str:
    return "\n".join(f"{r.run_id}: {r.states} {r.errors}" for r in runs)


def in_force_on(host: DatabaseHost) -> dict[str, str]:
    """What the server itself says, asked without any of otterflow's code."""
    with host.cluster.connect("postgres") as connection:
        return dict(connection.execute("SELECT name, setting FROM pg_settings").fetchall())


def as_shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:.15g}" if isinstance(value, float) else str(value)


@pytest.mark.usefixtures("all_rounds")
def test_an_experiment_ends_with_its_winner_in_force(lab: DatabaseHost, dags: Dags, params: dict[str, Any]) -> None:
    with structlog.testing.capture_logs() as logged:
        runs = dags.follow("tuning_experiment", params)
    iterations = [f"in-process-{i:04d}" for i in range(4)]
    assert [r.run_id for r in runs] == ["manual", *iterations, "in-process-finish-1"], explain(runs)
    assert all(r.state == SUCCESS for r in runs), explain(runs)
    assert runs[1].states["recover"] == SKIPPED

    repository = open_repository()
    experiment = repository.experiment("in-process")
    trials = repository.trials("in-process")
    assert experiment.state == "finished"
    assert [t.state for t in trials] == ["ok"] * 4
    assert [t.kind for t in trials][:2] == ["baseline", "rules"]
    for trial in trials:
        assert trial.in_force is not None
        assert trial.in_force.keys() == trial.wanted.keys()
        assert trial.objective is not None
        assert trial.result is not None
        assert "course" not in trial.result, "noted only where hopeless trials are to be ended early"
        assert trial.metrics
        assert trial.host["host.load_1m"] >= 0
        assert {"restart", "benchmark", "collect", "restart.server", "benchmark.window"} <= trial.seconds.keys()
    assert repository.holder(lab.name) is None

    outcome = experiment.outcome
    assert outcome is not None
    written = Path(experiment_home()) / "results" / "in-process" / "result.json"
    assert json.loads(written.read_text()) == outcome
    assert outcome["finished_because"] == experiment.finished_because == "all 4 iterations are done"
    assert experiment.files is not None
    said = [str(line) for line in logged if outcome["verdict"] in str(line)]
    assert len(said) == 2, "install_winner and report both say it"
    assert f"Everything, with every trial: {written}" in said[1]
    assert outcome["verdict"] in Page((written.parent / "report.html").read_text()).text
    assert f"The report: {written.parent / 'report.html'}" in str(logged)
    exported = written.parent / "export.zip"
    assert exported.exists() == (outcome["best_configuration"] != experiment.baseline)
    shown = in_force_on(lab)
    for knob, value in outcome["in_force"].items():
        assert shown[knob] == as_shown(value), knob
    assert len(outcome["comparison"]["values"]["baseline"]) == 3

    server = lab.cluster.pid
    cleared = dags.run("tuning_iteration", {"experiment": "in-process", "iteration": 2})
    assert cleared.state == FAILED, "a run of an ended experiment is history"
    assert lab.cluster.pid == server, "and clearing it touches nothing"
    assert open_repository().holder(lab.name) is None
    assert open_repository().experiment("in-process").state == "finished"


def experiment_home() -> str:
    import os

    return os.environ["OTTERFLOW_HOME"]


def test_data_is_restored_every_other_iteration(lab: DatabaseHost, dags: Dags, params: dict[str, Any]) -> None:
    form = {**params, "benchmark": "pgbench_tpcb", "restore_every": 2, "iterations": 3}
    runs = dags.follow("tuning_experiment", form)
    assert all(r.state == SUCCESS for r in runs), explain(runs)
    assert runs[0].returned["take_snapshot"] == {"loaded": True, "snapshot": True}
    assert [r.states["restore"] for r in runs[1:4]] == [SKIPPED, SKIPPED, SUCCESS]
    assert "every 2 iterations" in runs[2].returned["begin"]["restore"]
    assert "no benchmark has run" in runs[1].returned["begin"]["restore"]
    assert set(runs[3].returned["begin"]) == {"free_cache"}
    assert "drop_cache is off" in runs[3].returned["begin"]["free_cache"]


def test_a_second_experiment_on_a_held_target_is_refused(lab: DatabaseHost, dags: Dags, params: dict[str, Any]) -> None:
    open_repository().hold_target(lab.name, "first-one")
    run = dags.run("tuning_experiment", params)
    assert run.states["check_target"] == "failed"
    assert "held by experiment 'first-one'" in str(run.errors["check_target"])
    assert open_repository().holder(lab.name) == "first-one"


def test_a_stop_ends_with_the_trial_under_way_and_a_resume_goes_on(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any]
) -> None:
    def stop_in_the_first_trial(run: Run, task: str) -> None:
        if run.run_id == "in-process-0001" and task == "benchmark":
            stop = dags.run("stop_experiment", {"experiment": "in-process"})
            assert stop.states["request_stop"] == SUCCESS, stop.errors

    runs = dags.follow("tuning_experiment", {**params, "iterations": 6}, before=stop_in_the_first_trial)
    assert [r.run_id for r in runs][-2:] == ["in-process-0001", "in-process-finish-1"], explain(runs)
    stopped = open_repository().experiment("in-process")
    assert stopped.state == "stopped"
    assert stopped.finished_because == "a stop was requested: stop_experiment was triggered"

    form = {**params, "iterations": 4, "resume": True}
    runs = dags.follow("tuning_experiment", form)
    assert runs[0].states["check_experiment"] == "failed"
    assert "iterations" in str(runs[0].errors["check_experiment"])

    runs = dags.follow("tuning_experiment", {**form, "iterations": 7})
    assert [r.run_id for r in runs][1:2] == ["in-process-0002"], explain(runs)
    assert runs[-1].run_id == "in-process-finish-2", explain(runs)
    trials = open_repository().trials("in-process")
    assert [t.state for t in trials] == ["ok"] * 7
    assert trials[2].kind == "reference"
    results = Path(experiment_home()) / "results" / "in-process"
    runs_of = {name: json.loads((results / name).read_text())["run"] for name in ("result-1.json", "result.json")}
    assert runs_of == {"result-1.json": 1, "result.json": 2}
    assert (results / "report-1.html").exists()
    assert (results / "report-2.html").read_text() == (results / "report.html").read_text()
