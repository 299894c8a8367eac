"""Which run may act for an experiment, and how that changes hands."""

from __future__ import annotations

import pytest

from otterflow.errors import InvalidInput, MayNotAct, TargetHeld
from otterflow.repository import Repository
from tests.repository.samples import measured, new_experiment, plan

FORM, FIRST, SECOND, FINISH = "tuning_experiment/form", "tuning_iteration/0", "tuning_iteration/1", "tuning_finish/f"


@pytest.fixture
def opened(repository: Repository) -> Repository:
    """A repository with an experiment that a run has opened."""
    repository.create_experiment(new_experiment(run=FORM))
    return repository


def test_one_run_at_a_time_has_the_experiment_and_the_experiment_its_target(opened: Repository) -> None:
    opened.take_lease("night", FORM)
    opened.take_lease("night", FORM)
    assert opened.holder("staging") == "night"
    with pytest.raises(MayNotAct, match="experiment 'night' is in the hands of run tuning_experiment/form"):
        opened.take_lease("night", FIRST)
    opened.name_heir("night", FORM, FIRST, state="running")
    opened.name_heir("night", FORM, FIRST, state="running")
    assert opened.standing("night").run == FORM, "until the heir takes it"
    with pytest.raises(MayNotAct, match="has passed experiment 'night' on to run tuning_iteration/0"):
        opened.take_lease("night", FORM)
    opened.take_lease("night", FIRST)
    with pytest.raises(MayNotAct, match="is in the hands of run tuning_iteration/0, not of tuning_experiment/form"):
        opened.name_heir("night", FORM, FIRST)
    standing = opened.standing("night")
    assert (standing.run, standing.heir, standing.state, standing.holder) == (FIRST, "", "running", "night")


def test_an_heir_that_has_not_begun_gives_way_only_when_it_is_named(opened: Repository) -> None:
    opened.take_lease("night", FORM)
    opened.name_heir("night", FORM, FIRST)
    with pytest.raises(MayNotAct, match="on to run tuning_iteration/0"):
        opened.name_heir("night", FORM, FINISH)
    opened.name_heir("night", FORM, FINISH, instead_of=FIRST, state="finishing")
    with pytest.raises(MayNotAct, match="in the hands of run"):
        opened.take_lease("night", FIRST)


def test_a_target_of_another_experiment_is_not_taken_and_the_run_stays_without(opened: Repository) -> None:
    opened.hold_target("staging", "day")
    with pytest.raises(TargetHeld, match="held by experiment 'day'"):
        opened.take_lease("night", FORM)
    opened.close_experiment("night", "failed")
    assert opened.holder("staging") == "day", "what it does not hold it does not give free"


def test_an_experiment_ends_and_gives_its_target_free_at_once(opened: Repository) -> None:
    opened.take_lease("night", FORM)
    opened.close_experiment("night", "finished", "all done")
    assert (opened.experiment("night").state, opened.experiment("night").message) == ("finished", "all done")
    assert opened.holder("staging") is None


def test_a_second_run_of_the_same_form_is_refused_while_the_first_prepares(opened: Repository) -> None:
    opened.take_lease("night", FORM)
    with pytest.raises(InvalidInput, match="'night' is being prepared by run tuning_experiment/form"):
        opened.create_experiment(new_experiment(run="tuning_experiment/second"))
    opened.release_target("staging", "night")  # as check_target does where it finds something wrong
    assert opened.create_experiment(new_experiment(run="tuning_experiment/second")).run == "tuning_experiment/second"


def test_a_run_that_is_cleared_does_not_open_an_ended_experiment_again(opened: Repository) -> None:
    opened.set_experiment_state("night", "stopped")
    with pytest.raises(InvalidInput, match="'night' has stopped since this run opened it; to go on with it, trigger"):
        opened.extend("night", iterations=12, time_budget_min=None, run=FORM)
    assert opened.extend("night", iterations=12, time_budget_min=None, run="tuning_experiment/new").state == "preparing"


def test_the_newest_iteration_is_the_newest_that_was_begun(opened: Repository) -> None:
    assert opened.standing("night").newest_begun is None
    measured(opened, 0)
    plan(opened, 1)
    assert opened.standing("night").newest_begun == 0
