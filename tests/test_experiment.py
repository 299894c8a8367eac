"""The form: every wrong field is refused with a sentence that names it, before anything is touched."""

from __future__ import annotations

from typing import Any

import pytest

from otterflow.errors import InvalidInput
from otterflow.experiment import ExperimentSpec, known, load_plan

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
    assert "objective: 'speed' is unknown" in message
    assert "extra_knobs: 'work_memory' is no knob of the catalog; did you mean: work_mem" in message


def test_an_objective_that_the_benchmark_does_not_measure_names_both() -> None:
    spec = ExperimentSpec.from_params({**GOOD, "benchmark": "pgbench_tpcb", "objective": "run_time"})
    with pytest.raises(InvalidInput) as caught:
        load_plan(spec)
    assert "objective: 'run_time' is not measured by benchmark 'pgbench_tpcb'" in str(caught.value)


def test_known_lists_the_shipped_benchmarks() -> None:
    assert "analytics" in known("benchmarks")
