"""Several processes at once, and processes that are killed: what Airflow's tasks do to the repository."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import URL

from otterflow.errors import TargetHeld
from otterflow.repository import Repository
from otterflow.repository.database import BUSY_TIMEOUT_S
from tests.repository import workers
from tests.repository.samples import content, measured, new_experiment
from tests.repository.workers import CONTEXT, TIMEOUT_S, at_once


@pytest.mark.slow
def test_all_may_open_an_empty_database_at_once(bare_url: URL) -> None:
    assert at_once(workers.open_empty, bare_url, 6) == ["[]"] * 6
    assert Repository.open(bare_url, migrate=False).experiments() == []


@pytest.mark.slow
def test_exactly_one_gets_the_target(repository: Repository, url: URL) -> None:
    holders = at_once(workers.hold, url, 4)
    assert len(set(holders)) == 1
    assert repository.holder("staging") == holders[0]


@pytest.mark.slow
def test_a_hold_keeps_others_out_while_it_lasts(repository: Repository, url: URL, tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    assert at_once(partial(workers.take_turns, counter=counter), url, 3) == [10, 10, 10]
    assert counter.read_text() == "30"


@pytest.mark.slow
def test_all_create_one_experiment(repository: Repository, url: URL) -> None:
    assert len(set(at_once(workers.create, url, 4))) == 1
    assert len(repository.experiments()) == 1


@pytest.mark.slow
def test_a_task_that_runs_twice_at_once_begins_one_try(repository: Repository, url: URL) -> None:
    repository.create_experiment(new_experiment())
    assert at_once(workers.begin_the_same_try, url, 4) == [1, 1, 1, 1]
    assert len(content(url)["trials"]) == 1


@pytest.mark.slow
def test_parallel_writers_wait_for_each_other(repository: Repository, url: URL) -> None:
    """Each write opens and closes its connection, so SQLite's WAL is made and removed all the time as well."""
    assert at_once(workers.run_an_experiment, url, 5) == [8] * 5
    assert len(content(url)["metrics"]) == 5 * 8 * 2


@pytest.mark.slow
def test_a_killed_writer_leaves_nothing_and_holds_nobody_up(repository: Repository, url: URL) -> None:
    reached = CONTEXT.Event()
    process = workers.begin(workers.stop_half_way, url, reached)
    assert reached.wait(TIMEOUT_S)
    workers.kill(process)
    began = time.monotonic()
    repository.hold_target("staging", "night")
    assert time.monotonic() - began < BUSY_TIMEOUT_S / 2, "it waited for the dead"
    found = content(url)
    assert [row[0] for row in found["targets"]] == ["staging"]
    assert found["configurations"] == []


@pytest.mark.slow
@pytest.mark.parametrize("after_s", [0.0, 0.003, 0.007, 0.013])
def test_metrics_are_replaced_whole_or_not_at_all(repository: Repository, url: URL, after_s: float) -> None:
    repository.create_experiment(new_experiment())
    measured(repository)
    reached = CONTEXT.Event()
    process = workers.begin(workers.write_without_end, url, reached)
    assert reached.wait(TIMEOUT_S)
    time.sleep(after_s)
    workers.kill(process)
    trial = repository.trial("night", 0)
    assert trial.reset == [str(len(trial.metrics))]
    assert set(trial.metrics.values()) == {float(len(trial.metrics))}


@pytest.mark.slow
def test_a_hold_outlives_the_process_that_took_it(repository: Repository, url: URL) -> None:
    """The hold is the experiment's, not a task's: it ends when the experiment says so."""
    (holder,) = at_once(workers.hold, url, 1)
    with pytest.raises(TargetHeld, match=holder):
        repository.hold_target("staging", "night")
