"""A worker's clock that is set in the middle of a task decides nothing; real host, real server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from otterflow.operators.connections import open_repository
from otterflow.repository.values import now
from stack.host import DatabaseHost
from tests.moved_clock import WorkerClock
from tests.operators.harness import SUCCESS, Dags, Run
from tests.operators.test_experiment_in_process import explain

pytestmark = pytest.mark.integration

BUDGET_MIN = 30
MOVES_S = {"benchmark": 7200, "collect": -10_800, "recommend": 7200, "next_iteration": 7200}
"""At each of these tasks of trial 0 the worker's clock is set by so much: in all, three hours forward."""


def test_a_workers_clock_that_is_set_neither_ends_an_experiment_nor_takes_its_time_away(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The budget counted by the clock of day: one that was put right by an hour had spent it."""
    clock = WorkerClock(monkeypatch)

    def set_clock(run: Run, task: str) -> None:
        if run.run_id == "in-process-0000":
            clock.set_by(MOVES_S.get(task, 0))

    runs = dags.follow("tuning_experiment", {**params, "iterations": 2, "time_budget_min": BUDGET_MIN}, set_clock)
    assert (now() - datetime.now(UTC)).total_seconds() > 10_000, "the worker's clock is wrong"
    assert all(run.state == SUCCESS for run in runs), explain(runs)
    repository = open_repository()
    experiment = repository.experiment("in-process")
    assert experiment.finished_because == "all 2 iterations are done"
    trials = repository.trials("in-process")
    assert [t.state for t in trials] == ["ok", "ok"]
    by_tasks = sum(s for t in trials for name, s in t.seconds.items() if "." not in name)
    assert by_tasks * 0.9 < experiment.ran_s < BUDGET_MIN * 60
    assert all(trial.metrics for trial in trials), "the counters' window is of the server's clock"
