"""What is cleared, stopped or triggered at the wrong moment touches nothing and says why; real host, real server."""

from __future__ import annotations

from typing import Any

import pytest

from otterflow.errors import MayNotAct
from otterflow.operators.connections import open_repository
from stack.host import DatabaseHost
from tests.operators.harness import FAILED, SUCCESS, Dags, Run
from tests.operators.test_experiment_in_process import explain

pytestmark = pytest.mark.integration


def touched(lab: DatabaseHost) -> Any:
    """All that a task could change: the server, its file, and what the repository says."""
    repository = open_repository()
    experiment = repository.experiment("in-process")
    trials = [(t.iteration, t.attempt, t.state, t.seconds) for t in repository.trials("in-process")]
    holder = repository.holder(lab.name)
    file = lab.cluster.knobs_file.read_text() if lab.cluster.knobs_file.exists() else ""
    return lab.cluster.pid, file, experiment, trials, holder


def refused(run: Run, task: str) -> str:
    assert run.states[task] == FAILED, run.states
    error = run.errors[task]
    assert isinstance(error, MayNotAct), error
    return str(error)


def test_runs_that_are_cleared_while_and_after_an_experiment_runs_touch_nothing(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any]
) -> None:
    said: dict[str, str] = {}

    def meddle(run: Run, task: str) -> None:
        if (run.run_id, task) != ("in-process-0002", "benchmark"):
            return
        before = touched(lab)
        said["old"] = refused(dags.run("tuning_iteration", {"experiment": "in-process", "iteration": 1}), "begin")
        said["restart"] = refused(
            dags.run_task("tuning_iteration", "restart", {"experiment": "in-process", "iteration": 1}), "restart"
        )
        said["finish"] = refused(dags.run("tuning_finish", {"experiment": "in-process"}, "by-hand"), "compare")
        assert touched(lab) == before, "while trial 2 is measured"
        stop = dags.run("stop_experiment", {"experiment": "in-process", "finish_now": True})
        assert (stop.states["request_stop"], stop.triggered) == (SUCCESS, []), "it waits for the trial"

    runs = dags.follow("tuning_experiment", {**params, "iterations": 6}, before=meddle)
    assert [r.run_id for r in runs][-2:] == ["in-process-0002", "in-process-finish-1"], explain(runs)
    assert all(r.state == SUCCESS for r in runs), explain(runs)
    assert "is in the hands of run tuning_iteration/in-process-0002" in said["old"]
    assert "is in the hands of run tuning_iteration/in-process-0002" in said["restart"]
    assert "trigger stop_experiment" in said["finish"]
    repository = open_repository()
    assert [t.state for t in repository.trials("in-process")] == ["ok"] * 3, "Finish now is nobody's fault"
    assert {m.state for m in repository.measurements("in-process")} == {"ok"}
    assert repository.experiment("in-process").state == "stopped"

    before = touched(lab)
    of_trial = {"experiment": "in-process", "iteration": 2}
    for task in ("restart", "restore", "benchmark", "collect", "apply", "next_iteration"):
        message = refused(dags.run_task("tuning_iteration", task, of_trial), task)
        assert "experiment 'in-process' is stopped; its runs are history" in message
    for task in ("take_snapshot", "check_target", "start_iterations"):
        refused(dags.run_task("tuning_experiment", task, params), task)
    for task in ("compare", "install_winner", "report"):
        refused(dags.run_task("tuning_finish", task, {"experiment": "in-process"}, "in-process-finish-1"), task)
    assert touched(lab) == before, "after the experiment has ended"

    repository.hold_target(lab.name, "another")
    cleared = dags.run("tuning_iteration", of_trial)
    refused(cleared, "begin")
    refused(cleared, "recover")
    assert touched(lab)[:-1] == before[:-1], "while another experiment holds the target"
    assert repository.holder(lab.name) == "another"
    repository.release_target(lab.name, "another")

    lab.cluster.stop()
    refused(dags.run("tuning_iteration", of_trial), "recover")
    assert lab.cluster.is_running, "a server that nobody holds is not left down"


def test_a_resume_whose_run_id_is_taken_gets_another_and_is_not_left_without_a_run(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any]
) -> None:
    runs = dags.follow("tuning_experiment", {**params, "iterations": 1})
    assert runs[-1].run_id == "in-process-finish-1", explain(runs)
    dags.known["tuning_iteration", "in-process-0001"] = "failed"  # triggered once and refused, or of an older home
    runs = dags.follow("tuning_experiment", {**params, "iterations": 2, "resume": True})
    assert [r.run_id for r in runs][1:] == ["in-process-0001.2", "in-process-finish-2"], explain(runs)
    assert open_repository().experiment("in-process").state == "finished"

    again = dags.run("tuning_experiment", {**params, "iterations": 2, "resume": True}, runs[0].run_id)
    assert "has finished since this run opened it" in str(again.errors["check_experiment"])
    assert open_repository().experiment("in-process").state == "finished"


def test_finish_now_after_a_failed_run_is_at_once_and_the_failed_run_is_history(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any]
) -> None:
    def cut(run: Run, task: str) -> None:
        if (run.run_id, task) == ("in-process-0001", "benchmark"):
            lab.sshd.stop()
        if (run.run_id, task) == ("in-process-0001", "recover"):
            lab.sshd.start()

    runs = dags.follow("tuning_experiment", params, before=cut)
    assert runs[-1].state == FAILED, explain(runs)
    stop = dags.run("stop_experiment", {"experiment": "in-process", "finish_now": True})
    assert stop.triggered == [("tuning_finish", "in-process-finish-1", {"experiment": "in-process"})], stop.errors
    cleared = dags.run("tuning_iteration", {"experiment": "in-process", "iteration": 1})
    assert "its final comparison is under way" in refused(cleared, "begin")
    dag_id, run_id, conf = stop.triggered[0]
    finish = dags.run(dag_id, conf, run_id)
    assert finish.state == SUCCESS, explain([finish])
    repository = open_repository()
    assert [t.state for t in repository.trials("in-process")] == ["ok", "running"]
    assert repository.experiment("in-process").state == "stopped"
    assert repository.holder(lab.name) is None
