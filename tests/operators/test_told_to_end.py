"""When a task that is told to end takes its remote job with it, and when it leaves it to its next try."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import RetryAction
from airflow.sdk.exceptions import AirflowTaskTimeout

from otterflow.operators import told_to_end as module
from otterflow.operators.base import RETRIES, OtterflowOperator
from otterflow.operators.told_to_end import ToldToEnd


@pytest.fixture
def told_to_end(monkeypatch: pytest.MonkeyPatch) -> Callable[..., bool]:
    """Tell a task to end whose state Airflow gives by `answer`; says whether it ended its job."""

    def tell(answer: Callable[[], str], error: Exception | None = None) -> bool:
        killed: list[bool] = []
        task = OtterflowOperator(task_id="benchmark")
        job: Any = SimpleNamespace(kill=lambda: killed.append(True), paths=SimpleNamespace(job_id="night.0001-1-run1"))
        task.remember_job(job)
        asked = {"dag_id": "tuning_iteration", "task_ids": ["benchmark"], "run_ids": ["night-0001"]}

        def get_task_states(**which: Any) -> dict[str, dict[str, str]]:
            assert which == asked
            return {"night-0001": {"benchmark": answer()}}

        ti = SimpleNamespace(
            dag_id="tuning_iteration", task_id="benchmark", run_id="night-0001", get_task_states=get_task_states
        )
        monkeypatch.setattr("airflow.sdk.get_current_context", lambda: {"ti": ti})
        try:
            if error is not None:
                raise error
            task.on_kill()
        except AirflowTaskTimeout:
            task.on_kill()  # as Airflow does
        except ToldToEnd:
            assert not killed
            return False
        assert killed
        return True

    return tell


@pytest.mark.parametrize("state", ["failed", "skipped", "success"])
def test_a_task_that_was_cancelled_ends_its_job(told_to_end: Callable[..., bool], state: str) -> None:
    assert told_to_end(lambda: state)


@pytest.mark.parametrize("state", ["running", "queued", "scheduled", "restarting", "up_for_retry", "None"])
def test_a_task_that_is_to_be_done_again_leaves_its_job_to_the_next_try(
    told_to_end: Callable[..., bool], state: str
) -> None:
    """It stops, and whoever does it again attaches: after a scheduler was killed, the benchmark was started twice."""
    assert not told_to_end(lambda: state)


def test_a_task_that_has_timed_out_ends_its_job_though_it_is_running(told_to_end: Callable[..., bool]) -> None:
    assert told_to_end(lambda: "running", AirflowTaskTimeout("24 h"))


def test_a_job_goes_on_where_airflow_does_not_say_in_time(
    told_to_end: Callable[..., bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ASK_S", 0.1)
    may_answer, has_answered = Event(), Event()

    def too_late() -> str:
        may_answer.wait(60)
        has_answered.set()
        return "failed"

    assert not told_to_end(too_late)
    assert not has_answered.is_set(), "its answer was waited for"
    may_answer.set()

    def refuses() -> str:
        raise ConnectionError("the API server is gone")

    assert not told_to_end(refuses)


def test_a_cancelled_task_without_a_job_has_nothing_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "task_state", lambda: "failed")
    task = OtterflowOperator(task_id="benchmark")
    task.on_kill()
    job: Any = SimpleNamespace(kill=lambda: pytest.fail("it has ended"))
    task.remember_job(job)
    task.forget_job()
    task.on_kill()


def test_being_told_to_end_is_worth_another_try() -> None:
    decision = RETRIES["retry_policy"].evaluate(ToldToEnd("its worker is shut down"), 1, 4)
    assert decision.action is RetryAction.RETRY
