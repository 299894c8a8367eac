"""The form: every wrong field is refused with a sentence that names it, before anything is touched."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from otterflow.errors import InvalidInput
from otterflow.experiment.spec import AlgorithmName, ExperimentSpec, SearchMode
from otterflow.operators.form import experiment_params
from otterflow.tuner.algorithms import ALGORITHMS
from otterflow.tuner.options import Mode

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


@pytest.mark.parametrize("rounds", [1, 2])
def test_fewer_rounds_than_can_have_a_winner_are_refused_and_read_as_three_of_an_older_experiment(rounds: int) -> None:
    with pytest.raises(InvalidInput, match="final_rounds"):
        ExperimentSpec.from_params({**GOOD, "final_rounds": rounds})
    kept = {**ExperimentSpec.from_params(GOOD).record(), "final_rounds": rounds}
    assert ExperimentSpec.from_record(kept).final_rounds == 3
    assert experiment_params()["final_rounds"].schema["minimum"] == 3
