"""How an experiment ends: with its reason, and at once where the baseline gives no number."""

from __future__ import annotations

from typing import Any

import pytest

from otterflow.operators.connections import open_repository
from stack.host import DatabaseHost
from tests.operators.harness import FAILED, SUCCESS, Dags, Run
from tests.operators.test_experiment_in_process import explain

pytestmark = pytest.mark.integration


def test_a_benchmark_that_fails_on_the_baseline_stops_the_experiment_with_the_reason(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any]
) -> None:
    """It went on for all iterations, each of which failed alike."""

    def sabotage(run: Run, task: str) -> None:
        if (run.run_id, task) == ("in-process-0000", "benchmark"):
            with lab.cluster.connect("bench") as connection:
                connection.execute("ALTER TABLE pgbench_accounts RENAME TO gone")

    form = {**params, "benchmark": "pgbench_tpcb", "iterations": 1}
    runs = dags.follow("tuning_experiment", form, before=sabotage)
    assert (runs[-1].run_id, runs[-1].state) == ("in-process-0000", FAILED), explain(runs)
    repository = open_repository()
    experiment = repository.experiment("in-process")
    assert experiment.state == "failed"
    assert "the baseline gave no number" in experiment.finished_because
    assert "pgbench_accounts" in experiment.finished_because
    assert "the experiment stops" in str(runs[-1].errors["recover"])
    assert (repository.holder(lab.name), experiment.clock_at) == (None, None)
    assert lab.cluster.is_running

    with lab.cluster.connect("bench") as connection:
        connection.execute("ALTER TABLE gone RENAME TO pgbench_accounts")
    again = dags.follow("tuning_iteration", {"experiment": "in-process", "iteration": 0})
    assert [r.state for r in again] == [SUCCESS, SUCCESS], explain(again)
    ended = repository.experiment("in-process")
    assert ended.finished_because == "all 1 iterations are done"
    assert ended.outcome is not None
    assert ended.outcome["finished_because"] == ended.finished_because
    assert ended.ran_s > 3, "the trial alone took that"
