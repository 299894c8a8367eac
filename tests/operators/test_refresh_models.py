"""The tasks of `model_refresh` over a repository with real trials; only Airflow's mapping is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from otterflow import settings
from otterflow.operators.connections import open_repository
from otterflow.operators.refresh_models import (
    FindOutdatedOperator,
    RefreshMetricsOperator,
    RefreshWorkloadOperator,
    pruned_table,
    ranking_table,
)
from otterflow.repository import Repository
from otterflow.tuner.metrics import Pruned
from otterflow.tuner.ranking import Ranking
from tests.captured import CAPTURED, make_experiment

TPCB, YCSB = "staging/pgbench_tpcb/throughput", "staging/ycsb_a/throughput"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setenv("OTTERFLOW_HOME", str(tmp_path))
    assert settings.home_dir() == tmp_path
    return open_repository()


def find() -> Any:
    return FindOutdatedOperator(task_id="find_outdated").execute({"run_id": "hourly"})


def refresh(workload: str) -> Any:
    return RefreshWorkloadOperator(task_id="refresh_workload", workload=workload).execute({"run_id": "hourly"})


@pytest.mark.slow
def test_each_workload_is_refreshed_once_and_then_nothing_is_left(repository: Repository) -> None:
    make_experiment(repository, "night", 8)
    make_experiment(repository, "other", 8, benchmark="ycsb_a", first=8)
    assert find() == [TPCB, YCSB]
    done = refresh(TPCB)
    assert done["experiments"] == ["night"]
    assert len(done["knobs"]) == len(CAPTURED["space"])
    assert done["metrics"]
    assert find() == [YCSB]
    refresh(YCSB)
    assert find() == []
    metrics = RefreshMetricsOperator(task_id="refresh_metrics")
    assert metrics.execute({"run_id": "hourly"})["metrics"]
    with pytest.raises(AirflowSkipException, match="no trial has ended since the last time"):
        metrics.execute({"run_id": "hourly"})


@pytest.mark.slow
def test_a_workload_that_fails_says_why_and_stays_to_be_done(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_experiment(repository, "night", 6)
    make_experiment(repository, "other", 6, benchmark="ycsb_a")

    def broken(*_: Any, **__: Any) -> Any:
        raise ValueError("the kernel matrix is singular")

    with monkeypatch.context() as patched:
        patched.setattr("otterflow.learning.stored_models.rank", broken)
        with pytest.raises(ValueError, match="the kernel matrix is singular"):
            refresh(TPCB)
    refresh(YCSB)
    assert find() == [TPCB]


def test_an_empty_repository_has_nothing_to_refresh(repository: Repository) -> None:
    assert repository.experiments() == []
    assert find() == []
    with pytest.raises(AirflowSkipException):
        RefreshMetricsOperator(task_id="refresh_metrics").execute({"run_id": "hourly"})


def test_the_tables_are_aligned_and_short() -> None:
    names = tuple(f"knob_{i}" for i in range(14))
    numbers = dict.fromkeys(names, 1 / 14)
    lines = ranking_table(Ranking(names, numbers, numbers, numbers, 20)).splitlines()
    assert lines[0].split() == ["knob", "share", "effect", "lasso"]
    assert lines[1].split() == ["knob_0", "0.071", "0.071", "0.071"]
    assert lines[-2:] == ["  and 2 more", "  from 20 measured configurations"]
    pruned = Pruned(
        ("a.long_name", "b"), {"a.long_name": ("a.long_name", "c", "d", "e", "f"), "b": ("b",)}, {"z": "x"}, 9
    )
    assert pruned_table(pruned).splitlines() == [
        "  metric       stands for",
        "  a.long_name  5           c, d, e, ...",
        "  b            1",
        "  from 9 trials; 1 metrics tell nothing",
    ]
