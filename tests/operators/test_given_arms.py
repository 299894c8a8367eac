"""An experiment whose arms are given: the same tasks, no trials, and afterwards all is as it was before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from otterflow.operators.connections import open_repository
from stack.host import DatabaseHost
from tests.operators.harness import SUCCESS, Dags, Run
from tests.operators.test_experiment_in_process import explain, in_force_on

pytestmark = pytest.mark.integration

NAME = "in-process"


@pytest.fixture
def form(params: dict[str, Any]) -> dict[str, Any]:
    arms = {"bigger": {"work_mem": "64MB", "jit": False}, "baseline": {"work_mem": "1MB"}}
    return {**params, "benchmark": "pgbench_tpcb", "restore_every": 4, "install": False, "arms": arms}


def knobs_file(host: DatabaseHost) -> str:
    return host.cluster.knobs_file.read_text() if host.cluster.knobs_file.exists() else ""


@pytest.mark.usefixtures("all_rounds")
def test_given_arms_are_compared_and_nothing_is_left_of_them(
    lab: DatabaseHost, dags: Dags, form: dict[str, Any]
) -> None:
    before, file_before = in_force_on(lab), knobs_file(lab)
    seen: dict[str, set[str]] = {}

    def look(run: Run, task: str) -> None:
        if task == "install_winner":
            seen["at the end of the turns"] = {in_force_on(lab)["work_mem"]}

    runs = dags.follow("tuning_experiment", form, before=look)
    assert [run.run_id for run in runs] == ["manual", f"{NAME}-finish-1"], explain(runs)
    assert all(run.state == SUCCESS for run in runs), explain(runs)
    assert seen["at the end of the turns"] <= {"65536", "1024"}
    repository = open_repository()
    experiment = repository.experiment(NAME)
    assert (experiment.state, repository.trials(NAME)) == ("finished", [])
    assert experiment.finished_because == "its arms are given, so no trial is made"
    assert repository.holder(lab.name) is None
    result = experiment.outcome
    assert result is not None
    assert {arm: len(of) for arm, of in result["comparison"]["values"].items()} == {"baseline": 3, "bigger": 3}
    assert result["compared"] == ["baseline", "bigger"]
    assert (result["knobs"]["work_mem"]["baseline"], result["knobs"]["work_mem"]["bigger"]) == ("1MB", "64MB")
    assert result["installed"] == "baseline"
    assert {m.round for m in repository.measurements(NAME)} == {1, 2, 3}
    assert in_force_on(lab) == before
    assert knobs_file(lab) == file_before


def test_an_arm_that_the_server_does_not_start_with_is_told_and_takes_nothing_along(
    lab: DatabaseHost, dags: Dags, form: dict[str, Any]
) -> None:
    before = in_force_on(lab)
    arms = {"bigger": {"work_mem": "64MB"}, "huge": {"shared_buffers": "900GB"}}
    runs = dags.follow("tuning_experiment", {**form, "arms": arms})
    assert all(run.state == SUCCESS for run in runs), explain(runs)
    result = open_repository().experiment(NAME).outcome
    assert result is not None
    assert set(result["comparison"]["values"]) == {"baseline", "bigger"}
    assert "crashed in round 1" in result["comparison"]["faults"]["huge"]
    assert in_force_on(lab) == before


def test_what_the_server_would_refuse_is_refused_before_anything_is_touched(
    lab: DatabaseHost, dags: Dags, form: dict[str, Any]
) -> None:
    run = dags.run("tuning_experiment", {**form, "arms": {"odd": {"work_mem": "1kB", "jit": "perhaps"}}})
    said = str(run.errors["check_target"])
    assert "arms: odd.work_mem: '1kB' is beyond its limits; the server takes 64 to" in said
    assert "arms: odd.jit: 'perhaps' is not a boolean" in said
    assert open_repository().holder(lab.name) is None


def test_a_held_target_is_waited_for_and_the_wait_has_an_end(
    lab: DatabaseHost, dags: Dags, form: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits holds nothing; where another is quicker, it waits on, for what is left of its time."""
    repository = open_repository()
    repository.hold_target(lab.name, "first")
    asked: list[str] = []

    def answer(deferred: Any) -> Any:
        path, arguments = deferred.trigger.serialize()
        assert path.endswith("triggers.TargetTrigger")
        asked.append(arguments["until"])
        assert arguments["name"] == lab.name
        waiting = repository.experiment(NAME)
        assert waiting.message.startswith("waits until"), waiting.message
        holder = repository.holder(lab.name)
        assert holder is not None
        repository.release_target(lab.name, holder)
        if len(asked) == 1:
            repository.hold_target(lab.name, "second")
        return arguments["until"]

    monkeypatch.setattr(dags, "answer", answer)
    run = dags.run("tuning_experiment", {**form, "wait_min": 60})
    assert run.state == SUCCESS, explain([run])
    assert len(asked) == 2
    assert asked[0] == asked[1]
    until = datetime.fromisoformat(asked[0]) - datetime.now(UTC)
    assert timedelta(minutes=50) < until < timedelta(minutes=60)
    assert repository.holder(lab.name) == NAME


def test_a_target_that_stays_held_is_given_up(
    lab: DatabaseHost, dags: Dags, form: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    open_repository().hold_target(lab.name, "first")
    monkeypatch.setattr(dags, "answer", lambda deferred: (datetime.now(UTC) - timedelta(seconds=1)).isoformat())
    run = dags.run("tuning_experiment", {**form, "wait_min": 60})
    assert "is held by experiment 'first'" in str(run.errors["check_target"])
    assert open_repository().holder(lab.name) == "first"
