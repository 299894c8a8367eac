"""What is known when it is the tuner's turn: the trials, what is being measured just now, and the options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from otterflow.knobs.space import KnobSpace
from otterflow.tuner.crashes import CrashModel, fit_crashes
from otterflow.tuner.encoding import Array, Encoder
from otterflow.tuner.history import History, pool
from otterflow.tuner.options import Options
from otterflow.tuner.trial import Trial

PENDING = "pending"
"""The state of a configuration that is being measured: neither ok nor a fault, but not to be suggested again."""


@dataclass(frozen=True)
class Turn:
    """One turn. `pending` are being measured: their value is what a model believes of them, or None."""

    space: KnobSpace
    trials: Sequence[Trial]
    pending: Sequence[Trial]
    options: Options

    @property
    def number(self) -> int:
        """How many trials were made or begun."""
        return len(self.trials) + len(self.pending)

    @cached_property
    def rng(self) -> np.random.Generator:
        """Chance for this turn: the same arguments give the same answer."""
        return np.random.default_rng([self.options.seed, self.number])

    @cached_property
    def measured(self) -> History:
        """What came of the trials that have ended."""
        return pool(self.space, self.trials)

    @cached_property
    def tried(self) -> History:
        """The same with what is pending, as `Trial.value` believes of it."""
        return pool(self.space, [*self.trials, *self.pending]) if self.pending else self.measured

    @property
    def encoder(self) -> Encoder:
        """The space's encoder."""
        return self.measured.encoder

    @cached_property
    def crashes(self) -> CrashModel:
        """The chance that a configuration crashes, learned from the trials that have ended."""
        return fit_crashes(self.measured.telling(), self.rng)

    def crash_probability(self, genotype: Array) -> float:
        """The chance that one configuration (knobs,) crashes."""
        return float(self.crashes.probability(self.encoder.features(genotype[None]))[0])
