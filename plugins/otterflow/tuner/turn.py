"""What is known when it is the tuner's turn: the trials, what is being measured just now, and the options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np

from otterflow.knobs.space import KnobSpace
from otterflow.tuner.crashes import CrashModel, fit_crashes
from otterflow.tuner.encoding import Array, Encoder
from otterflow.tuner.feasibility import Feasibility, fit_feasibility
from otterflow.tuner.history import History, pool
from otterflow.tuner.options import Options
from otterflow.tuner.past import fit_past
from otterflow.tuner.transfer import Chorus, Voice, weigh
from otterflow.tuner.trial import CRASHED, Trial

PENDING = "pending"
"""The state of a configuration that is being measured: neither ok nor a fault, but not to be suggested again."""
MOST_PAST = 8
"""Past experiments that have a say; those named first."""


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

    @cached_property
    def feared(self) -> CrashModel:
        """The same, learned from what crashed in the past experiments that count too."""
        return self.crashes if self._survival is None else fit_crashes(self._survival, self.rng)

    @cached_property
    def crashed(self) -> bool:
        """Whether a configuration has crashed this server, or one that is alike."""
        return self._survival is not None or any(t.state == CRASHED for t in self.trials)

    @cached_property
    def _survival(self) -> History | None:
        return self.chorus.with_crashes(self.measured, self.space.baseline()) if self.voices else None

    @cached_property
    def voices(self) -> list[Voice]:
        """The models of the past experiments that there are models of, asked in this space; the first few only."""
        models = (model for past in self.options.past if (model := fit_past(past)) is not None)
        return [Voice.of(model, self.encoder) for model in islice(models, MOST_PAST)]

    @cached_property
    def chorus(self) -> Chorus:
        """The past experiments with what each counts, by how it ranks the trials that have ended."""
        rng = np.random.default_rng([self.options.seed, self.number, 1])
        return weigh(self.measured.telling(), self.voices, rng)

    @cached_property
    def feasibility(self) -> Feasibility:
        """The chance that a configuration keeps the constraints, learned from the trials that have ended."""
        return fit_feasibility(self.measured.telling(), self.rng)

    def feasible_probability(self, genotype: Array) -> float | None:
        """The chance that one configuration (knobs,) keeps all constraints; None where there are none."""
        if not self.measured.slacks.shape[1]:
            return None
        return float(self.feasibility.probability(self.encoder.features(genotype[None]))[0])

    def crash_probability(self, genotype: Array) -> float:
        """The chance that one configuration (knobs,) crashes."""
        return float(self.feared.probability(self.encoder.features(genotype[None]))[0])
