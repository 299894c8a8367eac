"""From an experiment's trials to the next one: a reference trial when one is due, else what the tuner suggests.

Pure: records in, a configuration out. Imports the tuner, and so scikit-learn: import it inside a task only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from otterflow.dbms.values import Repair
from otterflow.experiment import arms as given
from otterflow.experiment import explanation, loop
from otterflow.experiment.comparison import BASELINE, BEST, RULES
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
    values = {name: setting.value for name, setting in live.items()}
    facts = facts_of(experiment)
    wanted: dict[str, Any] = {}

    def within_constraints(config: Mapping[str, Any]) -> dict[str, Any]:
        repaired, _ = plan.dbms.constraints.repair(config, values, facts, space=space)
        wanted[_key(repaired)] = dict(config)
        return repaired

    suggestion = suggest(
        space,
        history,
        seed=plan.spec.seed,
        rules=experiment.rules,
        mode=plan.spec.mode.value,
        budget=plan.spec.iterations,
        repair=within_constraints,
        algorithm=plan.spec.algorithm.value,
        past=past,
        ranked=plan.spec.ranking,
        ranking=ranking,
    )
    repaired = dict(suggestion)
    asked = wanted.get(_key(repaired), repaired)
    _, repairs = plan.dbms.constraints.repair(asked, values, facts, space=space)
    best = _incumbent(experiment, plan, trials)
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


def _key(config: Mapping[str, Any]) -> str:
    return repr(sorted(config.items()))


def _incumbent(experiment: Experiment, plan: Plan, trials: Sequence[Trial]) -> Incumbent | None:
    """The best by the model's mean that keeps the constraints; None as long as nothing has been measured."""
    history = loop.history(experiment, trials, plan.goal)
    if not any(t.state == "ok" for t in history):
        return None
    return incumbent(space_of(experiment), history, seed=plan.spec.seed)


def best_configuration(experiment: Experiment, plan: Plan, trials: Sequence[Trial]) -> dict[str, Any]:
    """The incumbent's configuration; the baseline as long as nothing has been measured."""
    best = _incumbent(experiment, plan, trials)
    return dict(experiment.baseline or {}) if best is None else dict(best.config)


def arms(experiment: Experiment, plan: Plan, trials: Sequence[Trial]) -> dict[str, dict[str, Any]]:
    """The comparison's configurations by name: those given, or baseline, rules (unless their trial failed) and best."""
    if plan.spec.arms:
        in_force = experiment.baseline or {}
        return given.configurations(plan.spec.arms, in_force, live_settings_of(experiment), plan.dbms.spelling)
    found = {BASELINE: dict(experiment.baseline or {})}
    ruled = next((t for t in trials if t.kind == "rules"), None)
    if ruled is not None and ruled.state == "ok":
        found[RULES] = dict(ruled.wanted)
    return found | {BEST: best_configuration(experiment, plan, trials)}


def _reference(experiment: Experiment, plan: Plan, trials: Sequence[Trial], iteration: int) -> Recommendation:
    if loop.reference_is_baseline(plan.spec, iteration):
        which, config = "baseline", dict(experiment.baseline or {})
    else:
        which, config = "incumbent", best_configuration(experiment, plan, trials)
    reasons = {"idea": f"reference trial: the {which} measured again, to see the machine's drift", "reference": which}
    return Recommendation("reference", config, [], reasons, f"the {which}, unchanged")
