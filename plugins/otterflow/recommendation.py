"""From an experiment's trials to the next one: a reference trial when one is due, else what the tuner suggests.

Pure: records in, a configuration out. Imports the tuner, and so scikit-learn: import it inside a task only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from otterflow import loop
from otterflow.comparison import BASELINE, BEST, RULES
from otterflow.experiment import Plan
from otterflow.knobs.constraints import Repair, repair
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.live import LiveSetting
from otterflow.knobs.space import KnobSpace
from otterflow.knobs.units import display
from otterflow.repository import Experiment, Trial
from otterflow.tuner import incumbent, suggest


@dataclass(frozen=True)
class Recommendation:
    """The next configuration, why, and what the constraints between knobs changed in it."""

    kind: str
    configuration: dict[str, Any]
    repairs: list[Repair]
    reasons: dict[str, Any]
    table: str


def recommendation(experiment: Experiment, plan: Plan, trials: Sequence[Trial], iteration: int) -> Recommendation:
    """What iteration `iteration` is to measure."""
    if loop.reference_due(plan.spec, iteration):
        return _reference(experiment, plan, trials, iteration)
    space = KnobSpace.from_records(experiment.space)
    live = loop.live_settings_of(experiment)
    history = loop.history(experiment, trials, plan.objective)
    values = {name: setting.value for name, setting in live.items()}
    facts = HostFacts.from_dict(experiment.facts)
    wanted: dict[str, Any] = {}

    def within_constraints(config: Mapping[str, Any]) -> dict[str, Any]:
        repaired, _ = repair(config, values, facts, space=space)
        wanted[_key(repaired)] = dict(config)
        return repaired

    suggestion = suggest(
        space,
        history,
        seed=plan.spec.seed,
        rules=experiment.rules,
        budget=plan.spec.iterations,
        repair=within_constraints,
    )
    repaired = dict(suggestion)
    _, repairs = repair(wanted.get(_key(repaired), repaired), values, facts, space=space)
    reasons = dict(suggestion.reasons)
    for key in ("predicted_mean", "predicted_std", "crash_probability"):
        number = getattr(suggestion, key)
        if number is not None:
            reasons[key] = round(float(number), 6)
    against = best_configuration(experiment, plan, trials)
    return Recommendation(suggestion.kind, repaired, repairs, reasons, _table(repaired, against, live))


def _key(config: Mapping[str, Any]) -> str:
    return repr(sorted(config.items()))


def best_configuration(experiment: Experiment, plan: Plan, trials: Sequence[Trial]) -> dict[str, Any]:
    """The incumbent: the best by the model's mean; the baseline as long as nothing has been measured."""
    space = KnobSpace.from_records(experiment.space)
    history = loop.history(experiment, trials, plan.objective)
    if not any(t.state == "ok" for t in history):
        return dict(experiment.baseline or {})
    return dict(incumbent(space, history, seed=plan.spec.seed).config)


def arms(experiment: Experiment, plan: Plan, trials: Sequence[Trial]) -> dict[str, dict[str, Any]]:
    """The final comparison's configurations by name: baseline, rules (unless their trial failed) and best."""
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


def _table(config: Mapping[str, Any], against: Mapping[str, Any], live: Mapping[str, LiveSetting]) -> str:
    changed = [name for name in config if config[name] != against.get(name)]
    rows = [(n, display(against[n], live[n]) if n in against else "", display(config[n], live[n])) for n in changed]
    if not rows:
        return "the incumbent, unchanged"
    width = max(len(name) for name, _, _ in rows)
    return "\n".join(f"  {name:{width}}  {old:>14} -> {new}" for name, old, new in rows)
