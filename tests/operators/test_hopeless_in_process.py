"""A search on a real PostgreSQL, its hopeless trials ended early: the benchmark sleeps by a setting of the server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from otterflow.experiment.frozen import goal_of
from otterflow.experiment.loop import AT_BEST, history
from otterflow.operators.connections import open_repository
from stack.host import DatabaseHost
from tests.operators.harness import SUCCESS, Dags
from tests.operators.test_experiment_in_process import explain

pytestmark = pytest.mark.integration

SLEEPS: dict[str, Any] = {
    "name": "sleeps",
    "title": "as many seconds as a page costs",
    "kind": "mixed",
    "objective": "run_time",
    "workload": {
        "driver": "batch",
        "load": "psql --no-psqlrc --quiet --command='CREATE TABLE nothing ()'",
        "run": "psql --no-psqlrc --quiet --output=/dev/null "
        "--command=\"SELECT pg_sleep(current_setting('random_page_cost')::float8)\"",
        "bytes_per_scale": 8192,
    },
    "warmup_passes": 0,
    "passes": 1,
    "load_timeout_s": 30,
    "run_timeout_s": 60,
}


def test_what_can_come_to_nothing_is_ended_and_told_by_what_it_gives_at_best(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any]
) -> None:
    (Path(os.environ["OTTERFLOW_INCLUDE_DIR"]) / "benchmarks" / "sleeps.yaml").write_text(yaml.safe_dump(SLEEPS))
    form = {**params, "benchmark": "sleeps", "iterations": 8, "algorithm": "random", "end_hopeless": True}
    runs = dags.follow("tuning_experiment", form)
    assert all(run.state == SUCCESS for run in runs), explain(runs)
    assert all(run.states["recover"] == "skipped" for run in runs if run.dag_id == "tuning_iteration"), explain(runs)

    repository = open_repository()
    experiment, trials = repository.experiment("in-process"), repository.trials("in-process")
    assert len(trials) == 8
    ended = [trial for trial in trials if trial.state == "timed_out"]
    assert ended, [trial.objective for trial in trials]
    best = min(trial.objective for trial in trials if trial.objective is not None)
    for trial in ended:
        assert trial.iteration >= 4, "the first are the measure of the others"
        assert trial.objective is None, "no number is made up"
        costs = float(trial.wanted["random_page_cost"])
        assert best < trial.reasons[AT_BEST] <= costs, (
            "what it gives at best is not worse than what it would have given"
        )
        assert trial.message.startswith("ended ")
    for trial in trials:
        if trial.state == "ok":
            assert trial.result is not None
            assert trial.result["course"]["run_s"] >= float(trial.wanted["random_page_cost"])

    goal = goal_of(experiment)
    assert goal is not None
    told = history(experiment, trials, goal)
    assert [trial.state for trial in told] == ["ok"] * 8, "the model learns from all"
    scores = [trial.value for trial in told if trial.value is not None]
    assert len(scores) == 8
    assert told[ended[0].iteration].value != max(scores)
    assert experiment.outcome is not None
    assert [t["value"] for t in experiment.outcome["trials"] if t["state"] == "timed_out"] == [None] * len(ended)
    assert not list(Path(lab.target.work_dir).glob("jobs/*/")), "the jobs that were ended are gone"
