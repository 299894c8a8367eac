"""The form: every wrong field is refused with a sentence that names it, before anything is touched."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from otterflow.errors import InvalidInput
from otterflow.experiment import AlgorithmName, ExperimentSpec, SearchMode, known, load_plan
from otterflow.tuner.algorithms import ALGORITHMS
from otterflow.tuner.options import Mode
from otterflow.workloads.objective import Objective

GOOD: dict[str, Any] = {"experiment": "night-1", "target": "demo", "benchmark": "analytics"}


def refused(**fields: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        ExperimentSpec.from_params({**GOOD, **fields})
    return str(caught.value)


def test_the_defaults_are_valid_and_survive_the_repository() -> None:
    spec = ExperimentSpec.from_params(GOOD)
    assert ExperimentSpec.from_params(spec.record()) == spec
    assert "resume" not in spec.record()


@pytest.mark.parametrize("name", ["a/b", "a;b", "a b", "", "-a", "x" * 300, "ä", "a\n"])
def test_bad_names(name: str) -> None:
    message = refused(experiment=name)
    assert message.startswith("experiment: ")
    assert repr(name) in message
    assert "1 to 63 letters, digits" in message


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"stop_below_percent": 0}, "stop_below_percent: value 0 is not valid"),
        ({"stop_confidence": 1.0}, "stop_confidence: value 1.0 is not valid"),
        ({"algorithm": "magic"}, "algorithm: value 'magic' is not valid"),
        ({"mode": "wild"}, "mode: value 'wild' is not valid"),
        ({"direction": "up"}, "direction: value 'up' is not valid"),
        ({"objective": "  "}, "objective: value '  ' is not valid"),
        ({"constraints": ["latency_p99 < 5", ""]}, "constraints.1: value '' is not valid"),
        ({"constraints": ["errors < 1"] * 11}, "constraints: "),
    ],
)
def test_bad_options_of_the_search(fields: dict[str, Any], said: str) -> None:
    assert said in refused(**fields)


@pytest.mark.parametrize("iterations", [0, -1, 10**9])
def test_bad_iterations(iterations: int) -> None:
    message = refused(iterations=iterations)
    assert message.startswith(f"iterations: value {iterations} is not valid")


def test_an_unknown_field_is_named() -> None:
    assert "iteration" in refused(iteration=5)


def test_a_knob_both_wanted_and_unwanted_names_both_fields() -> None:
    message = refused(extra_knobs=["work_mem"], excluded_knobs=["work_mem", "jit"])
    assert "extra_knobs" in message
    assert "excluded_knobs" in message
    assert "work_mem" in message


def test_nothing_but_reference_trials_names_both_fields() -> None:
    message = refused(reference_every=1)
    assert "reference_every" in message
    assert "iterations" in message


def test_a_run_longer_than_the_budget_names_both_fields() -> None:
    message = refused(duration_s=600, repeats=3, time_budget_min=10)
    assert "duration_s x repeats" in message
    assert "time_budget_min" in message


def test_all_that_is_wrong_is_said_at_once() -> None:
    message = refused(experiment="a b", iterations=0, knob_set="everything")
    for field in ("experiment: ", "iterations: ", "knob_set: "):
        assert field in message


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


def test_the_forms_algorithms_and_modes_are_the_tuners() -> None:
    assert [a.value for a in AlgorithmName] == list(ALGORITHMS)
    assert [m.value for m in SearchMode] == list(get_args(Mode))


def test_safe_mode_and_an_algorithm_that_searches_everywhere_clash() -> None:
    message = refused(mode="safe", algorithm="lhs")
    assert "mode safe is not to be had with algorithm lhs" in message
    anywhere = [name for name, algorithm in ALGORITHMS.items() if not algorithm.designed]
    for name in AlgorithmName:
        if name.value in anywhere:
            assert f"algorithm {name.value}" in refused(mode="safe", algorithm=name.value)
        else:
            assert ExperimentSpec.from_params({**GOOD, "mode": "safe", "algorithm": name.value}).algorithm is name


def test_optuna_is_missed_before_anything_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otterflow.experiment.find_spec", lambda name: None)
    with pytest.raises(InvalidInput, match="algorithm: 'optuna_tpe' needs optuna, which is not installed; install it"):
        planned(algorithm="optuna_tpe")
    monkeypatch.setattr("otterflow.experiment.find_spec", lambda name: name == "optuna")
    assert planned(algorithm="optuna_tpe").spec.algorithm == "optuna_tpe"


def test_known_lists_the_shipped_benchmarks() -> None:
    assert "analytics" in known("benchmarks")
