"""What is lost on the way from one configuration to others, as the sums of `additive.py` believe it.

For knobs that go back to the baseline: forty trials of sixty knobs tell little of how good a configuration is, and much
of what a few knobs' moves between two known values are worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr
from threadpoolctl import threadpool_limits

from otterflow.knobs.space import Config, KnobSpace
from otterflow.tuner.additive import AdditiveProcesses, fit_additive
from otterflow.tuner.encoding import Array, Encoder
from otterflow.tuner.history import pool
from otterflow.tuner.model import told_of
from otterflow.tuner.trial import Trial, check_trials

WIDTHS = 1.645
"""Standard deviations to both sides of a mean that hold 90 %."""


@dataclass(frozen=True)
class Lost:
    """What is believed to be lost to each of some configurations, on the scale of the trials' values."""

    means: Array
    """By each draw of the model (draws, configurations)."""
    stds: Array

    @property
    def mean(self) -> Array:
        """Of each configuration, over the draws (configurations,)."""
        return np.asarray(self.means.mean(axis=0))

    @property
    def std(self) -> Array:
        """Of each configuration: what the draws doubt, and what they differ in (configurations,)."""
        return np.asarray(np.sqrt((self.stds**2 + (self.means - self.mean) ** 2).mean(axis=0)))

    def probability_below(self, limit: float) -> Array:
        """That less than `limit` is lost (configurations,)."""
        return np.asarray(ndtr((limit - self.means) / self.stds).mean(axis=0))


@dataclass(frozen=True)
class Losses:
    """A model of the trials, asked for what is lost from the configuration `start`."""

    encoder: Encoder
    process: AdditiveProcesses
    start: Config
    spread: float
    noise: float
    """Standard deviation of one measurement, on the scale of the trials' values."""

    def to(self, configs: Sequence[Config]) -> Lost:
        """What is lost to each of `configs`."""
        features = self.encoder.features(self.encoder.genotypes([self.start, *configs]))
        means, stds = self.process.above(features[0], features[1:])
        return Lost(self.spread * means, self.spread * stds)


def fit_losses(space: KnobSpace, trials: Sequence[Trial], start: Config, *, seed: int = 0) -> Losses:
    """Fit the sums to the trials, of which one at least must have been measured.

    The same arguments give the same answer. Raises InvalidInput for trials that cannot be learned from.
    """
    check_trials(space, trials)
    history = pool(space, trials).telling()
    told = told_of(history)
    with threadpool_limits(1):
        process = fit_additive(*told.data, np.random.default_rng([seed, len(trials), 3]))
    noise = told.spread * float(np.sqrt(process.noises.mean()))
    return Losses(history.encoder, process, dict(start), told.spread, noise)
