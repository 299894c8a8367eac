"""A spec with its files: what does not go together is refused before anything is touched, with all that is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from otterflow.dbms.base import Dbms
from otterflow.dbms.values import Capability
from otterflow.errors import InvalidInput
from otterflow.experiment.plan import known, load_plan, trial_problems
from otterflow.experiment.spec import ExperimentSpec
from otterflow.measures.objective import Objective

GOOD: dict[str, Any] = {"experiment": "night-1", "target": "demo", "benchmark": "analytics"}


def test_unknown_files_knobs_and_objectives_are_named_together() -> None:
    spec = ExperimentSpec.from_params(
        {**GOOD, "target": "nowhere", "benchmark": "tpcz", "objective": "speed", "extra_knobs": ["work_memory"]}
    )
    with pytest.raises(InvalidInput) as caught:
        load_plan(spec)
    message = str(caught.value)
    assert "target: 'nowhere' is unknown" in message
    assert "benchmark: 'tpcz' is unknown" in message
    assert "objective: expression 'speed', position 1: 'speed' is not known; use one of throughput" in message
    assert "extra_knobs: 'work_memory' is no knob of the catalog; did you mean: work_mem" in message


def test_an_objective_that_the_benchmark_does_not_measure_names_both() -> None:
    spec = ExperimentSpec.from_params({**GOOD, "benchmark": "pgbench_tpcb", "objective": "run_time"})
    with pytest.raises(InvalidInput) as caught:
        load_plan(spec)
    assert "objective: 'run_time' is not measured by benchmark 'pgbench_tpcb'" in str(caught.value)


def planned(**fields: Any) -> Any:
    spec = ExperimentSpec.from_params(
        {"experiment": "e", "target": "example_systemd", "benchmark": "pgbench_tpcb", **fields}
    )
    return load_plan(ExperimentSpec.from_params(spec.record()))


def test_an_experiment_on_a_server_with_users_is_for_those_that_can_be_changed_as_they_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    live = {"benchmark": "live", "objective": "throughput"}
    for target in ("example_live", "example_mariadb", "example_mysql"):
        assert trial_problems(planned(**live, target=target)) == []
    monkeypatch.setattr(Dbms, "has", lambda dbms, capability: capability is not Capability.reload)
    [problem] = trial_problems(planned(**live, target="example_mysql"))
    assert "MySQL takes one at a start alone: each trial would send them away" in problem.found
    assert "promote_configuration" in problem.advice


@pytest.mark.parametrize(
    ("fields", "every"),
    [
        ({}, 10),
        ({"restore_every": 0}, 0),
        ({"benchmark": "replay", "recording": "/recordings/one"}, 1),
        ({"benchmark": "mix", "recording": "/recordings/one", "restore_every": 3}, 3),
    ],
)
def test_data_are_put_back_as_often_as_the_benchmark_takes_unless_the_form_says(
    fields: dict[str, Any], every: int
) -> None:
    plan = planned(**fields)
    assert (plan.restore_every, plan.restores) == (every, every > 0)


def test_an_objective_of_the_users_own_with_its_direction_and_constraints() -> None:
    limits = ["latency_p99 < 50", "error_share <= 0.001"]
    plan = planned(objective="throughput / latency_p95", direction="maximise", constraints=limits)
    assert plan.objective.value == "throughput / latency_p95"
    assert plan.objective.maximise
    assert [c.text for c in plan.goal.constraints] == limits
    assert not planned(objective="2 * latency_p95", direction="minimise").objective.maximise
    assert planned(objective=" throughput ").objective is Objective.throughput


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"objective": "2 * latency_p95"},
            "direction: \"objective's own\", but '2 * latency_p95' is no objective that",
        ),
        ({"objective": "latency_p95", "direction": "maximise"}, "'maximise', but latency_p95 is minimised; use"),
        ({"objective": "throughput + run_time", "direction": "maximise"}, "'run_time' is not known"),
        (
            {"objective": "metrics.queue", "direction": "minimise"},
            "'metrics.queue' is not known; use one of throughput",
        ),
        ({"constraints": ["latency_p99 < 50", "latency_p99"]}, "constraints[1]: 'latency_p99' is no constraint"),
        ({"constraints": ["run_time < 50"]}, "constraints[0]: expression 'run_time < 50', position 1: 'run_time'"),
    ],
)
def test_a_goal_that_cannot_be_is_refused_before_anything_is_touched(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        planned(**fields)
    assert said in str(caught.value)


def test_optuna_is_missed_before_anything_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otterflow.experiment.plan.find_spec", lambda name: None)
    with pytest.raises(InvalidInput, match="algorithm: 'optuna_tpe' needs optuna, which is not installed; install it"):
        planned(algorithm="optuna_tpe")
    monkeypatch.setattr("otterflow.experiment.plan.find_spec", lambda name: name == "optuna")
    assert planned(algorithm="optuna_tpe").spec.algorithm == "optuna_tpe"


def test_known_lists_the_shipped_benchmarks() -> None:
    assert "analytics" in known("benchmarks")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"repeats": 2, "duration_s": 86400},
            "repeats: 2 repeats of .* and 86400 s take 48.* h, and task benchmark",
        ),
        (
            {"final_rounds": 50, "duration_s": 3600},
            "final_rounds: 50 rounds of 4 configurations .* task compare may .* minutes they may take .final_min.",
        ),
        (
            {"final_min": 60, "duration_s": 5 * 3600},
            "final_rounds: 3 rounds of 4 configurations .* task compare may",
        ),
    ],
)
def test_measurements_longer_than_their_task_may_take_are_refused(fields: dict[str, Any], said: str) -> None:
    spec = {**GOOD, "target": "example_command", "benchmark": "pgbench_tpcb"}
    with pytest.raises(InvalidInput, match=said):
        load_plan(ExperimentSpec.from_params({**spec, **fields}))
    longest = {"repeats": 3, "duration_s": 3600, "ablation_percent": 0}
    assert load_plan(ExperimentSpec.from_params({**spec, **longest}))
    timed = {"final_rounds": 50, "final_min": 600, "duration_s": 3600}
    assert load_plan(ExperimentSpec.from_params({**spec, **timed}))
