"""The loop's decisions, and what the tuner is told, from the repository's records alone."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest

from otterflow.errors import TEACHES_NOTHING
from otterflow.experiment import loop
from otterflow.language.quantities import Dimension
from otterflow.measures.formula import constraints, formula
from otterflow.measures.goal import Goal
from otterflow.measures.objective import Objective
from otterflow.repository.records import TrialState
from tests.records import BEGIN, experiment, trial

NAMES: dict[str, Dimension] = dict.fromkeys(["throughput", "latency_p99", "errors"], "number")


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
    again = experiment({"time_budget_min": 10, "ablation_percent": 0}, ran_s=9.5 * 60.0, clock_at=resumed)
    assert loop.reason_to_finish(again, 2, resumed + timedelta(seconds=20)) is None
    assert "is spent (10.2)" in str(loop.reason_to_finish(again, 2, resumed + timedelta(seconds=45)))


def test_a_share_of_the_time_is_left_to_send_knobs_home() -> None:
    """130 minutes with 30 %: 100 for the search and 30 for what follows."""
    form = {"time_budget_min": 130, "ablation_percent": 30, "iterations": 50}
    early, late, over = (experiment(form, ran_s=60.0 * ran, clock_at=BEGIN) for ran in (99, 101, 131))
    assert loop.reason_to_finish(early, 9, BEGIN) is None
    reason = "the time budget of 130 minutes is spent (101.0, and 30.0 are kept for sending knobs home)"
    assert loop.reason_to_finish(late, 9, BEGIN) == reason
    assert loop.reason_to_end_ablation(late, 9, 1, BEGIN) is None
    assert loop.reason_to_end_ablation(over, 9, 1, BEGIN) == "the time budget of 130 minutes is spent (131.0)"
    off = experiment({**form, "ablation_percent": 0}, ran_s=60.0 * 129, clock_at=BEGIN)
    assert loop.reason_to_finish(off, 9, BEGIN) is None
    few = experiment({**form, "iterations": 3}, ran_s=60.0 * 129, clock_at=BEGIN)
    assert loop.reason_to_finish(few, 2, BEGIN) is None, "of three iterations none is left over"


def test_knobs_are_sent_home_in_so_many_trials_at_most_and_not_once_a_stop_is_asked_for() -> None:
    running = experiment({"iterations": 10, "ablation_percent": 30})
    assert loop.reason_to_end_ablation(running, 10, 2, BEGIN) is None
    assert loop.reason_to_end_ablation(running, 10, 3, BEGIN) == "3 trials may do so (30 % of 10)"
    assert "0 trials" in str(loop.reason_to_end_ablation(experiment({"ablation_percent": 0}), 10, 0, BEGIN))
    stopped = experiment({}, stop_requested=True, stop_reason="by hand")
    assert loop.reason_to_end_ablation(stopped, 10, 0, BEGIN) == "a stop was requested: by hand"


def test_the_ablation_is_what_follows_the_search_and_one_before_a_resume_is_the_searchs() -> None:
    kinds = ["baseline", "model", "ablation", "reference", "model", "ablation", "ablation"]
    trials = [trial(i, 100.0, kind=kind) for i, kind in enumerate(kinds)]
    searched, own = loop.split(trials)
    assert ([t.iteration for t in searched], [t.iteration for t in own]) == ([0, 1, 2, 3, 4], [5, 6])
    assert loop.iterations_of(trials) == 4
    assert loop.split(trials[:2]) == (trials[:2], [])
    assert loop.split([]) == ([], [])
    assert loop.no_further("all 4 iterations are done", 0, "off") == "all 4 iterations are done"
    assert loop.no_further("done", 2, "enough") == "done; then 2 trials sent knobs home: enough"


def test_the_best_of_the_search_measured_again_tells_of_the_drift() -> None:
    best: dict[str, Any] = {"wanted": {"work_mem": 8192}, "reasons": {loop.SENT_HOME: []}}
    trials = [trial(0, 100.0, kind="baseline"), trial(1, 200.0, wanted={"work_mem": 8192}), trial(2, 150.0)]
    again = trial(3, 100.0, kind="ablation", **best)
    plain = trial(3, 100.0, kind="ablation", wanted={"work_mem": 8192})
    corrected, as_it_is = (loop.scoring([*trials, last], Objective.throughput)[1][3] for last in (again, plain))
    assert as_it_is == pytest.approx(math.log(100.0))
    assert corrected is not None
    assert corrected > math.log(120.0)


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
    same: dict[str, Any] = {"wanted": {"work_mem": 4096}}
    trials = [trial(0, 100.0, kind="baseline", **same), trial(1, 50.0), trial(2, 50.0, kind="reference", **same)]
    scale, scores = loop.scoring(trials, Objective.throughput)
    assert scale.logarithmic
    assert scores[0] == pytest.approx(math.log(100.0))
    assert scores[1] is not None
    assert scores[1] > math.log(55.0)


def test_an_objective_below_zero_is_scored_by_its_size_and_keeps_its_drift() -> None:
    mine = formula("throughput - 10 * latency_p99", NAMES, maximise=True)
    same: dict[str, Any] = {"wanted": {"work_mem": 4096}}
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
    idle: dict[str, Any] = {"reasons": {TEACHES_NOTHING: True}}
    trials = [trial(0, 100.0), trial(1, None, **idle), trial(2, None), trial(3, 90.0, **idle)]
    told = loop.history(experiment(), trials, Goal(Objective.throughput))
    assert [t.state for t in told] == ["ok", "crashed", "ok"]
