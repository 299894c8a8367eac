"""The clock of a time budget, and the files and reasons that an experiment keeps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from otterflow.repository import ExperimentFiles, Repository, running_time
from otterflow.repository.records import LONGEST_GAP_S
from tests.records import BEGIN
from tests.repository.samples import FILES, measured, new_experiment


@pytest.fixture
def time_passes(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], datetime]:
    """`time_passes(seconds)` moves the repository's clock."""
    at = [BEGIN]

    def forward(seconds: float) -> datetime:
        at[0] += timedelta(seconds=seconds)
        return at[0]

    monkeypatch.setattr(running_time, "now", lambda: at[0])
    return forward


def test_a_night_between_an_end_and_a_resume_is_no_running_time(repository: Repository, time_passes: Any) -> None:
    repository.create_experiment(new_experiment())
    repository.start_clock("night")
    time_passes(100)
    repository.count_time("night", 100)
    repository.stop_clock("night")
    time_passes(12 * 3600)
    repository.start_clock("night")
    assert repository.experiment("night").ran_for_s(time_passes(7)) == pytest.approx(107)


def test_a_pause_between_two_runs_counts_no_longer_than_a_schedulers_delay(
    repository: Repository, time_passes: Any
) -> None:
    repository.create_experiment(new_experiment())
    for wait in (0, 5, 3600):
        time_passes(wait)
        repository.start_clock("night")
        time_passes(10)
        repository.count_time("night", 10)
    assert repository.experiment("night").ran_s == pytest.approx(10 + 5 + 10 + 60 + 10)


@pytest.mark.parametrize(("set_by_s", "gap_s"), [(-7200, 0), (7200, LONGEST_GAP_S)])
def test_a_clock_that_is_set_during_a_task_takes_nothing_away_and_adds_a_gap_at_most(
    repository: Repository, time_passes: Any, set_by_s: float, gap_s: float
) -> None:
    repository.create_experiment(new_experiment())
    repository.start_clock("night")
    time_passes(40 + set_by_s)
    repository.count_time("night", 40)
    assert repository.experiment("night").ran_s == pytest.approx(40 + gap_s)
    assert repository.experiment("night").ran_for_s(time_passes(set_by_s)) == pytest.approx(40 + 2 * gap_s)
    repository.stop_clock("night")
    assert repository.experiment("night").ran_s == pytest.approx(40 + 2 * gap_s)


def test_what_a_long_task_took_counts_whole(repository: Repository, time_passes: Any) -> None:
    repository.create_experiment(new_experiment())
    repository.start_clock("night")
    time_passes(5 + 4000)
    repository.count_time("night", 4000)
    assert repository.experiment("night").ran_s == pytest.approx(4005)


def test_counting_the_time_of_an_experiment_that_stands_starts_nothing(
    repository: Repository, time_passes: Any
) -> None:
    repository.create_experiment(new_experiment())
    repository.count_time("night", 5)
    assert repository.experiment("night").ran_for_s(time_passes(99)) == 0


def test_the_reason_to_end_is_kept_through_the_finish_and_gone_after_a_resume(repository: Repository) -> None:
    repository.create_experiment(new_experiment())
    repository.set_experiment_state("night", "running")
    repository.set_experiment_state("night", "finishing", "all 10 iterations are done")
    repository.set_experiment_state("night", "finishing")
    repository.set_experiment_state("night", "finished")
    assert repository.experiment("night").finished_because == "all 10 iterations are done"
    assert repository.extend("night", iterations=20, time_budget_min=None).finished_because == ""


@pytest.mark.slow
def test_files_may_be_mended_until_the_first_trial_and_then_stay(repository: Repository) -> None:
    repository.create_experiment(new_experiment(files=FILES))
    mended = ExperimentFiles(target={"name": "mended"}, benchmark={}, catalog={}, texts={})
    assert repository.keep_files("night", mended)
    assert repository.experiment("night").files == mended
    measured(repository)
    assert not repository.keep_files("night", FILES)
    assert [e.files for e in repository.experiments()] == [mended]


@pytest.mark.slow
def test_an_experiment_of_before_takes_files_when_it_is_resumed(repository: Repository) -> None:
    repository.create_experiment(new_experiment())
    measured(repository)
    assert repository.experiment("night").files is None
    assert repository.keep_files("night", FILES)
    assert repository.experiment("night").files == FILES
