"""Counters of a window that does not fit its runs, and the clock by which a job's seconds are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from otterflow.dbms.postgresql.metrics import MetricSnapshot
from otterflow.experiment.loop import METRICS_LEFT_OUT
from otterflow.hosts.window import RUNS_S, misfit
from otterflow.operators.collect import CollectOperator
from otterflow.operators.connections import open_repository
from otterflow.remote import proc
from otterflow.remote.job_commands import parse_seconds
from otterflow.repository import Repository
from tests.operators.harness import context
from tests.repository.samples import new_experiment, prepare


def counters(epoch_s: float, commits: int) -> dict[str, Any]:
    """What is recorded at one end of a window."""
    snapshot = MetricSnapshot(
        taken_at="", epoch_s=epoch_s, server_started_at="1", server_version=150000, database="bench",
        sources={"pg_stat_database": {"xact_commit": commits}}, objects={}, resets={},
    )  # fmt: skip
    return {"dbms": snapshot.as_dict(), "host": {}}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """An experiment whose trial 0 was measured for five seconds."""
    monkeypatch.setenv("OTTERFLOW_HOME", str(tmp_path))
    found = open_repository()
    found.create_experiment(new_experiment("e", target="t", benchmark="b", objective="throughput", spec={}))
    prepare(found, "e", baseline={"jit": True})
    found.plan_trial("e", 0, kind="baseline", wanted={"jit": True}, repairs=[], reasons={}, seed=0)
    found.set_experiment_state("e", "running")
    found.take_lease("e", "adhoc_airflow/e-0000")
    found.begin_try("e", 0)
    result = {"throughput": 100.0, "errors": 0, "transactions": 500, "seconds": 5.0, "metrics": {"queue": 3.0}}
    found.record_result("e", 0, result=result, objective=100.0, repeats=[100.0])
    return found


def collect(repository: Repository, window_s: float, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(proc.HostSample, "from_dict", classmethod(lambda cls, record: record))
    monkeypatch.setattr(proc, "host_rates", lambda before, after: {"host.load_1m": 0.1})
    repository.record_before("e", 0, counters(1000.0, 0))
    repository.record_after("e", 0, counters(1000.0 + window_s, 500) | {RUNS_S: 5.1})
    CollectOperator(task_id="collect", experiment="e", iteration=0).execute(context(run_id="e-0000"))
    return repository.trial("e", 0)


def test_counters_that_were_read_long_after_the_run_are_left_out_with_the_reason(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retried benchmark read them 46.8 s apart, for a run of 5 s: the rates were a ninth of what they had been."""
    trial = collect(repository, 46.8, monkeypatch)
    assert trial.state == "ok"
    assert trial.metrics == {"metrics.queue": 3.0}, "what the user defined is the run's own"
    assert trial.host == {}
    assert "46.8 s apart, and the measured runs took 5.1 s" in trial.reasons[METRICS_LEFT_OUT]


def test_counters_of_a_window_that_fits_its_run_are_kept(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = collect(repository, 5.6, monkeypatch)
    assert trial.metrics["pg_stat_database.xact_commit"] == pytest.approx(500 / 5.6)
    assert trial.host == {"host.load_1m": 0.1}
    assert METRICS_LEFT_OUT not in trial.reasons


def test_a_server_clock_that_was_set_back_costs_the_counters_and_not_the_trial(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = collect(repository, -3600.0, monkeypatch)
    assert (trial.state, trial.objective) == ("ok", 100.0)
    assert "a clock was set" in trial.reasons[METRICS_LEFT_OUT]


@pytest.mark.parametrize(
    ("window_s", "runs_s", "runs", "fits"),
    [
        (60.4, 60.0, 1, True),
        (64.0, 60.0, 1, True),
        (72.0, 60.0, 1, False),
        (46.8, 5.0, 1, False),
        (20.0, 15.0, 3, True),
        (3.0, 15.0, 3, False),
    ],
)
def test_a_window_may_be_longer_than_its_runs_by_no_more_than_readings_take(
    window_s: float, runs_s: float, runs: int, fits: bool
) -> None:
    assert (misfit(window_s, runs_s, runs) is None) is fits


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("1764400000.250\n1764400005.500\n", 5.25),
        ("", None),
        ("1764400005.500\n1764400000.250\n", None),
        ("x\ny", None),
    ],
)
def test_a_jobs_seconds_are_those_between_its_start_and_its_end_on_the_host(said: str, seconds: float | None) -> None:
    assert parse_seconds(said) == seconds
