"""The options of a suggestion, checked together: which algorithm, how daring, what is being measured just now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.space import Config, KnobSpace, Value
from otterflow.tuner.past import PastExperiment, past_problems
from otterflow.tuner.ranking import Ranking
from otterflow.tuner.trial import config_problems

Mode = Literal["explore", "safe"]
Repairer = Callable[[Config], Mapping[str, Value]]


@dataclass(frozen=True)
class Options:
    """See `suggest` for what each means."""

    seed: int = 0
    rules: Mapping[str, Value] | None = None
    mode: Mode = "explore"
    budget: int | None = None
    repair: Repairer | None = None
    algorithm: str = "default"
    pending: Sequence[Mapping[str, Value]] = ()
    past: Sequence[PastExperiment] = ()
    ranked: bool = False
    ranking: Ranking | None = None

    def repaired(self, config: Config) -> Config:
        """The configuration as the constraints between knobs leave it."""
        return config if self.repair is None else dict(self.repair(config))


def option_problems(space: KnobSpace, options: Options) -> list[Problem]:
    """What is wrong with the options, `algorithm` apart."""
    problems = [] if options.rules is None else config_problems("rules", space, options.rules)
    for i, config in enumerate(options.pending):
        problems += config_problems(f"pending[{i}]", space, config)
    for past in options.past:
        problems += past_problems(past)
    if options.mode not in get_args(Mode):
        problems.append(Problem("mode", f"{options.mode!r} is unknown", f"use one of {', '.join(get_args(Mode))}"))
    if options.budget is not None and options.budget < 1:
        found = f"{options.budget!r} is not a number of trials"
        problems.append(Problem("budget", found, "use 1 or more, or leave it out"))
    return problems


def check_batch(size: int) -> None:
    """Raise InvalidInput unless `size` is a number of configurations."""
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        advice = "ask for at least one configuration, as a whole number"
        raise InvalidInput(Problem("size", f"a batch of {size!r}", advice))
