"""What all experiments together teach, computed ahead by `model_refresh`, and what one experiment takes of it.

Of each experiment: the ranking of its knobs, and the fitted hyperparameters of its model. Of each workload (the same
target, benchmark and objective): its experiments' rankings combined, and its metrics pruned. Of all of one DBMS: the
metrics that tell workloads apart. Nothing is learnt of one DBMS from another. Each is stored with the trials that it
was computed from, and computed again when there are more.
Imports the tuner, and so scikit-learn, where it computes: import this inside a task only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from otterflow.dbms.registry import UNSAID
from otterflow.errors import InvalidInput, Problem
from otterflow.experiment import loop
from otterflow.experiment.frozen import goal_of
from otterflow.experiment.typed import space_of
from otterflow.learning.past_experiments import Other, past_experiments, worth_reading
from otterflow.repository import (
    Experiment,
    MetricScope,
    ModelKind,
    ModelScope,
    Progress,
    Repository,
    StoredModel,
    Trial,
)
from otterflow.tuner.metrics import Pruned, prune
from otterflow.tuner.past import PastExperiment, fitted_hyperparameters
from otterflow.tuner.ranking import Ranking, combine, prior_ranking, rank

if TYPE_CHECKING:
    from otterflow.measures.goal import Goal

VERSIONS: Mapping[ModelKind, int] = {ModelKind.ranking: 1, ModelKind.surrogate: 1, ModelKind.pruning: 1}
"""Raise one when its method changes: what an older version computed is then computed again."""
_GOAL_FIELDS = ("target", "benchmark", "objective", "direction", "constraints")
"""The form's fields that say what an experiment tunes for."""


class WorkloadKey(NamedTuple):
    """What experiments must have in common for their results to be of one thing."""

    dbms: str
    target: str
    benchmark: str
    objective: str

    @property
    def subject(self) -> str:
        """Its name in the repository. The DBMS that needs not be said in a target file is not said here."""
        name = f"{self.target}/{self.benchmark}/{self.objective}"
        return name if self.dbms == UNSAID else f"{self.dbms}:{name}"


@dataclass(frozen=True)
class Survey:
    """The experiments that have trials, by workload, how far they are, and what is stored of them."""

    workloads: Mapping[str, Sequence[Experiment]]
    """Experiments by their workload's subject, oldest first."""
    progress: Mapping[str, Progress]
    stored: Mapping[tuple[ModelScope, str, ModelKind], StoredModel]

    def sources(self, experiments: Iterable[Experiment]) -> dict[str, dict[str, Any]]:
        """The trials there are of these experiments, in the form in which a model keeps what it was computed from."""
        return {
            e.name: {"trials": at.trials, "last_ended_at": at.last_ended_at.isoformat() if at.last_ended_at else None}
            for e in experiments
            if (at := self.progress[e.name]).trials
        }

    def is_fresh(self, scope: ModelScope, subject: str, kind: ModelKind, experiments: Sequence[Experiment]) -> bool:
        """Whether the model is stored, by the method of today and of these experiments' trials as they are now."""
        model = self.stored.get((scope, subject, kind))
        return model is not None and (model.version, model.sources) == (VERSIONS[kind], self.sources(experiments))

    def is_done(self, experiment: Experiment) -> bool:
        """Whether all models of an experiment are fresh."""
        kinds = (ModelKind.ranking, ModelKind.surrogate)
        return all(self.is_fresh(ModelScope.experiment, experiment.name, kind, [experiment]) for kind in kinds)

    def outdated(self) -> list[str]:
        """The workloads that have trials which some model of theirs does not know, by name."""
        return sorted(
            subject
            for subject, experiments in self.workloads.items()
            if not all(
                self.is_fresh(ModelScope.workload, subject, kind, experiments)
                for kind in (ModelKind.ranking, ModelKind.pruning)
            )
            or not all(map(self.is_done, experiments))
        )

    @property
    def by_dbms(self) -> dict[str, list[Experiment]]:
        """The experiments of all workloads, by the name of their DBMS."""
        found: dict[str, list[Experiment]] = {}
        for experiment in (e for experiments in self.workloads.values() for e in experiments):
            found.setdefault(experiment.dbms, []).append(experiment)
        return found


def survey(repository: Repository) -> Survey:
    """What there is to compute from, and what is computed already."""
    progress = repository.progress()
    workloads: dict[str, list[Experiment]] = {}
    for experiment in repository.experiments():
        if experiment.space and progress[experiment.name].trials:
            workload = WorkloadKey(experiment.dbms, experiment.target, experiment.benchmark, experiment.objective)
            workloads.setdefault(workload.subject, []).append(experiment)
    stored = {(model.scope, model.subject, model.kind): model for model in repository.models()}
    return Survey(workloads, progress, stored)


@dataclass(frozen=True)
class Refreshed:
    """What was computed for a workload. `ranking` is None where no experiment of it measured enough to rank."""

    subject: str
    experiments: Sequence[str]
    """Those whose own models were computed anew."""
    ranking: Ranking | None
    pruned: Pruned


def refresh_workload(repository: Repository, subject: str) -> Refreshed:
    """Compute and store whatever is outdated of one workload. Raises InvalidInput for one that has no trials."""
    found = survey(repository)
    experiments = found.workloads.get(subject)
    if experiments is None:
        advice = f"workloads with trials: {', '.join(found.workloads) or 'none'}"
        raise InvalidInput(Problem("workload", f"{subject!r} is unknown", advice))
    outdated = [experiment for experiment in experiments if not found.is_done(experiment)]
    for experiment in outdated:
        _refresh_experiment(repository, experiment, found.sources([experiment]))
    own = {e.name for e in experiments}
    rankings = [_ranking_of(m) for m in repository.models("ranking", scope="experiment") if m.subject in own]
    ranking = combine(rankings)
    pruned = prune(metric_table(repository, sorted(own)))
    sources = found.sources(experiments)
    content = {} if ranking is None else ranking.as_dict()
    _store(repository, ModelKind.ranking, ModelScope.workload, subject, content, sources)
    _store(repository, ModelKind.pruning, ModelScope.workload, subject, pruned.as_dict(), sources)
    return Refreshed(subject, [experiment.name for experiment in outdated], ranking, pruned)


def refresh_everything(repository: Repository) -> dict[str, Pruned]:
    """Prune the metrics of all workloads of each DBMS together, and forget workloads that are gone.

    The metrics of the DBMSs where anything has changed, by the DBMS's name.
    """
    found = survey(repository)
    repository.retain_models(ModelScope.workload, list(found.workloads))
    refreshed = {}
    for dbms, everyone in found.by_dbms.items():
        if not found.is_fresh(ModelScope.all, dbms, ModelKind.pruning, everyone):
            pruned = prune(metric_table(repository, [experiment.name for experiment in everyone]))
            _store(repository, ModelKind.pruning, ModelScope.all, dbms, pruned.as_dict(), found.sources(everyone))
            refreshed[dbms] = pruned
    return refreshed


def metric_table(repository: Repository, experiments: Sequence[str]) -> list[dict[str, float]]:
    """The server's metrics of each measured trial of these experiments."""
    rows: dict[tuple[str, int], dict[str, float]] = {}
    for row in repository.metric_rows(experiments, scope=MetricScope.dbms):
        rows.setdefault((row.experiment, row.iteration), {})[row.name] = row.value
    return list(rows.values())


@dataclass(frozen=True)
class Knowledge:
    """What other experiments tell one."""

    past: Sequence[PastExperiment] = ()
    """For `suggest(past=...)`: the most alike first, their models' hyperparameters fitted already."""
    ranking: Ranking | None = None
    """The knobs of this experiment's space by what others of its benchmark and objective found; None if none did."""
    metrics: Sequence[str] = ()
    """The pruned metrics by which workloads were compared."""


def knowledge_for(repository: Repository, experiment: Experiment, trials: Sequence[Trial], own_goal: Goal) -> Knowledge:
    """What the repository's other experiments have to say to this one. Cheap where there are none.

    Uses what `model_refresh` has stored by the methods of today, and does without what it has not come to yet:
    hyperparameters are then fitted where they are needed, and workloads are told apart by their names alone.
    """
    kin = worth_reading(experiment, repository.experiments())
    if not kin:
        return Knowledge()
    models = {(m.subject, m.kind): m for m in repository.models(scope=ModelScope.experiment) if _is_current(m)}
    pruning = repository.model("pruning", scope=ModelScope.all, subject=experiment.dbms)
    metrics = () if pruning is None or not _is_current(pruning) else Pruned.from_dict(pruning.content).names
    goals = _goals(kin)
    others = [
        Other(found, repository.trials(found.name, metrics=metrics), its_goal, _hyperparameters(models, found.name))
        for found in kin
        if (its_goal := goals[found.name]) is not None
    ]
    alike = [e.name for e in kin if (e.benchmark, e.objective) == (experiment.benchmark, experiment.objective)]
    known = [_ranking_of(m) for name in alike if (m := models.get((name, ModelKind.ranking))) is not None]
    ranking = combine(known)
    return Knowledge(
        past=past_experiments(experiment, trials, own_goal, others, metrics),
        ranking=None if ranking is None else ranking.for_space(space_of(experiment)),
        metrics=metrics,
    )


def _refresh_experiment(repository: Repository, experiment: Experiment, sources: Mapping[str, Any]) -> None:
    """Rank an experiment's knobs and fit its model. One whose objective nobody can read any more gets neither."""
    space = space_of(experiment)
    its_goal = goal_of(experiment)
    history = [] if its_goal is None else loop.history(experiment, repository.trials(experiment.name), its_goal)
    ranking = rank(space, history, seed=experiment.seed) if history else prior_ranking(space)
    fitted = fitted_hyperparameters(PastExperiment(experiment.name, space, history))
    for kind, content in (
        (ModelKind.ranking, ranking.as_dict()),
        (ModelKind.surrogate, {"hyperparameters": fitted}),
    ):
        _store(repository, kind, ModelScope.experiment, experiment.name, content, sources)


def _goals(experiments: Sequence[Experiment]) -> dict[str, Goal | None]:
    """Each experiment's goal by its name. Files are read once for experiments that tuned for the same."""
    same: dict[str, Goal | None] = {}
    found = {}
    for experiment in experiments:
        key = repr((experiment.objective, [experiment.spec.get(field) for field in _GOAL_FIELDS]))
        if key not in same:
            same[key] = goal_of(experiment)
        found[experiment.name] = same[key]
    return found


def _store(
    repository: Repository,
    kind: ModelKind,
    scope: ModelScope,
    subject: str,
    content: dict[str, Any],
    sources: Mapping[str, Any],
) -> None:
    repository.record_model(
        kind, scope=scope, subject=subject, content=content, sources=sources, version=VERSIONS[kind]
    )


def _is_current(model: StoredModel) -> bool:
    """Whether today's method computed it; what another version left may have another shape."""
    return model.version == VERSIONS[model.kind]


def _ranking_of(model: StoredModel) -> Ranking:
    return Ranking.from_dict(model.content)


def _hyperparameters(models: Mapping[tuple[str, ModelKind], StoredModel], name: str) -> Sequence[float] | None:
    model = models.get((name, ModelKind.surrogate))
    return None if model is None else model.content["hyperparameters"]
