"""Whether a task may act, by the experiment's state, the run and the trial; and the sentence where it may not."""

from __future__ import annotations

from typing import Any

import pytest

from otterflow.operators.begin import BeginOperator
from otterflow.operators.benchmark import BenchmarkOperator
from otterflow.operators.collect import CollectOperator
from otterflow.operators.compare import CompareOperator
from otterflow.operators.guard import May, refusal
from otterflow.operators.next_iteration import NextIterationOperator
from otterflow.operators.recover import RecoverOperator
from otterflow.operators.restart import RestartOperator
from otterflow.operators.restore import RestoreOperator
from otterflow.operators.start_iterations import StartIterationsOperator
from otterflow.operators.take_snapshot import TakeSnapshotOperator
from otterflow.repository import ExperimentState, Standing, TrialState

RUN, NEXT, FORM, FINISH = "tuning_iteration/e-0003", "tuning_iteration/e-0004", "tuning_experiment/f", "tuning_finish/x"


def standing(**changes: Any) -> Standing:
    """Trial 3 is being made, by its run."""
    values: dict[str, Any] = {
        "experiment": "e", "target": "t", "state": ExperimentState.running, "run": RUN, "heir": "", "holder": "e",
        "newest_begun": 3, "trial": TrialState.running,
    }  # fmt: skip
    return Standing(**values | changes)


OPERATORS = {
    operator: operator.may
    for operator in (
        BeginOperator, RestoreOperator, RestartOperator, BenchmarkOperator, CollectOperator, RecoverOperator,
        NextIterationOperator, StartIterationsOperator, TakeSnapshotOperator, CompareOperator,
    )
}  # fmt: skip


@pytest.mark.parametrize(
    "operator",
    [BeginOperator, RestoreOperator, RestartOperator, BenchmarkOperator, CollectOperator, RecoverOperator],
)
def test_the_run_of_the_trial_under_way_may_act(operator: Any) -> None:
    assert refusal(operator.may, standing(), RUN, 3) is None


@pytest.mark.parametrize("state", ["finished", "stopped", "failed"])
@pytest.mark.parametrize("may", OPERATORS.values(), ids=lambda may: "")
def test_no_task_of_an_ended_experiment_acts(state: str, may: May) -> None:
    if (state, may) == ("failed", BeginOperator.may):
        return  # clearing the failed run goes on, as its message says
    why = refusal(may, standing(state=ExperimentState(state)), RUN, 3)
    assert why is not None
    assert f"experiment 'e' is {state}; " in why
    assert "Resume on" in why


CASES = {
    "an old run while a later trial is measured": (
        BeginOperator, standing(run=NEXT, newest_begun=4), RUN, 3, "is in the hands of run tuning_iteration/e-0004",
    ),
    "an old trial by a run of the same name": (
        BeginOperator, standing(newest_begun=4), RUN, 3, "iteration 4 has begun since; this run of iteration 3 is|has",
    ),
    "a task of a run that has passed the experiment on": (
        RestartOperator, standing(heir=NEXT), RUN, 3, "has passed experiment 'e' on to run tuning_iteration/e-0004",
    ),
    "another run of the same trial": (
        RestartOperator, standing(), "tuning_iteration/manual", 3, "is in the hands of run tuning_iteration/e-0003",
    ),
    "a green restart of a trial that has ended": (
        RestartOperator, standing(trial=TrialState.ok), RUN, 3, "trial 3 has ended as ok; .* clear this run from begin",
    ),
    "a restart whose target was given free": (
        RestartOperator, standing(holder=None), RUN, 3, "target 't' is held by nobody, and not by experiment 'e'",
    ),
    "a restart whose target another experiment has": (
        RestartOperator, standing(holder="x"), RUN, 3, "target 't' is held by experiment 'x', and not by experiment",
    ),
    "start_iterations of a run whose trials are under way": (
        StartIterationsOperator, standing(), FORM, -1, "is in the hands of run tuning_iteration/e-0003",
    ),
    "take_snapshot of a run whose trials are under way": (
        TakeSnapshotOperator, standing(), FORM, -1, "experiment 'e' is running; its trials are under way",
    ),
    "a comparison that nobody has asked for": (
        CompareOperator, standing(), FINISH, -1, "experiment 'e' is running; .* trigger stop_experiment",
    ),
    "a trial while the comparison is under way": (
        RestartOperator, standing(state=ExperimentState.finishing, run=FINISH), RUN, 3, "final comparison is under way",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_what_is_cleared_and_may_not_act_says_what_holds(case: Any) -> None:
    import re

    operator, found, run, iteration, sentence = case
    assert re.search(sentence, refusal(operator.may, found, run, iteration) or "nothing"), operator


def test_a_task_that_passes_on_may_be_begun_again() -> None:
    assert refusal(NextIterationOperator.may, standing(heir=NEXT, trial=TrialState.ok), RUN, 3) is None
    finishing = standing(heir=FINISH, trial=TrialState.ok, state=ExperimentState.finishing)
    assert refusal(NextIterationOperator.may, finishing, RUN, 3) is None
    assert refusal(StartIterationsOperator.may, standing(run=FORM, heir=RUN, newest_begun=None), FORM, -1) is None


def test_an_experiment_of_an_older_version_is_in_no_runs_hands_and_goes_on() -> None:
    assert refusal(RestartOperator.may, standing(run=""), RUN, 3) is None
