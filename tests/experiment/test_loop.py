"""The loop's decisions, and what the tuner is told, from the repository's records alone."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest

from otterflow.errors import TEACHES_NOTHING
from otterflow.experiment import loop
from otterflow.measures.formula import constraints, formula
from otterflow.measures.goal import Goal
from otterflow.measures.objective import Objective
from otterflow.repository.records import TrialState
from tests.records import BEGIN, experiment, trial

NAMES = dict.fromkeys(["throughput", "latency_p99", "errors"], "number")


def test_the_reasons_to_finish_by_budget_time_and_request() -> None:
    assert loop.reason_to_finish(experiment({"iterations": 5}), 4, BEGIN) is None
    assert loop.reason_to_finish(experiment({"iterations": 5}), 5, BEGIN) == "all 5 iterations are done"
    late = BEGIN + timedelta(seconds=30)
    running = experiment({"time_budget_min": 10}, ran_s=630.0, clock_at=BEGIN)
    assert "time budget of 10 minutes is spent (11.0)" in str(loop.reason_to_finish(running, 2, late))
    stopped = experiment({}, stop_requested=True, stop_reason="stop_experiment was triggered")
    assert loop.reason_to_finish(stopped, 2, BEGIN) == "a stop was requested: stop_experiment was triggered"


def test_a_resume_on_the_next_day_has_the_rest_of_its_time_budget() -> None:
    """The time counted from the first start, so such a resume ended at once."""
    resumed = BEGIN + timedelta(days=1)
    again = experiment({"time_budget_min": 10}, ran_s=9.5 * 60.0, clock_at=resumed)
    assert loop.reason_to_finish(again, 2, resumed + timedelta(seconds=20)) is None
    assert "is spent (10.2)" in str(loop.reason_to_finish(again, 2, resumed + timedelta(seconds=45)))


def test_a_clock_that_is_set_forward_does_not_spend_the_time_budget() -> None:
    """It ended an experiment of an hour that had run for a minute, when a worker's clock was put right."""
    running = experiment({"time_budget_min": 60}, ran_s=60.0, clock_at=BEGIN)
    assert loop.reason_to_finish(running, 2, BEGIN + timedelta(days=1)) is None


@pytest.mark.parametrize(
    ("kind", "state", "gives_up"),
    [
        ("baseline", TrialState.failed, True),
        ("baseline", TrialState.crashed, True),
        ("baseline", TrialState.timed_out, True),
        ("baseline", TrialState.running, False),
        ("baseline", TrialState.ok, False),
        ("rules", TrialState.failed, False),
        ("reference", TrialState.failed, False),
    ],
)
def test_an_experiment_without_a_baseline_does_not_go_on(kind: str, state: TrialState, gives_up: bool) -> None:
    first = trial(0, None, kind=kind, state=state, message="relation orders does not exist")
    reason = loop.reason_to_give_up(first)
    assert (reason is not None) is gives_up
    if reason is not None:
        assert "the baseline gave no number" in reason
        assert "relation orders does not exist" in reason


LEFT = {"expected_percent": 0.8, "below_percent": 3.0, "probability_below": 0.93}


@pytest.mark.parametrize(
    ("fields", "left", "ends"),
    [
        ({"stop_below_percent": 3, "stop_confidence": 0.9}, LEFT, True),
        ({"stop_below_percent": 3, "stop_confidence": 0.95}, LEFT, False),
        ({}, LEFT, False),
        ({"stop_below_percent": 3}, {}, False),
        ({"stop_below_percent": 3}, None, False),
        ({"stop_below_percent": 5}, LEFT, False),
    ],
)
def test_the_stopping_rule_ends_an_experiment_only_as_the_form_says(
    fields: dict[str, Any], left: dict[str, Any] | None, ends: bool
) -> None:
    reason = loop.reason_to_finish(experiment(fields), 12, BEGIN, left)
    assert (reason is not None) is ends
    if reason is not None:
        assert reason == (
            "less than 3 % is still to be gained with probability 0.93 (stop_confidence 0.9); 0.8 % is expected"
        )


def test_positive_values_become_logarithms_and_the_drift_is_taken_out() -> None:
    same = {"wanted": {"work_mem": 4096}}
    trials = [trial(0, 100.0, kind="baseline", **same), trial(1, 50.0), trial(2, 50.0, kind="reference", **same)]
    scale, scores = loop.scoring(trials, Objective.throughput)
    assert scale.logarithmic
    assert scores[0] == pytest.approx(math.log(100.0))
    assert scores[1] is not None
    assert scores[1] > math.log(55.0)


def test_an_objective_below_zero_is_scored_by_its_size_and_keeps_its_drift() -> None:
    mine = formula("throughput - 10 * latency_p99", NAMES, maximise=True)
    same = {"wanted": {"work_mem": 4096}}
    trials = [trial(0, -40.0, kind="baseline", **same), trial(1, 20.0), trial(2, None), trial(3, -80.0, **same)]
    scale, scores = loop.scoring(trials, mine)
    assert not scale.logarithmic
    assert scores == [-1.0, 0.5, None, -2.0]


def test_the_tuner_is_told_by_how_much_each_constraint_was_kept() -> None:
    goal = Goal(Objective.throughput, constraints(["latency_p99 < 10"], NAMES))
    trials = [trial(0, 100.0, p99=5.0), trial(1, 100.0, p99=30.0), trial(2, None), trial(3, 100.0, p99=None)]
    told = loop.history(experiment(), trials, goal)
    assert [t.slacks for t in told] == [(pytest.approx(1 / 3),), (-0.5,), (), (-1.0,)]
    assert all(t.slacks == () for t in loop.history(experiment(), trials, Goal(Objective.throughput)))


def test_only_ended_trials_of_the_space_are_told() -> None:
    trials = [trial(0, 100.0), trial(1, 90.0, wanted={"other": 1}), trial(2, None, state=TrialState.planned)]
    assert len(loop.history(experiment(), trials, Goal(Objective.throughput))) == 1


def test_a_fault_that_is_not_the_configurations_is_not_told() -> None:
    """A live server that was idle in the window; a later try of the same trial that measured it is told."""
    idle = {"reasons": {TEACHES_NOTHING: True}}
    trials = [trial(0, 100.0), trial(1, None, **idle), trial(2, None), trial(3, 90.0, **idle)]
    told = loop.history(experiment(), trials, Goal(Objective.throughput))
    assert [t.state for t in told] == ["ok", "crashed", "ok"]
