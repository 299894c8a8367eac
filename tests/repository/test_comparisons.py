"""The final comparison: a retried task goes on where it stopped, a resumed experiment begins a new one."""

from __future__ import annotations

import re
from typing import Any

import pytest

from otterflow.errors import InvalidInput
from otterflow.repository import Repository, TrialState
from tests.repository.samples import new_experiment


@pytest.fixture
def repository(repository: Repository) -> Repository:
    repository.create_experiment(new_experiment())
    return repository


def _record(repository: Repository, **changes: Any) -> None:
    values: dict[str, Any] = {"round": 0, "arm": "best", "value": 4.5, "result": {"seconds": 4.5}, "state": "ok"}
    repository.record_measurement("night", **{**values, **changes})


def test_measurements_come_in_order_of_round_and_time(repository: Repository) -> None:
    for number, arm in ((1, "rules"), (0, "rules"), (0, "baseline"), (10, "best"), (1, "baseline")):
        _record(repository, round=number, arm=arm)
    order = [(m.round, m.arm) for m in repository.measurements("night")]
    assert order == [(0, "rules"), (0, "baseline"), (1, "rules"), (1, "baseline"), (10, "best")]


def test_a_measurement_is_as_it_was_given(repository: Repository) -> None:
    _record(repository, value=None, state=TrialState.timed_out, result={"seconds": 60})
    (measurement,) = repository.measurements("night")
    assert (measurement.value, measurement.state, measurement.result) == (None, "timed_out", {"seconds": 60})
    assert (measurement.comparison, measurement.round, measurement.arm) == (1, 0, "best")


def test_a_measurement_made_again_replaces_the_former(repository: Repository) -> None:
    _record(repository, value=None, state="failed")
    former = repository.measurements("night")
    _record(repository)
    (latter,) = repository.measurements("night")
    assert (latter.value, latter.state) == (4.5, "ok")
    assert latter.measured_at > former[0].measured_at
    _record(repository)
    assert repository.measurements("night") == [latter]


def test_a_resumed_experiment_begins_a_new_comparison(repository: Repository) -> None:
    _record(repository)
    repository.set_experiment_state("night", "finished")
    repository.extend("night", iterations=20, time_budget_min=None)
    assert repository.measurements("night") == []
    _record(repository, value=3)
    assert [m.value for m in repository.measurements("night")] == [3.0]
    assert [m.value for m in repository.measurements("night", comparison=1)] == [4.5]


def test_measurements_of_many_experiments_are_each_ones_own(repository: Repository) -> None:
    repository.create_experiment(new_experiment("day"))
    repository.create_experiment(new_experiment("quiet"))
    _record(repository)
    repository.set_experiment_state("night", "finished")
    repository.extend("night", iterations=20, time_budget_min=None)
    for number, arm in ((1, "rules"), (0, "best"), (0, "rules")):
        _record(repository, round=number, arm=arm)
    repository.record_measurement("day", round=0, arm="best", value=7.0, result={}, state="ok")
    found = repository.measurements_of({"night", "day", "quiet", "unknown"})
    assert found == {"unknown": []} | {name: repository.measurements(name) for name in ("night", "day", "quiet")}
    assert (len(found["night"]), len(found["day"]), found["quiet"]) == (3, 1, [])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"state": "running"}, "state: 'running' does not end a measurement"),
        ({"state": "great"}, "state: 'great' is unknown"),
        ({"value": float("nan")}, "value: nan"),
        ({"result": {"p50": float("inf")}}, "result.p50: inf"),
        ({"round": -1}, "round: -1"),
    ],
)
def test_a_bad_measurement_is_refused(repository: Repository, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{re.escape(said)}"):
        _record(repository, **changes)
    assert repository.measurements("night") == []
