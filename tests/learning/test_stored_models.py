"""What is computed from trials, when it is computed again, and what an experiment is told of the others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from otterflow.errors import InvalidInput
from otterflow.experiment.frozen import goal_of
from otterflow.learning import stored_models
from otterflow.measures.goal import Goal
from otterflow.repository import Experiment, ModelKind, ModelScope, Repository
from otterflow.tuner.ranking import Ranking
from tests.captured import CAPTURED, add_trial, make_experiment

pytestmark = pytest.mark.slow

SUBJECT = "staging/pgbench_tpcb/throughput"

Made = Callable[..., None]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.open(f"sqlite:///{tmp_path}/repository.db")


@pytest.fixture
def make(repository: Repository) -> Made:
    return partial(make_experiment, repository)


def told_to(repository: Repository, name: str) -> stored_models.Knowledge:
    experiment = repository.experiment(name)
    its_goal = goal_of(experiment)
    assert its_goal is not None
    return stored_models.knowledge_for(repository, experiment, repository.trials(name), its_goal)


def test_a_workload_with_new_trials_is_outdated_until_it_is_refreshed(repository: Repository, make: Made) -> None:
    make("night", 10)
    assert stored_models.survey(repository).outdated() == [SUBJECT]
    refreshed = stored_models.refresh_workload(repository, SUBJECT)
    assert refreshed.experiments == ["night"]
    assert stored_models.survey(repository).outdated() == []
    add_trial(repository, "night", 10, 10)
    assert stored_models.survey(repository).outdated() == [SUBJECT]
    stored_models.refresh_workload(repository, SUBJECT)
    assert stored_models.survey(repository).outdated() == []


def test_only_experiments_with_new_trials_are_computed_again(repository: Repository, make: Made) -> None:
    make("night", 8)
    stored_models.refresh_workload(repository, SUBJECT)
    before = repository.model("ranking", scope="experiment", subject="night")
    make("day", 8, first=8)
    assert stored_models.refresh_workload(repository, SUBJECT).experiments == ["day"]
    assert repository.model("ranking", scope="experiment", subject="night") == before


def test_what_is_stored_is_what_was_computed_and_from_what(repository: Repository, make: Made) -> None:
    make("night", 8)
    make("day", 8, first=8)
    refreshed = stored_models.refresh_workload(repository, SUBJECT)
    stored = {(m.scope.value, m.subject, m.kind.value): m for m in repository.models()}
    assert sorted(stored) == [
        ("experiment", "day", "ranking"), ("experiment", "day", "surrogate"),
        ("experiment", "night", "ranking"), ("experiment", "night", "surrogate"),
        ("workload", SUBJECT, "pruning"), ("workload", SUBJECT, "ranking"),
    ]  # fmt: skip
    workload = stored["workload", SUBJECT, "ranking"]
    assert refreshed.ranking is not None
    assert Ranking.from_dict(workload.content) == refreshed.ranking
    assert refreshed.ranking.measured == 16
    assert {name: source["trials"] for name, source in workload.sources.items()} == {"night": 8, "day": 8}
    assert stored["workload", SUBJECT, "pruning"].content == refreshed.pruned.as_dict()
    assert refreshed.pruned.rows == 16
    assert len(stored["experiment", "day", "surrogate"].content["hyperparameters"]) == len(CAPTURED["space"]) + 3


def test_a_method_of_another_version_computes_everything_again(
    repository: Repository, make: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("night", 8)
    stored_models.refresh_workload(repository, SUBJECT)
    monkeypatch.setattr(stored_models, "VERSIONS", {**stored_models.VERSIONS, ModelKind.surrogate: 7})
    assert stored_models.survey(repository).outdated() == [SUBJECT]
    assert stored_models.refresh_workload(repository, SUBJECT).experiments == ["night"]
    assert stored_models.survey(repository).outdated() == []


def test_what_a_method_of_another_version_left_is_not_used(
    repository: Repository, make: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("night", 8)
    make("now", 3, ended=False)
    stored_models.refresh_workload(repository, SUBJECT)
    stored_models.refresh_everything(repository)
    known = told_to(repository, "now")
    assert (known.ranking is None, known.metrics == (), known.past[0].hyperparameters is None) == (False,) * 3
    monkeypatch.setattr(stored_models, "VERSIONS", dict.fromkeys(ModelKind, 7))
    known = told_to(repository, "now")
    assert (known.ranking, known.metrics, known.past[0].hyperparameters) == (None, (), None)


def test_the_metrics_of_all_workloads_are_pruned_once(repository: Repository, make: Made) -> None:
    make("night", 8)
    make("other", 8, benchmark="ycsb_a", first=8)
    pruned = stored_models.refresh_everything(repository)["postgresql"]
    assert pruned.rows == 16
    stored = repository.model("pruning", scope="all", subject="postgresql")
    assert stored is not None
    assert sorted(stored.sources) == ["night", "other"]
    assert stored_models.refresh_everything(repository) == {}


def test_models_of_workloads_that_are_gone_are_forgotten(repository: Repository, make: Made) -> None:
    make("night", 5)
    repository.record_model("pruning", scope="workload", subject="gone", content={}, sources={}, version=1)
    stored_models.refresh_workload(repository, SUBJECT)
    stored_models.refresh_everything(repository)
    assert {m.subject for m in repository.models(scope=ModelScope.workload)} == {SUBJECT}


def test_experiments_without_trials_are_nobodys_work(repository: Repository, make: Made) -> None:
    make("empty", 0)
    assert stored_models.survey(repository).outdated() == []
    assert stored_models.refresh_everything(repository) == {}
    with pytest.raises(
        InvalidInput, match="workload: 'staging/pgbench_tpcb/throughput' is unknown; workloads with tri"
    ):
        stored_models.refresh_workload(repository, SUBJECT)


def test_an_experiment_of_too_few_trials_is_done_and_ranks_nothing(repository: Repository, make: Made) -> None:
    make("short", 2)
    refreshed = stored_models.refresh_workload(repository, SUBJECT)
    assert refreshed.ranking is None
    assert stored_models.survey(repository).outdated() == []
    stored = repository.model("surrogate", scope="experiment", subject="short")
    assert stored is not None
    assert stored.content == {"hyperparameters": None}


def test_an_experiment_alone_is_told_nothing(repository: Repository, make: Made) -> None:
    make("night", 8)
    stored_models.refresh_workload(repository, SUBJECT)
    assert told_to(repository, "night") == stored_models.Knowledge()


def test_an_experiment_is_told_of_those_that_ended(repository: Repository, make: Made) -> None:
    make("night")
    make("running", 16, ended=False)
    stored_models.refresh_workload(repository, SUBJECT)
    stored_models.refresh_everything(repository)
    make("today", 3, ended=False)
    knowledge = told_to(repository, "today")
    assert [past.name for past in knowledge.past] == ["night"]
    stored = repository.model("surrogate", scope="experiment", subject="night")
    assert stored is not None
    assert knowledge.past[0].hyperparameters == stored.content["hyperparameters"]
    assert knowledge.ranking is not None
    assert sorted(knowledge.ranking.names) == sorted(record["name"] for record in CAPTURED["space"])
    assert knowledge.ranking.measured == 16
    assert len(knowledge.metrics) > 3


def test_before_any_refresh_the_past_is_told_all_the_same(repository: Repository, make: Made) -> None:
    make("night")
    make("today", 3, ended=False)
    knowledge = told_to(repository, "today")
    assert [past.name for past in knowledge.past] == ["night"]
    assert knowledge.past[0].hyperparameters is None
    assert (knowledge.ranking, list(knowledge.metrics)) == (None, [])


def test_nothing_is_learnt_across_dbmss(repository: Repository, make: Made) -> None:
    make("night", 8)
    make("elsewhere", 8, first=8, dbms="other")
    assert stored_models.survey(repository).outdated() == [f"other:{SUBJECT}", SUBJECT]
    for subject in (SUBJECT, f"other:{SUBJECT}"):
        assert stored_models.refresh_workload(repository, subject).pruned.rows == 8
    assert {dbms: pruned.rows for dbms, pruned in stored_models.refresh_everything(repository).items()} == {
        "postgresql": 8, "other": 8
    }  # fmt: skip
    make("today", 3, ended=False)
    knowledge = told_to(repository, "today")
    assert [past.name for past in knowledge.past] == ["night"]
    assert knowledge.ranking is not None
    assert knowledge.ranking.measured == 8


def test_another_benchmarks_ranking_is_not_taken_over(repository: Repository, make: Made) -> None:
    make("other", benchmark="ycsb_a")
    stored_models.refresh_workload(repository, "staging/ycsb_a/throughput")
    make("today", 3, ended=False)
    knowledge = told_to(repository, "today")
    assert [past.name for past in knowledge.past] == ["other"]
    assert knowledge.ranking is None


def test_an_experiment_whose_goal_nobody_can_read_stops_no_one(repository: Repository, make: Made) -> None:
    make("night", 8)
    make("odd", 6, objective="p99 / nothing known", spec={"experiment": "odd"})
    for subject in stored_models.survey(repository).outdated():
        stored_models.refresh_workload(repository, subject)
    assert stored_models.survey(repository).outdated() == []
    make("today", 3, ended=False)
    assert [past.name for past in told_to(repository, "today").past] == ["night"]


def test_the_files_of_a_benchmark_are_read_once_for_all_its_experiments(
    repository: Repository, make: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("night", "noon"):
        make(name, 4)
    make("other", 4, benchmark="ycsb_a")
    make("today", 2, ended=False)
    read: list[str] = []

    def counted(experiment: Experiment) -> Goal | None:
        read.append(experiment.benchmark)
        return goal_of(experiment)

    monkeypatch.setattr(stored_models, "goal_of", counted)
    assert {past.name for past in told_to(repository, "today").past} == {"night", "noon", "other"}
    assert sorted(read) == ["pgbench_tpcb", "ycsb_a"]
