"""Promotions in the repository: one unanswered question a target, states in their order, notices once."""

from __future__ import annotations

from typing import Any

import pytest

from otterflow.errors import InvalidInput, MayNotAct
from otterflow.repository import Promotion, PromotionState, Repository

FORM: dict[str, Any] = {"target": "shop", "experiment": "night"}


def propose(repository: Repository, run: str = "promote_configuration/a", **changes: Any) -> Promotion:
    values: dict[str, Any] = {"form": FORM, "proposal": {"changes": [1]}, "asked_by": "dba"}
    return repository.propose("shop", run=run, **{**values, **changes})


def test_a_proposal_is_found_as_it_was_made(repository: Repository) -> None:
    made = propose(repository, schedule="nightly")
    found = repository.promotion(made.id)
    assert found == made
    assert (found.state, found.asked_by, found.schedule, found.form) == ("proposed", "dba", "nightly", FORM)
    assert found.answer is None
    assert found.windows == []
    assert repository.promotions("shop") == repository.promotions() == [made]
    assert repository.promotions("other") == []


def test_a_newer_proposal_takes_the_place_of_the_one_nobody_answered(repository: Repository) -> None:
    first, second = propose(repository), propose(repository, "promote_configuration/b")
    superseded = repository.promotion(first.id)
    assert (superseded.state, superseded.message) == ("superseded", f"promotion {second.id} takes its place")
    with pytest.raises(MayNotAct, match=f"promotion {first.id} is superseded: promotion {second.id} takes its place"):
        repository.move_promotion(first.id, "approved", since={"proposed"})
    assert repository.promotion(second.id).state == "proposed"


def test_an_answered_one_is_not_superseded(repository: Repository) -> None:
    first = propose(repository)
    repository.move_promotion(first.id, "approved", since={"proposed"}, answer={"by": "dba"})
    propose(repository, "promote_configuration/b")
    assert repository.promotion(first.id).state == "approved"
    assert repository.supersede_unanswered("shop", "nightly") is None


def test_only_the_schedules_own_question_is_withdrawn(repository: Repository) -> None:
    by_hand = propose(repository)
    assert repository.supersede_unanswered("shop", "nightly") is None
    of_night = propose(repository, "promote_configuration/night", schedule="nightly")
    assert repository.promotion(by_hand.id).state == "superseded", "one question a target"
    withdrawn = repository.supersede_unanswered("shop", "nightly")
    assert withdrawn is not None
    assert (withdrawn.id, withdrawn.run) == (of_night.id, "promote_configuration/night")


def test_a_run_that_is_cleared_proposes_again_under_its_number_until_it_is_approved(repository: Repository) -> None:
    first = propose(repository)
    again = propose(repository, proposal={"changes": [2]})
    assert (again.id, again.proposal) == (first.id, {"changes": [2]})
    repository.move_promotion(first.id, "approved", since={"proposed"})
    with pytest.raises(MayNotAct, match=f"promotion {first.id} of this run is approved"):
        propose(repository)


def test_a_run_whose_proposal_has_come_to_nothing_makes_a_new_one(repository: Repository) -> None:
    first = propose(repository)
    repository.move_promotion(first.id, "declined", since={"proposed"})
    again = propose(repository)
    assert again.id != first.id
    assert repository.promotion(first.id).state == "declined"


def test_states_follow_each_other_with_their_times(repository: Repository) -> None:
    number = propose(repository).id
    steps = [("approved", "proposed"), ("installing", "approved"), ("watching", "installing"), ("kept", "watching")]
    for state, since in steps:
        moved = repository.move_promotion(number, state, since={since})
        assert moved.state == state
    assert moved.answered_at is not None
    assert moved.installed_at is not None
    assert moved.ended_at is not None
    with pytest.raises(MayNotAct, match="is kept"):
        repository.move_promotion(number, "watching", since={"installing"})
    assert repository.move_promotion(number, "rolled_back", since={"kept"}).state is PromotionState.rolled_back


def test_windows_are_kept_once_each(repository: Repository) -> None:
    number = propose(repository).id
    for value in (1.0, 2.0):
        repository.add_window(number, {"phase": "before", "number": 1, "value": value})
    repository.add_window(number, {"phase": "after", "number": 1, "value": 3.0})
    assert [(w["phase"], w["value"]) for w in repository.promotion(number).windows] == [("before", 1.0), ("after", 3.0)]


def test_an_unknown_number_is_refused_by_field(repository: Repository) -> None:
    with pytest.raises(InvalidInput, match="promotion: 7 is unknown"):
        repository.promotion(7)


def test_a_notice_is_sent_once_unless_it_could_not_be(repository: Repository) -> None:
    assert repository.begin_notice("promotion-1/waiting")
    assert not repository.begin_notice("promotion-1/waiting")
    repository.forget_notice("promotion-1/waiting")
    assert repository.begin_notice("promotion-1/waiting")


def test_which_states_act_and_which_have_ended() -> None:
    acting = {state for state in PromotionState if state.acts}
    assert acting == {PromotionState.installing, PromotionState.watching}
    assert {state for state in PromotionState if not state.ended} == acting | {
        PromotionState.proposed, PromotionState.approved,
    }  # fmt: skip
