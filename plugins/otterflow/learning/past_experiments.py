"""What other experiments of the repository have to say to one: which of them are told to the tuner, in which order.

Records in, the tuner's past experiments out. Imports the tuner, and so scikit-learn: import it inside a task only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from otterflow.errors import BenchmarkFailed, InvalidInput
from otterflow.experiment import loop
from otterflow.experiment.typed import space_of
from otterflow.measures.goal import Goal
from otterflow.repository import Experiment, Trial
from otterflow.tuner.mapping import map_workloads
from otterflow.tuner.past import MIN_MEASURED, PastExperiment

MOST_READ = 30
"""Experiments whose trials are read to find the most alike among them."""


@dataclass(frozen=True)
class Other:
    """Another experiment with its trials and its goal, and the hyperparameters of its model where they were kept."""

    experiment: Experiment
    trials: Sequence[Trial]
    goal: Goal
    hyperparameters: Sequence[float] | None = None


def worth_reading(experiment: Experiment, others: Sequence[Experiment]) -> list[Experiment]:
    """Of all experiments those that may teach something, the likeliest first, and no more than `MOST_READ`.

    They are of the same DBMS, have ended, are not the experiment itself, and share a tuned knob with it. Those with
    the same objective come first, then those with the same benchmark, then those on the same target, then the newest.
    """
    knobs = {record["name"] for record in experiment.space}
    found = [
        other
        for other in others
        if other.name != experiment.name
        and other.dbms == experiment.dbms
        and other.state.ended
        and any(record["name"] in knobs for record in other.space)
    ]
    return sorted(found, key=lambda other: (*_kinship(experiment, other), *_recency(experiment, other)))[:MOST_READ]


def past_experiments(
    experiment: Experiment, trials: Sequence[Trial], own_goal: Goal, others: Sequence[Other], metrics: Sequence[str]
) -> list[PastExperiment]:
    """The others as the tuner's past experiments, the most alike first; those with fewer than 3 measurements left out.

    In the order of `worth_reading`, but among those of the same objective and benchmark by the distance of their
    workload in the pruned `metrics` (see `tuner.mapping`) rather than by target and age.
    """
    known = [(other.experiment, past) for other in others if (past := _past(other)) is not None]
    current = _told(experiment, trials, own_goal)
    distance = {m.name: m.distance for m in map_workloads(current, [past for _, past in known], metrics)}
    known.sort(key=lambda k: (*_kinship(experiment, k[0]), distance[k[0].name], *_recency(experiment, k[0])))
    return [past for _, past in known]


def _kinship(experiment: Experiment, other: Experiment) -> tuple[bool, bool]:
    return other.objective != experiment.objective, other.benchmark != experiment.benchmark


def _recency(experiment: Experiment, other: Experiment) -> tuple[bool, float]:
    return other.target != experiment.target, -other.created_at.timestamp()


def _past(other: Other) -> PastExperiment | None:
    """None where it has too few measurements, or records that cannot be read any more: it must not stop this one."""
    try:
        past = _told(other.experiment, other.trials, other.goal, other.hyperparameters)
    except (InvalidInput, BenchmarkFailed):  # the second of a result of another shape, where there are constraints
        return None
    return past if sum(t.state == "ok" for t in past.trials) >= MIN_MEASURED else None


def _told(
    experiment: Experiment, trials: Sequence[Trial], its_goal: Goal, hyperparameters: Sequence[float] | None = None
) -> PastExperiment:
    pairs = loop.history_with_trials(experiment, trials, its_goal)
    return PastExperiment(
        experiment.name,
        space_of(experiment),
        [told for _, told in pairs],
        metrics=[{} if loop.METRICS_LEFT_OUT in trial.reasons else trial.metrics for trial, _ in pairs],
        hyperparameters=hyperparameters,
    )
