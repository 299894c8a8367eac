"""The tuners under comparison, each behind the same two calls: made for a problem's knobs, then asked trial by trial.

`suggest(trials)` gets the history so far, oldest first: (configuration, observed value or None for a crash). Trial 0 is
always the default. A library is imported only when its method is asked for, so each runs where its library is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from tests.bench.tuner.knob import Config, Knob, random_config
from tests.bench.tuner.peers import Optuna, Smac

Told = Sequence[tuple[Config, float | None]]


class Method(Protocol):
    """A tuner."""

    def suggest(self, trials: Told) -> Config:
        """The configuration to try next."""
        ...


class Random:
    """Anywhere in the space, every time."""

    def __init__(self, knobs: Sequence[Knob], seed: int) -> None:
        self.knobs, self.rng = knobs, np.random.default_rng(seed)

    def suggest(self, trials: Told) -> Config:
        return random_config(self.knobs, self.rng)


class Otterflow:
    """This project's tuner, through its public calls."""

    def __init__(self, knobs: Sequence[Knob], seed: int, **options: Any) -> None:
        from otterflow.knobs.space import KnobSpace

        self.space = KnobSpace.from_records([k.record() for k in knobs])
        self.seed, self.options = seed, options

    def suggest(self, trials: Told) -> Config:
        from otterflow.tuner import suggest

        return dict(suggest(self.space, self._history(trials), seed=self.seed, **self.options))

    def incumbent(self, trials: Told) -> tuple[Config, float]:
        """The best configuration by the model's mean, and that mean."""
        from otterflow.tuner import incumbent

        best = incumbent(self.space, self._history(trials), seed=self.seed)
        return dict(best.config), best.mean

    def _history(self, trials: Told) -> list[Any]:
        from otterflow.tuner import Trial

        return [Trial(config=c, value=v, state="crashed" if v is None else "ok") for c, v in trials]


METHODS: dict[str, Callable[[Sequence[Knob], int], Method]] = {
    "otterflow": Otterflow,
    "otterflow_safe": lambda knobs, seed: Otterflow(knobs, seed, mode="safe"),
    "random": Random,
    "optuna_tpe": lambda knobs, seed: Optuna(knobs, seed, "tpe"),
    "optuna_gp": lambda knobs, seed: Optuna(knobs, seed, "gp"),
    "smac": Smac,
}
