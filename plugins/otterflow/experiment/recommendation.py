"""From an experiment's trials to the next one: a reference trial when one is due, else what the tuner suggests.

Pure: records in, a configuration out. Imports the tuner, and so scikit-learn: import it inside a task only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from otterflow.dbms.values import Repair
from otterflow.experiment import explanation, loop
from otterflow.experiment.plan import Plan
from otterflow.experiment.typed import facts_of, live_settings_of, space_of
from otterflow.repository import Experiment, Trial
from otterflow.tuner import Incumbent, PastExperiment, incumbent, outlook, suggest
from otterflow.tuner.ranking import Ranking


@dataclass(frozen=True)
class Recommendation:
    """The next configuration, why, and what the constraints between knobs changed in it."""

    kind: str
    configuration: dict[str, Any]
    repairs: list[Repair]
    reasons: dict[str, Any]
    table: str


def recommendation(
    experiment: Experiment,
    plan: Plan,
    trials: Sequence[Trial],
    iteration: int,
    past: Sequence[PastExperiment] = (),
    ranking: Ranking | None = None,
) -> Recommendation:
    """What iteration `iteration` is to measure.

    `past` are other experiments to learn from, the most alike first; `ranking` is what they say of the knobs.
    """
    if loop.reference_due(plan.spec, iteration):
        return _reference(experiment, plan, trials, iteration)
    space = space_of(experiment)
    live = live_settings_of(experiment)
    history = loop.history(experiment, trials, plan.goal)
    wanted: dict[str, Any] = {}

    def repair(config: Mapping[str, Any]) -> dict[str, Any]:
        repaired, _ = within_constraints(experiment, plan, config)
        wanted[_key(repaired)] = dict(config)
        return repaired

    suggestion = suggest(
        space,
        history,
        seed=plan.spec.seed,
        rules=experiment.rules,
        mode=plan.spec.mode.value,
        budget=plan.spec.iterations,
        repair=repair,
        algorithm=plan.spec.algorithm.value,
        past=past,
        ranked=plan.spec.ranking,
        ranking=ranking,
    )
    repaired = dict(suggestion)
    asked = wanted.get(_key(repaired), repaired)
    _, repairs = within_constraints(experiment, plan, asked)
    best = incumbent_of(experiment, plan, trials)
    scale, _ = loop.scoring([t for t in trials if t.state.ended], plan.objective)
    reasons = explanation.record(suggestion, scale, plan.objective.unit, best)
    against = dict(experiment.baseline or {}) if best is None else dict(best.config)
    table = explanation.table(repaired, against, live, reasons, plan.dbms.spelling)
    return Recommendation(suggestion.kind, repaired, repairs, reasons, table)


def what_is_left(experiment: Experiment, plan: Plan, trials: Sequence[Trial]) -> dict[str, Any]:
    """What the trials so far leave to be gained, as `explanation.outlook_record` says it; {} while they are too few."""
    history = loop.history(experiment, trials, plan.goal)
    left = outlook(space_of(experiment), history, seed=plan.spec.seed)
    scale, _ = loop.scoring([t for t in trials if t.state.ended], plan.objective)
    return explanation.outlook_record(left, scale, plan.spec.stop_below_percent)


def within_constraints(
    experiment: Experiment, plan: Plan, config: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Repair]]:
    """The configuration as the constraints between knobs leave it, and what they changed in it."""
    values = {name: setting.value for name, setting in live_settings_of(experiment).items()}
    return plan.dbms.constraints.repair(config, values, facts_of(experiment), space=space_of(experiment))


def _key(config: Mapping[str, Any]) -> str:
    return repr(sorted(config.items()))


def incumbent_of(experiment: Experiment, plan: Plan, trials: Sequence[Trial]) -> Incumbent | None:
    """The best by the model's mean that keeps the constraints; None as long as nothing has been measured."""
    history = loop.history(experiment, trials, plan.goal)
    if not any(t.state == "ok" for t in history):
        return None
    return incumbent(space_of(experiment), history, seed=plan.spec.seed)


def best_configuration(experiment: Experiment, plan: Plan, trials: Sequence[Trial]) -> dict[str, Any]:
    """The incumbent's configuration; the baseline as long as nothing has been measured."""
    best = incumbent_of(experiment, plan, trials)
    return dict(experiment.baseline or {}) if best is None else dict(best.config)


def _reference(experiment: Experiment, plan: Plan, trials: Sequence[Trial], iteration: int) -> Recommendation:
    if loop.reference_is_baseline(plan.spec, iteration):
        which, config = "baseline", dict(experiment.baseline or {})
    else:
        which, config = "incumbent", best_configuration(experiment, plan, trials)
    reasons = {"idea": f"reference trial: the {which} measured again, to see the machine's drift", "reference": which}
    return Recommendation("reference", config, [], reasons, f"the {which}, unchanged")
