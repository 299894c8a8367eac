"""A configuration of an experiment by what a person calls it: the best, the rules', an arm's or a trial's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from otterflow.errors import InvalidInput, Problem
from otterflow.experiment import arms as given
from otterflow.experiment.comparison import BASELINE, BEST, RULES
from otterflow.experiment.typed import live_settings_of, spec_of

if TYPE_CHECKING:
    from otterflow.experiment.plan import Plan
    from otterflow.repository import Experiment, Trial

FIELD = "configuration"


@dataclass(frozen=True)
class Chosen:
    """A configuration, what it is called, and the trial that it was first tried in, if it was."""

    name: str
    values: dict[str, Any]
    trial: Trial | None


def chosen(experiment: Experiment, plan: Plan, trials: Sequence[Trial], name: str) -> Chosen:
    """The configuration called `best`, `rules`, as an arm of the form, or by an iteration's number.

    `best` is what the experiment's outcome says: the winner or, where nothing won, what the search thought best. Raises
    InvalidInput that names what there is.
    """
    if name.isascii() and name.isdigit():
        return _of_trial(trials, int(name))
    found = _named(experiment, plan, trials)
    if name not in found:
        there = ", ".join([*found, "or a trial's number"] if found else ["a trial's number"])
        raise InvalidInput(Problem(FIELD, f"experiment {experiment.name!r} has no {name!r}", f"use {there}"))
    values = found[name]
    tried = next((t for t in trials if t.state == "ok" and (t.in_force or t.wanted) == values), None)
    return Chosen(name, values, tried)


def _of_trial(trials: Sequence[Trial], iteration: int) -> Chosen:
    trial = next((t for t in trials if t.iteration == iteration), None)
    if trial is None:
        advice = f"there are {len(trials)}, from 0"
        raise InvalidInput(Problem(FIELD, f"there is no trial {iteration}", advice))
    return Chosen(f"trial {iteration}", dict(trial.in_force or trial.wanted), trial)


def _named(experiment: Experiment, plan: Plan, trials: Sequence[Trial]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    best = (experiment.outcome or {}).get("best_configuration")  # an imported result has none
    if best is not None:
        found[BEST] = dict(best)
    if experiment.rules:
        found[RULES] = next((dict(t.in_force or t.wanted) for t in trials if t.kind == "rules"), dict(experiment.rules))
    if arms := spec_of(experiment).arms:
        found |= _given(experiment, plan, arms)
    return found


def _given(experiment: Experiment, plan: Plan, arms: given.Arms) -> dict[str, dict[str, Any]]:
    live = live_settings_of(experiment)
    all_arms = given.configurations(arms, experiment.baseline or {}, live, plan.dbms.spelling)
    return {name: values for name, values in all_arms.items() if name != BASELINE}


def differing(values: Mapping[str, Any], experiment: Experiment) -> dict[str, tuple[Any, Any]]:
    """Knob to the value before the experiment and the configuration's, of those where they differ."""
    live, baseline = live_settings_of(experiment), experiment.baseline or {}
    pairs = {name: (baseline.get(name, live[name].value), value) for name, value in values.items() if name in live}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
