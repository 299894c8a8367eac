"""The question to a person: what is asked of whom and for how long, what an answer leaves, the wait for a window."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import DownstreamTasksSkipped, TaskAwaitingInput, TaskDeferred

from otterflow.errors import InvalidInput, MayNotAct
from otterflow.operators import approve, await_promotion_window
from otterflow.operators.approve import NEXT_WINDOW, ApproveOperator
from otterflow.operators.await_promotion_window import AwaitPromotionWindowOperator
from otterflow.operators.connections import open_repository
from otterflow.repository import Promotion, Repository

FORM: dict[str, Any] = {"target": "shop", "experiment": "night-1"}
BODY = "| a {{ params.secret }} | table |"
USER = {"id": "4", "name": "dba"}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setenv("OTTERFLOW_HOME", str(tmp_path))
    return open_repository()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What Airflow was given to ask."""
    given: dict[str, Any] = {}
    monkeypatch.setattr(
        "airflow.providers.standard.operators.hitl.upsert_hitl_detail", lambda **said: given.update(said)
    )
    return given


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    said: list[Any] = []
    monkeypatch.setattr(approve, "tell", lambda repository, event, message, context: said.append((event, message)))
    return said


def propose(repository: Repository, **form: Any) -> Promotion:
    return repository.propose("shop", run="promote_configuration/a", form={**FORM, **form}, proposal={}, asked_by="op")


def operator() -> ApproveOperator:
    from airflow.sdk import DAG

    with DAG("promote_configuration", schedule=None):
        task = ApproveOperator(task_id="approve")
        task >> AwaitPromotionWindowOperator(task_id="await_window")
    return task


def context(promotion: Promotion, task: Any = None) -> Any:
    proposed = {"promotion": promotion.id, "subject": "Change 1 knob?", "body": BODY}
    ti = SimpleNamespace(
        id="1", map_index=-1, dag_id="promote_configuration", run_id="a", task_id="approve",
        xcom_pull=lambda task_ids: proposed, xcom_push=lambda key, value: None,
    )  # fmt: skip
    return {"ti": ti, "task_instance": ti, "task": task, "run_id": "a", "params": {}}


def answer(task: ApproveOperator, promotion: Promotion, chosen: str = "Approve", **more: Any) -> Any:
    event = {
        "chosen_options": [chosen], "params_input": {"when": "now", "note": None}, "responded_at": datetime.now(UTC),
        "responded_by_user": USER, "timedout": False,
    }  # fmt: skip
    return task.execute_complete(context(promotion, task), {**event, **more})


def test_the_question_is_the_proposals_for_the_forms_people_and_time(
    repository: Repository, asked: dict[str, Any], told: list[Any]
) -> None:
    promotion = propose(repository, assigned=["4", "5"], answer_within_h=10)
    task = operator()
    with pytest.raises(TaskAwaitingInput) as parked:
        task.execute(context(promotion, task))
    assert parked.value.timeout == timedelta(hours=10)
    assert (asked["subject"], asked["body"]) == ("Change 1 knob?", BODY), "text of an experiment is no template"
    assert asked["defaults"] == ["Reject"]
    assert [user["id"] for user in asked["assigned_users"]] == ["4", "5"]
    assert asked["params"]["when"]["schema"]["enum"] == ["now"], "there is no window to wait for"
    ((event, message),) = told
    assert event == "proposal_waiting"
    assert message.key.startswith(f"promotion/{promotion.id}/waiting/")


def test_a_form_with_a_window_offers_it_and_without_people_anybody_may_answer(
    repository: Repository, asked: dict[str, Any], told: list[Any]
) -> None:
    task = operator()
    with pytest.raises(TaskAwaitingInput):
        task.execute(context(propose(repository, window="02:00-04:00"), task))
    assert asked["params"]["when"]["schema"]["enum"] == ["now", NEXT_WINDOW]
    assert not asked["assigned_users"]


def test_an_answer_is_kept_with_who_gave_it(repository: Repository) -> None:
    promotion = propose(repository)
    answer(operator(), promotion, params_input={"when": NEXT_WINDOW, "note": "after the close"})
    found = repository.promotion(promotion.id)
    assert found.state == "approved"
    assert found.answer == {"chosen": ["Approve"], "by": USER, "when": NEXT_WINDOW, "note": "after the close"}
    assert found.message == "approved by dba: after the close"
    assert found.answered_at is not None


def test_a_rejection_skips_what_comes_behind(repository: Repository) -> None:
    promotion = propose(repository)
    with pytest.raises(DownstreamTasksSkipped):
        answer(operator(), promotion, "Reject")
    assert repository.promotion(promotion.id).state == "declined"


def test_silence_is_kept_as_silence(repository: Repository) -> None:
    promotion = propose(repository)
    with pytest.raises(DownstreamTasksSkipped):
        answer(operator(), promotion, "Reject", timedout=True, responded_by_user=None, params_input={})
    found = repository.promotion(promotion.id)
    assert (found.state, found.message) == ("expired", "nobody has answered in time")


def test_a_question_that_was_superseded_is_neither_asked_nor_taken(repository: Repository) -> None:
    promotion = propose(repository)
    repository.propose("shop", run="promote_configuration/b", form=FORM, proposal={})
    task = operator()
    with pytest.raises(MayNotAct, match="is superseded: promotion 2 takes its place"):
        task.execute(context(promotion, task))
    with pytest.raises(MayNotAct, match="is superseded"):
        answer(task, promotion)
    with pytest.raises(DownstreamTasksSkipped):
        answer(task, promotion, "Reject")
    assert repository.promotion(promotion.id).state == "superseded"


class Clock(datetime):
    """The wall clock of `await_window`."""

    at = datetime(2026, 11, 30, 12, tzinfo=UTC)

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return cls.at.astimezone(tz)


def waits(repository: Repository, monkeypatch: pytest.MonkeyPatch, when: str, **form: Any) -> Any:
    monkeypatch.setattr(await_promotion_window, "datetime", Clock)
    promotion = propose(repository, **form)
    repository.move_promotion(promotion.id, "approved", since={"proposed"}, answer={"when": when})
    return AwaitPromotionWindowOperator(task_id="await_window").work(repository, context(promotion))


def test_now_is_now(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    assert waits(repository, monkeypatch, "now", window="02:00-04:00") == "now"


def test_an_open_window_is_gone_through(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    said = waits(repository, monkeypatch, NEXT_WINDOW, window="11:00-13:00")
    assert said == "the window is open until 2026-11-30T13:00:00+00:00"


def test_a_closed_window_is_waited_for_without_a_worker(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TaskDeferred) as deferred:
        waits(repository, monkeypatch, NEXT_WINDOW, window="02:00-04:00")
    assert deferred.value.trigger.moment == datetime(2026, 12, 1, 2, tzinfo=UTC)
    assert deferred.value.method_name == "resume"


def test_a_window_that_the_form_does_not_name_is_told(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInput, match="window: is empty"):
        waits(repository, monkeypatch, NEXT_WINDOW)
