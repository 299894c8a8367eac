"""The ablation of an experiment: its question from the records, its next trial, and what came of it as the result says.

Imports the tuner, and so SciPy: import it inside a task only.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from otterflow.experiment import arms as given
from otterflow.experiment import loop
from otterflow.experiment.ablation import Ablation, Effect, GroupLoss, Question
from otterflow.experiment.comparison import BASELINE, BEST, REDUCED, RULES
from otterflow.experiment.plan import Plan
from otterflow.experiment.recommendation import (
    Recommendation,
    best_configuration,
    incumbent_of,
    within_constraints,
)
from otterflow.experiment.typed import live_settings_of, space_of
from otterflow.measures.scale import Scale
from otterflow.repository import Experiment, Trial
from otterflow.tuner.losses import WIDTHS
from otterflow.tuner.trial import config_problems

_NAMED = 6
"""So many knobs are named in a sentence."""


def arms(experiment: Experiment, plan: Plan, trials: Sequence[Trial]) -> dict[str, dict[str, Any]]:
    """The comparison's configurations by name: those given, or baseline, rules (unless their trial failed) and best.

    And reduced, where it is none of the others.
    """
    if plan.spec.arms:
        in_force = experiment.baseline or {}
        return given.configurations(plan.spec.arms, in_force, live_settings_of(experiment), plan.dbms.spelling)
    found = {BASELINE: dict(experiment.baseline or {})}
    ruled = next((t for t in trials if t.kind == "rules"), None)
    if ruled is not None and ruled.state == "ok":
        found[RULES] = dict(ruled.wanted)
    found[BEST] = best_configuration(experiment, plan, loop.split(trials)[0])
    asked = ablation_of(experiment, plan, trials)
    step = asked.reduced() if isinstance(asked, Ablation) and asked.question.made else None
    return found if step is None or step.config in found.values() else found | {REDUCED: dict(step.config)}


def ablation_of(experiment: Experiment, plan: Plan, trials: Sequence[Trial]) -> Ablation | str:
    """The ablation of the search's best configuration as it stands, or why there is none to be made."""
    searched, own = loop.split(trials)
    space, before = space_of(experiment), experiment.baseline or {}
    baseline = {name: before[name] for name in space.names if name in before}
    best = incumbent_of(experiment, plan, searched)
    if best is None or config_problems(BASELINE, space, baseline):
        return "the baseline is not known as a configuration of the tuned knobs"
    if not best.feasible:
        return "the best configuration breaks a constraint"
    if dict(best.config) == baseline:
        return "the best configuration is the baseline"
    told = loop.history_with_trials(experiment, trials, plan.goal)
    if any(dict(one.config) == dict(best.config) for trial, one in told if trial.kind == "rules"):
        return "the best configuration is the rules', and each of them has its reason"
    iterations = {trial.iteration for trial in own}
    return Ablation(
        Question(
            space=space,
            baseline=baseline,
            winner=dict(best.config),
            trials=[one for trial, one in told if trial.iteration not in iterations],
            made=[one for trial, one in told if trial.iteration in iterations],
            most=plan.spec.most_ablation(loop.iterations_of(trials)),
            mean=best.mean,
            limit=_scale(plan, trials).difference(plan.spec.matters, best.mean),
            seed=plan.spec.seed,
            repair=lambda config: within_constraints(experiment, plan, config)[0],
        )
    )


def next_ablation(experiment: Experiment, plan: Plan, trials: Sequence[Trial]) -> Recommendation | str:
    """The next trial that sends knobs home, or why none does."""
    asked = ablation_of(experiment, plan, trials)
    if isinstance(asked, str):
        return asked
    step = asked.next()
    if step is None:
        return f"no more of the {len(asked.changed)} changed knobs are likely to be missed little enough"
    home, changed = sorted(step.home), len(asked.changed)
    reasons: dict[str, Any] = {loop.SENT_HOME: home}
    if home:
        told = _Percent(_scale(plan, trials), asked.question.mean)
        reasons |= {
            "idea": f"ablation: {len(home)} of {changed} changed knobs go back to the baseline: {_some(home)}",
            "loss_percent": told.of(step.loss),
            "nothing_lost_probability": round(step.probability, 3),
        }
    else:
        reasons["idea"] = "ablation: the best of the search, measured again to compare with"
    config, repairs = within_constraints(experiment, plan, asked.sent(step.home))
    return Recommendation("ablation", config, repairs, reasons, _table(reasons))


def ablation_record(experiment: Experiment, plan: Plan, trials: Sequence[Trial]) -> dict[str, Any] | None:
    """What the ablation found, as `result.json` says it; None where it made no trial.

    `kept` and `dropped` have a row a changed knob, the ones worth most first: what its change is worth in per cent of
    the objective, `low` to `high` with 90 %. `tested` says that two measured configurations differ in this knob alone;
    else the figures are the model's of all trials, and `why` says in which groups it was measured.
    """
    own = loop.split(trials)[1]
    asked = ablation_of(experiment, plan, trials) if any(trial.state.ended for trial in own) else ""
    if isinstance(asked, str):
        return None
    told, step = _Percent(_scale(plan, trials), asked.question.mean), asked.reduced()
    rows = sorted(asked.effects(), key=lambda effect: -effect.loss)
    together = asked.measured_loss(frozenset(), step.home) if step else None
    return {
        "trials": sum(trial.state.ended for trial in own),
        "most_trials": plan.spec.most_ablation(loop.iterations_of(trials)),
        "changed": len(asked.changed),
        "left": len(asked.changed) - (len(step.home) if step else 0),
        "matters_percent": round(100 * plan.spec.matters, 2),
        "loss": None if together is None else told.figures(together.loss, together.std),
        "kept": [_row(told, effect) for effect in rows if not effect.is_home],
        "dropped": [_row(told, effect) for effect in rows if effect.is_home],
        "ended": str(own[-1].reasons.get(loop.NO_FURTHER) or ""),
    }


def _scale(plan: Plan, trials: Sequence[Trial]) -> Scale:
    return loop.scoring([t for t in trials if t.state.ended], plan.objective)[0]


@dataclass(frozen=True)
class _Percent:
    """Losses of score as what it is worth not to have them, in per cent of the objective."""

    scale: Scale
    mean: float
    """The winner's score."""

    def of(self, loss: float) -> float:
        """By how much the winner is better than what has lost so much."""
        return round(100 * self.scale.gain(self.mean, self.mean - loss), 2)

    def figures(self, loss: float, std: float) -> dict[str, float]:
        """The same with its 90 % interval."""
        low, high = loss - WIDTHS * std, loss + WIDTHS * std
        return {"percent": self.of(loss), "low": self.of(low), "high": self.of(high)}


def _row(told: _Percent, effect: Effect) -> dict[str, Any]:
    figures = told.figures(effect.loss, effect.std)
    return {"knob": effect.knob, **figures, "tested": effect.is_measured, "why": "; ".join(_why(told, effect))}


def _why(told: _Percent, effect: Effect) -> list[str]:
    """Why the knob was kept or sent home, by what was measured of it."""
    if effect.is_home:
        return ["nothing that matters is lost without it"]
    said = ["at home alone it is missed"] if effect.is_measured else []
    said += [f"{_others(group, effect.knob)} at home there was no value" for group in effect.fatal]
    said += [f"{_others(group.knobs, effect.knob)} at home {_lost(told, group)}" for group in effect.groups]
    return said or ["the model expects that it is missed, so it was not sent home"]


def _others(knobs: Collection[str], knob: str) -> str:
    others = sorted(set(knobs) - {knob})
    return f"with {_some(others)}" if others else "alone"


def _lost(told: _Percent, group: GroupLoss) -> str:
    figures = told.figures(group.loss, group.std)
    return f"{figures['percent']:+.1f} % were missed ({figures['low']:+.1f} to {figures['high']:+.1f})"


def _some(knobs: Sequence[str]) -> str:
    more = len(knobs) - _NAMED
    return ", ".join(knobs[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _table(reasons: Mapping[str, Any]) -> str:
    """For the log."""
    if "loss_percent" not in reasons:
        return f"  {reasons['idea']}"
    return (
        f"  {reasons['idea']}\n  expected to lose {reasons['loss_percent']:+.1f} %; nothing that matters with "
        f"probability {reasons['nothing_lost_probability']:.2f}"
    )
