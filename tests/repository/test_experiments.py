"""Experiments: created once, prepared, stopped, resumed; what is refused says which field and why."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from otterflow.errors import InvalidInput
from otterflow.repository import ExperimentState, LastGood, Repository
from otterflow.repository.tables import TargetRow
from tests.repository.samples import BASELINE, RULES, findings, measured, new_experiment, plan


@pytest.fixture
def created(repository: Repository) -> Repository:
    repository.create_experiment(new_experiment())
    return repository


def test_a_new_experiment_is_as_it_was_given(repository: Repository) -> None:
    before = datetime.now(UTC)
    experiment = repository.create_experiment(new_experiment())
    assert experiment == repository.experiment("night")
    assert (experiment.name, experiment.target, experiment.benchmark) == ("night", "staging", "analytics")
    assert experiment.spec == {"iterations": 10, "time_budget_min": None, "risks": ["durability"]}
    assert experiment.state is ExperimentState.created
    assert (experiment.baseline, experiment.rules, experiment.last_good, experiment.outcome) == (None,) * 4
    assert (experiment.space, experiment.facts, experiment.versions, experiment.catalog_hash) == ([], {}, {}, "")
    assert (experiment.seed, experiment.code_version, experiment.comparison) == (7, "0.1.0", 1)
    assert before <= experiment.created_at <= datetime.now(UTC)
    assert experiment.created_at.utcoffset() == timedelta(0)


def test_experiments_are_listed_oldest_first(repository: Repository) -> None:
    for name in ("zulu", "alpha", "mike"):
        repository.create_experiment(new_experiment(name))
    assert [experiment.name for experiment in repository.experiments()] == ["zulu", "alpha", "mike"]
    assert repository.experiments()[1] == repository.experiment("alpha")


def test_the_targets_definition_is_the_one_last_seen(created: Repository) -> None:
    created.create_experiment(new_experiment("second", target_definition={"name": "staging", "data_dir": "/new"}))
    created.create_experiment(new_experiment("third", target_definition=None))
    with created._database.read() as session:
        assert session.get_one(TargetRow, "staging").definition == {"name": "staging", "data_dir": "/new"}


@pytest.mark.parametrize("state", ["created", "preparing"])
def test_a_retried_creation_gives_the_same_experiment(created: Repository, state: str) -> None:
    created.set_experiment_state("night", state)
    assert created.create_experiment(new_experiment()) == created.experiment("night")
    assert len(created.experiments()) == 1


@pytest.mark.parametrize(
    "changes",
    [{"spec": {"iterations": 11}}, {"target": "other"}, {"benchmark": "pgbench"}, {"objective": "p99"}, {"seed": 8}],
    ids=lambda changes: next(iter(changes)),
)
def test_a_name_taken_by_another_specification_is_refused(created: Repository, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=r"experiment: 'night' is taken.*'staging'.*created; choose another name"):
        created.create_experiment(new_experiment(**changes))
    assert created.experiment("night").spec["iterations"] == 10


@pytest.mark.parametrize("state", ["created", "preparing", "stopped"])
def test_a_name_that_never_got_past_the_checks_may_be_used_with_another_form(created: Repository, state: str) -> None:
    created.prepare_experiment("night", **findings())
    created.set_experiment_state("night", state, "its target was not ready")
    again = created.create_experiment(new_experiment(seed=8, benchmark="pgbench"))
    assert (again.seed, again.benchmark, again.state, again.message) == (8, "pgbench", "created", "")
    assert again.baseline is None, "what was found for the former form is forgotten"
    assert len(created.experiments()) == 1


def test_a_name_that_is_being_prepared_or_has_a_trial_is_taken(created: Repository) -> None:
    created.set_experiment_state("night", "preparing")
    created.hold_target("staging", "night")
    with pytest.raises(InvalidInput, match="trigger stop_experiment with this one if no run prepares it just now"):
        created.create_experiment(new_experiment(seed=8))
    created.release_target("staging", "night")
    plan(created, 0)
    with pytest.raises(InvalidInput, match="choose another name, or resume"):
        created.create_experiment(new_experiment(seed=8))


@pytest.mark.parametrize("state", ["running", "stopping", "finishing", "finished"])
def test_an_experiment_past_its_preparation_is_not_created_again(created: Repository, state: str) -> None:
    created.set_experiment_state("night", state)
    with pytest.raises(InvalidInput, match=rf"in state {state}; choose another name, or resume"):
        created.create_experiment(new_experiment())


def test_a_refused_creation_leaves_the_target_as_it_was(created: Repository) -> None:
    with pytest.raises(InvalidInput):
        created.create_experiment(new_experiment(seed=8, target_definition={"name": "hijacked"}))
    with created._database.read() as session:
        assert session.get_one(TargetRow, "staging").definition == {"name": "staging", "dbms": "postgresql"}


def test_an_unknown_experiment_names_the_known_ones(created: Repository) -> None:
    created.create_experiment(new_experiment("day"))
    with pytest.raises(InvalidInput, match=r"experiment: 'nihgt' is unknown; known experiments: day, night"):
        created.experiment("nihgt")


def test_an_unknown_experiment_in_an_empty_repository(repository: Repository) -> None:
    with pytest.raises(InvalidInput, match="known experiments: none"):
        repository.request_stop("night")


def test_what_was_found_on_the_target_is_kept(created: Repository) -> None:
    created.prepare_experiment("night", **findings())
    experiment = created.experiment("night")
    assert (experiment.baseline, experiment.baseline_file, experiment.rules) == (BASELINE, "# as found\n", RULES)
    for name in ("space", "facts", "versions", "hardware", "catalog_hash", "live"):
        assert getattr(experiment, name) == findings()[name]
    assert experiment.state is ExperimentState.created


@pytest.mark.parametrize("is_planned", [False, True])
def test_before_a_trial_has_started_a_new_look_replaces_the_old(created: Repository, is_planned: bool) -> None:
    created.prepare_experiment("night", **findings())
    if is_planned:
        plan(created)
    created.prepare_experiment("night", **findings(baseline=RULES, baseline_file="new\n", space=[]))
    experiment = created.experiment("night")
    assert (experiment.baseline, experiment.baseline_file, experiment.space) == (RULES, "new\n", [])


def test_once_a_trial_has_started_the_baseline_stays(created: Repository) -> None:
    created.prepare_experiment("night", **findings())
    plan(created)
    created.begin_try("night", 0)
    changed = findings(baseline=RULES, baseline_file="ours\n", rules=BASELINE, space=[], versions={"postgresql": "16"})
    created.prepare_experiment("night", **changed)
    experiment = created.experiment("night")
    assert (experiment.baseline, experiment.baseline_file, experiment.rules) == (BASELINE, "# as found\n", RULES)
    assert experiment.space == findings()["space"]
    assert experiment.versions == {"postgresql": "16"}


def test_a_state_sets_and_clears_the_times_it_should(created: Repository) -> None:
    assert created.experiment("night").started_at is None
    created.set_experiment_state("night", ExperimentState.running)
    started = created.experiment("night").started_at
    assert started is not None
    created.set_experiment_state("night", "failed", "the disk is full")
    failed = created.experiment("night")
    assert (failed.state, failed.message, failed.started_at) == ("failed", "the disk is full", started)
    assert failed.ended_at is not None
    created.set_experiment_state("night", "running")
    again = created.experiment("night")
    assert (again.ended_at, again.started_at, again.message) == (None, started, "")


def test_an_unknown_state_is_refused(created: Repository) -> None:
    with pytest.raises(InvalidInput, match=r"state: 'paused' is unknown; give one of created, preparing, running"):
        created.set_experiment_state("night", "paused")


def test_a_stop_is_kept_with_its_first_reason(created: Repository) -> None:
    assert not created.experiment("night").stop_requested
    created.request_stop("night", "release tonight")
    created.request_stop("night", "second thoughts")
    experiment = created.experiment("night")
    assert (experiment.stop_requested, experiment.stop_reason) == (True, "release tonight")


def test_an_experiment_that_has_ended_is_not_asked_to_stop(created: Repository) -> None:
    created.set_experiment_state("night", "finished")
    created.request_stop("night")
    assert not created.experiment("night").stop_requested


@pytest.mark.parametrize("state", ["finished", "failed", "stopped"])
def test_an_ended_experiment_is_resumed(created: Repository, state: str) -> None:
    created.request_stop("night", "release tonight")
    created.record_measurement("night", round=0, arm="best", value=9.0, result={}, state="ok")
    created.set_experiment_state("night", state, "done")
    resumed = created.extend("night", iterations=20, time_budget_min=90)
    assert resumed == created.experiment("night")
    assert (resumed.state, resumed.message, resumed.ended_at) == ("preparing", "", None)
    assert resumed.spec == {"iterations": 20, "time_budget_min": 90.0, "risks": ["durability"]}
    assert (resumed.stop_requested, resumed.stop_reason, resumed.comparison) == (False, "", 2)
    assert created.extend("night", iterations=20, time_budget_min=90) == resumed


def test_a_resumed_experiment_gets_a_new_comparison_measured_or_not(created: Repository) -> None:
    created.set_experiment_state("night", "failed")
    assert created.extend("night", iterations=10, time_budget_min=None).comparison == 2


def test_a_running_experiment_is_lengthened_and_goes_on(created: Repository) -> None:
    created.set_experiment_state("night", "running")
    created.request_stop("night", "enough")
    longer = created.extend("night", iterations=12, time_budget_min=None)
    assert (longer.state, longer.spec["iterations"], longer.stop_requested) == ("running", 12, True)


@pytest.mark.parametrize("state", ["stopping", "finishing"])
def test_an_experiment_that_is_ending_is_not_extended(created: Repository, state: str) -> None:
    created.set_experiment_state("night", state)
    with pytest.raises(InvalidInput, match=f"experiment: 'night' is {state}; wait until it has ended"):
        created.extend("night", iterations=20, time_budget_min=None)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"iterations": 9}, "iterations: 9; give the new total, at least the 10"),
        ({"iterations": -1}, "iterations: -1; give a whole number from 0"),
        ({"iterations": 10**10}, "iterations: 10000000000; give a whole number"),
        ({"iterations": True}, "iterations: True; give a whole number"),
        ({"time_budget_min": float("nan")}, "time_budget_min: nan; give a finite number"),
    ],
)
def test_a_bad_extension_is_refused(created: Repository, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(said)):
        created.extend("night", **{"iterations": 20, "time_budget_min": None, **changes})
    assert created.experiment("night").spec["iterations"] == 10


def test_the_last_good_configuration_and_the_outcome_are_kept(created: Repository) -> None:
    created.record_last_good("night", configuration=BASELINE, file="a\n")
    created.record_last_good("night", configuration=RULES, file="b\n")
    created.record_outcome("night", {"ratio": 1.6, "best": None})
    experiment = created.experiment("night")
    assert experiment.last_good == LastGood(RULES, "b\n")
    assert experiment.outcome == {"ratio": 1.6, "best": None}


@pytest.mark.slow
def test_a_name_of_any_length_and_script_is_kept(repository: Repository) -> None:
    name = "nächt'; DROP TABLE trials; --" + "x" * 300
    repository.create_experiment(new_experiment(name))
    measured(repository, experiment=name)
    assert repository.trial(name, 0).experiment == repository.experiment(name).name == name
