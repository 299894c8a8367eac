"""Computed models: one of each scope, subject and kind, replaced by a newer one, gone with their experiment."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import URL, text
from sqlalchemy.exc import IntegrityError

from otterflow.errors import InvalidInput
from otterflow.repository import ModelKind, ModelScope, Repository
from otterflow.repository.database import Database
from tests.repository.samples import measured, new_experiment, plan

CONTENT = {"names": ["work_mem", "jit"], "shares": {"work_mem": 0.75, "jit": 0.25}}


@pytest.fixture
def repository(repository: Repository) -> Repository:
    repository.create_experiment(new_experiment())
    return repository


def _record(repository: Repository, **changes: Any) -> None:
    values: dict[str, Any] = {
        "kind": "ranking", "scope": "experiment", "subject": "night", "content": CONTENT,
        "sources": {"night": {"trials": 3}}, "version": 1,
    }  # fmt: skip
    values |= changes
    repository.record_model(values.pop("kind"), **values)


def test_a_model_is_as_it_was_given(repository: Repository) -> None:
    _record(repository)
    model = repository.model("ranking", scope="experiment", subject="night")
    assert model is not None
    assert (model.scope, model.subject, model.kind) == (ModelScope.experiment, "night", ModelKind.ranking)
    assert (model.content, model.sources, model.version) == (CONTENT, {"night": {"trials": 3}}, 1)
    assert repository.models() == [model]


def test_a_newer_model_replaces_the_former_and_the_same_one_does_not(repository: Repository) -> None:
    _record(repository)
    (former,) = repository.models()
    _record(repository)
    assert repository.models() == [former]
    _record(repository, content={"names": ["jit"]}, sources={"night": {"trials": 4}})
    (latter,) = repository.models()
    assert latter.content == {"names": ["jit"]}
    assert latter.computed_at > former.computed_at


def test_models_are_told_apart_by_scope_subject_and_kind(repository: Repository) -> None:
    _record(repository)
    _record(repository, kind="pruning", scope="workload", subject="staging/analytics/run_time_s")
    _record(repository, kind="pruning", scope="all", subject="postgresql")
    _record(repository, kind="surrogate")
    assert [(m.scope.value, m.kind.value) for m in repository.models()] == [
        ("all", "pruning"), ("experiment", "ranking"), ("experiment", "surrogate"), ("workload", "pruning"),
    ]  # fmt: skip
    assert [m.scope.value for m in repository.models("pruning")] == ["all", "workload"]
    assert [m.kind.value for m in repository.models(scope="experiment")] == ["ranking", "surrogate"]
    assert repository.model("ranking", scope="all", subject="postgresql") is None


def test_models_go_with_their_experiment(repository: Repository, url: URL) -> None:
    _record(repository)
    _record(repository, scope="workload", subject="staging/analytics/run_time_s")
    with Database(url).write() as session:
        session.execute(text("DELETE FROM experiments WHERE name = 'night'"))
    assert [m.scope.value for m in repository.models()] == ["workload"]
    repository.retain_models("workload", ["another"])
    assert repository.models() == []


def test_only_models_of_that_scope_and_without_a_subject_are_forgotten(repository: Repository) -> None:
    for subject in ("a", "b"):
        _record(repository, scope="workload", subject=subject)
    _record(repository, scope="all", subject="c")
    repository.retain_models("workload", ["b"])
    assert [m.subject for m in repository.models()] == ["c", "b"]
    repository.retain_models("workload", [])
    assert [m.subject for m in repository.models()] == ["c"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"subject": "day"}, "experiment: 'day' is unknown; known experiments: night"),
        ({"kind": "gossip"}, "kind: 'gossip' is unknown; give one of ranking, pruning, surrogate"),
        ({"scope": "galaxy"}, "scope: 'galaxy' is unknown; give one of experiment, workload, all"),
        ({"content": {"a": [1.0, float("nan")]}}, r"content.a\[1\]: nan; give a finite number"),
        ({"version": -1}, "version: -1; give a whole number"),
    ],
)
def test_what_cannot_be_a_model_is_refused(repository: Repository, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        _record(repository, **changes)
    assert repository.models() == []


def test_the_tables_refuse_a_model_of_an_experiment_without_one(repository: Repository, url: URL) -> None:
    orphan = (
        "INSERT INTO models (scope, subject, kind, version, sources, content, computed_at)"
        " VALUES ('experiment', 'night', 'ranking', 1, '{}', '{}', '2026-01-01')"
    )
    with pytest.raises(IntegrityError, match="ck_models_experiment_id"), Database(url).write() as session:
        session.execute(text(orphan))


@pytest.mark.slow
def test_progress_counts_iterations_with_an_ended_trial(repository: Repository) -> None:
    repository.create_experiment(new_experiment("day"))
    for iteration in range(2):
        measured(repository, iteration)
    repository.begin_try("night", 1)
    plan(repository, 2)
    progress = repository.progress()
    assert list(progress) == ["night", "day"]
    assert progress["night"].trials == 2
    assert progress["night"].last_ended_at == repository.trial("night", 1, attempt=1).ended_at
    assert progress["day"] == (0, None)
    before = progress["night"].last_ended_at
    repository.end_trial("night", 1, "failed")
    after = repository.progress()["night"]
    assert after.trials == 2
    assert after.last_ended_at == max(t for t in (before, after.last_ended_at) if t)
    assert after.last_ended_at != before
