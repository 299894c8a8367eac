"""Experiments made elsewhere: stored whole or not at all, once, and visible as finished."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import URL

from otterflow.errors import InvalidInput
from otterflow.repository import (
    ImportedExperiment,
    ImportedTrial,
    MetricRow,
    MetricScope,
    RawCounters,
    Repository,
    TrialKind,
    TrialState,
)
from tests.repository.samples import BASELINE, RULES, content, findings, measured, new_experiment

BEGUN = datetime(2018, 8, 30, 18, 0, tzinfo=UTC)


def trial(number: int = 0, **changes: Any) -> ImportedTrial:
    """A trial of five minutes, the `number`th of its experiment."""
    begun = BEGUN + timedelta(minutes=10 * number)
    values: dict[str, Any] = {
        "kind": TrialKind.design,
        "state": TrialState.ok,
        "configuration": RULES,
        "objective": 100.0 + number,
        "result": {"throughput": 100.0 + number},
        "metrics": {"pg_stat_database.xact_commit": 100.0 + number},
        "snapshots": RawCounters({"dbms": {"n": 1}}, {"dbms": {"n": 2}}),
        "reset": [],
        "reasons": {"source": "elsewhere"},
        "message": "",
        "started_at": begun,
        "ended_at": begun + timedelta(minutes=5),
    }
    return ImportedTrial(**{**values, **changes})


def experiment(name: str = "past", **changes: Any) -> ImportedExperiment:
    found = findings()
    values: dict[str, Any] = {
        "record": new_experiment(name, target="elsewhere"),
        "fingerprint": "f00d",
        **{key: found[key] for key in ("space", "baseline", "facts", "live", "versions", "hardware", "catalog_hash")},
        "trials": [trial(0, kind=TrialKind.baseline, configuration=BASELINE), trial(1), trial(2)],
        "outcome": {"source": "elsewhere"},
        "message": "imported",
    }
    return ImportedExperiment(**{**values, **changes})


def test_it_is_there_as_finished(repository: Repository) -> None:
    assert repository.store_imported(experiment())
    [found] = repository.experiments()
    assert (found.name, found.state, found.message) == ("past", "finished", "imported")
    assert found.baseline == BASELINE
    assert found.versions == {"postgresql": "15.14"}
    assert (found.started_at, found.ended_at) == (BEGUN, BEGUN + timedelta(minutes=25))
    assert found.outcome == {"source": "elsewhere", "fingerprint": "f00d"}


def test_its_trials_are_as_measured_ones(repository: Repository) -> None:
    crashed: dict[str, Any] = {
        "state": TrialState.crashed,
        "objective": None,
        "result": None,
        "metrics": {},
        "snapshots": None,
    }
    repository.store_imported(experiment(trials=[trial(0), trial(1, **crashed, message="gone")]))
    first, second = repository.trials("past")
    assert (first.iteration, first.attempt, first.state, first.objective) == (0, 1, "ok", 100.0)
    assert first.wanted == first.in_force == RULES
    assert first.repeats == [100.0]
    assert first.started_at == BEGUN
    assert first.versions == {"postgresql": "15.14"}
    assert (second.state, second.objective, second.message) == ("crashed", None, "gone")
    assert repository.raw_counters("past", 0).after == {"dbms": {"n": 2}}
    assert repository.raw_counters("past", 1).after == {}
    row = MetricRow("past", 0, MetricScope.dbms, "pg_stat_database.xact_commit", 100.0)
    assert repository.metric_rows(["past"]) == [row]


def test_said_twice_it_is_stored_once(repository: Repository, url: URL) -> None:
    assert repository.store_imported(experiment())
    once = content(url)
    assert not repository.store_imported(experiment())
    assert content(url) == once


def test_another_source_is_refused_unless_it_is_to_replace(repository: Repository) -> None:
    repository.store_imported(experiment())
    more = experiment(fingerprint="beef", trials=[trial(0), trial(1)])
    with pytest.raises(InvalidInput, match="'past' is an import of other files"):
        repository.store_imported(more)
    assert len(repository.trials("past")) == 3
    assert repository.store_imported(more, replace=True)
    assert len(repository.trials("past")) == 2
    assert [e.name for e in repository.experiments()] == ["past"]


def test_replaced_by_the_same_it_is_the_same(repository: Repository) -> None:
    repository.store_imported(experiment())
    assert repository.store_imported(experiment(), replace=True)
    assert len(repository.trials("past")) == 3


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("has_trials", [False, True])
def test_an_experiment_made_here_never_gives_way(repository: Repository, has_trials: bool, replace: bool) -> None:
    repository.create_experiment(new_experiment("past"))
    if has_trials:
        measured(repository, experiment="past")
    with pytest.raises(InvalidInput, match=r"'past' is taken by an experiment on target 'staging' in state created"):
        repository.store_imported(experiment(), replace=replace)
    assert len(repository.trials("past")) == int(has_trials)


def test_a_name_that_an_import_has_is_taken(repository: Repository) -> None:
    repository.store_imported(experiment())
    with pytest.raises(InvalidInput, match="'past' is taken"):
        repository.create_experiment(new_experiment("past"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": TrialState.running},
        {"state": TrialState.ok, "objective": None},
        {"state": TrialState.failed},
        {"objective": float("nan")},
        {"metrics": {"a": float("inf")}},
        {"configuration": {"work_mem": float("nan")}},
    ],
)
def test_one_wrong_trial_and_nothing_is_stored(repository: Repository, url: URL, wrong: dict[str, Any]) -> None:
    before = content(url)
    with pytest.raises(InvalidInput):
        repository.store_imported(experiment(trials=[trial(0), trial(1, **wrong)]))
    assert content(url) == before


def test_without_trials_nothing_is_stored(repository: Repository, url: URL) -> None:
    before = content(url)
    with pytest.raises(InvalidInput, match="trials: there are none"):
        repository.store_imported(experiment(trials=[]))
    assert content(url) == before


def test_it_cannot_be_resumed(repository: Repository) -> None:
    repository.store_imported(experiment())
    with pytest.raises(InvalidInput, match="'past' was imported"):
        repository.extend("past", iterations=20, time_budget_min=None)
