"""No task starts before all that it builds on has ended, whatever is skipped and whatever fails.

`orders.Walk` goes through every order that Airflow's trigger rules allow. Whether a real scheduler does the same is
tested end to end.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.dags.orders import ENDED, FAILED, RUNNING, SKIPPED, SUCCESS, UPSTREAM_FAILED, Walk

FILES = (Path(__file__).resolve().parents[2] / "dags").glob("*.py")
DAGS = sorted({path.stem for path in FILES} - {"nightly", "record", "replay"})

MAY_BE_SKIPPED = {"restore", "free_cache", "recommend"}
"""What `begin` skips in an iteration that is as it should be, or skips itself. Others follow by their rules."""


def loaded(dag_id: str) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(Path(__file__).resolve().parents[2] / "dags" / f"{dag_id}.py"))
    assert not bag.import_errors
    return bag.dags[dag_id]


@pytest.fixture(scope="module")
def iteration() -> Walk:
    return Walk(loaded("tuning_iteration"), may_skip=MAY_BE_SKIPPED.__contains__)


@pytest.mark.parametrize("dag_id", DAGS)
def test_no_task_starts_beside_or_before_one_that_comes_before_it(dag_id: str) -> None:
    """Of any Dag, with any task skipped: all that lies upstream, however far, has ended or never runs."""
    dag = loaded(dag_id)
    walk = Walk(dag)
    before = {task: dag.get_task(task).get_flat_relative_ids(upstream=True) for task in walk.tasks}
    starts = list(walk.starts())
    assert {start.task for start in starts} == set(walk.tasks), "every task can start"
    for start in starts:
        running = {task for task in before[start.task] if start.states[task] == RUNNING}
        assert not running, f"{dag_id}: {start.task} starts beside {running}: {start.states}"
        behind = {task for task in walk.tasks if start.task in before[task]}
        too_soon = {task for task in behind if start.states[task] in {RUNNING, SUCCESS, FAILED}}
        assert not too_soon, f"{dag_id}: {start.task} starts after {too_soon}: {start.states}"


def test_the_restart_waits_for_the_restore_whether_the_cache_is_dropped_or_not(iteration: Walk) -> None:
    found = {(s.states["restore"], s.states["free_cache"]) for s in iteration.starts() if s.task == "restart"}
    assert found == {(restore, cache) for restore in (SUCCESS, SKIPPED) for cache in (SUCCESS, SKIPPED)}


def test_the_cache_is_dropped_after_the_restore(iteration: Walk) -> None:
    assert {s.states["restore"] for s in iteration.starts() if s.task == "free_cache"} == {SUCCESS, SKIPPED}


def test_a_restore_that_fails_ends_red_without_a_restart_and_with_the_server_made_safe(iteration: Walk) -> None:
    failed = [end for end in iteration.ends() if end["restore"] == FAILED]
    assert {end["recover"] for end in failed} == {SUCCESS, FAILED}
    for end in failed:
        assert {end[task] for task in ("restart", "benchmark", "collect")} == {UPSTREAM_FAILED}
        if end["recover"] == FAILED:  # which it does unless the trial is the configuration's to blame
            assert end["next_iteration"] == UPSTREAM_FAILED, "a leaf, so the run is red"


def test_the_loop_goes_on_only_from_a_trial_that_was_made_or_recovered_from(iteration: Walk) -> None:
    for start in iteration.starts():
        if start.task in {"recommend", "next_iteration"}:
            assert SUCCESS in {start.states["collect"], start.states["recover"]}, start.states


def test_the_server_is_made_safe_after_every_failure(iteration: Walk) -> None:
    """Whichever task in front of `recover` fails, it runs; and it does not where none has failed."""
    measuring = ("begin", "restore", "free_cache", "restart", "benchmark", "collect")
    for end in iteration.ends():
        failed = any(end[task] == FAILED for task in measuring)
        assert end["recover"] in ({SUCCESS, FAILED} if failed else {SKIPPED}), end


@pytest.mark.parametrize("dag_id", DAGS)
def test_no_run_waits_for_ever(dag_id: str) -> None:
    for end in Walk(loaded(dag_id)).ends():
        assert set(end.values()) <= ENDED, end


def test_the_loop_goes_on_after_a_trial_that_was_recovered_from(iteration: Walk) -> None:
    recovered = [end for end in iteration.ends() if end["recover"] == SUCCESS]
    assert recovered
    assert {end["recommend"] for end in recovered} == {SUCCESS, FAILED, SKIPPED}
