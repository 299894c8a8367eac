"""What the tuner is told and what it answers: a trial, a suggestion, and the checks on both sides of the border.

A `Trial` is one measured configuration. Its value is on any scale on which larger is better; the tuner standardises.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.space import Config, Knob, KnobSpace, Value

OK = "ok"
CRASHED = "crashed"
FAULTS = (CRASHED, "failed", "timed_out")
"""States that are the configuration's doing: they teach the crash model."""
IGNORED = ("not_applied",)
"""States that say nothing of the configuration: it never was in force."""
STATES = (OK, *FAULTS, *IGNORED)

Kind = Literal["baseline", "rules", "design", "model"]


@dataclass(frozen=True)
class Trial:
    """One configuration and what came of it.

    `value` is the objective, larger is better, and None unless `state` is "ok". `state` is one of `STATES`. `slacks`
    say of each constraint by how much it held (0 and above) or was broken (below 0); every ok trial has as many.
    """

    config: Config
    value: float | None
    state: str = OK
    slacks: tuple[float, ...] = ()


class Suggestion(dict[str, Value]):
    """The next configuration (a dictionary of plain values), with what the tuner expects of it.

    `kind` says which stage produced it. `predicted_mean` and `predicted_std` are on the scale of the trials' values
    and None before there is a model. `crash_probability` is in [0, 1], and so is `feasible_probability`, that all
    constraints hold, which is None without constraints. `reasons` is plain JSON.
    """

    def __init__(
        self,
        config: Mapping[str, Value],
        *,
        kind: Kind,
        predicted_mean: float | None = None,
        predicted_std: float | None = None,
        crash_probability: float | None = None,
        feasible_probability: float | None = None,
        reasons: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(config)
        self.kind: Kind = kind
        self.predicted_mean = predicted_mean
        self.predicted_std = predicted_std
        self.crash_probability = crash_probability
        self.feasible_probability = feasible_probability
        self.reasons = reasons or {}


def check_trials(space: KnobSpace, trials: Sequence[Trial]) -> None:
    """Raise InvalidInput that lists every trial the tuner cannot learn from, by its position and field.

    A number outside the knob's range is allowed: a trial records what was in force, and the range may have been
    narrowed since.
    """
    problems: list[Problem] = []
    width = next((len(t.slacks) for t in trials if t.state == OK), 0)
    for i, trial in enumerate(trials):
        problems += _value_problems(f"trials[{i}]", trial)
        problems += _slack_problems(f"trials[{i}].slacks", trial, width)
        problems += config_problems(f"trials[{i}].config", space, trial.config)
    if problems:
        raise InvalidInput(problems)


def _value_problems(where: str, trial: Trial) -> list[Problem]:
    if trial.state not in STATES:
        return [Problem(f"{where}.state", f"{trial.state!r} is unknown", f"use one of {', '.join(STATES)}")]
    if trial.state == OK and not _is_finite(trial.value):
        return [Problem(f"{where}.value", f"{trial.value!r} is not a finite number", "give the measured objective")]
    return []


def _slack_problems(where: str, trial: Trial, width: int) -> list[Problem]:
    if trial.state == OK and len(trial.slacks) != width:
        found = f"{len(trial.slacks)} of them, the first ok trial has {width}"
        return [Problem(where, found, "give one for each constraint")]
    bad = [slack for slack in trial.slacks if not _is_finite(slack)]
    return [Problem(where, f"{slack!r} is not a finite number", "give -1 where it is not known") for slack in bad]


def config_problems(where: str, space: KnobSpace, config: Mapping[str, object]) -> list[Problem]:
    """What is wrong with a configuration of `space`: knobs unknown or missing, values of the wrong type."""
    problems = [
        Problem(f"{where}.{name}", "the knob is not in the space", "leave it out, or add it to the space")
        for name in sorted(set(config) - set(space.names))
    ]
    for knob in space:
        if knob.name not in config:
            problems.append(Problem(f"{where}.{knob.name}", "has no value", "give each knob of the space a value"))
        elif not _fits(knob, config[knob.name]):
            found = f"{config[knob.name]!r} is not a value of the knob"
            allowed = "a finite number" if knob.is_numeric else f"one of {', '.join(map(repr, knob.values))}"
            problems.append(Problem(f"{where}.{knob.name}", found, f"use {allowed}"))
    return problems


def _fits(knob: Knob, value: object) -> bool:
    return _is_finite(value) if knob.is_numeric else knob.problem_with(value) is None


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
