"""The probability that a configuration crashes the server, learned from the trials that did.

A crash is a label (+1, a survivor -1) and never a made-up value of the objective, so it cannot bend that model. The
labels get Gaussian processes of their own, with relevances of their own: the knobs that crash a server (two memory
knobs, say) are not those that make it fast. The chance is that of the latent value being above the middle, probit
fashion (Rasmussen and Williams 2006, section 6.5). Far from all trials it is the crash rate seen so far.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from otterflow.tuner.encoding import Array
from otterflow.tuner.history import History
from otterflow.tuner.relevance import Prior
from otterflow.tuner.surrogate import Ensemble, fit_ensemble

_MEMBERS = 4
_NOISE: Prior = (np.log(1e-3), 0.5)
"""Of the labels: a crash is no accident of the measurement, so something about the configuration must explain it."""
_BLUR = 0.4
"""Variance added to the latent value: the edge of what a server survives is not sharp."""


@dataclass(frozen=True)
class CrashModel:
    """The chance of a crash. Without both crashes and survivors it is the same everywhere: `rate`."""

    process: Ensemble | None
    centre: float
    spread: float
    rate: float

    def probability(self, features: Array) -> Array:
        """Chance of a crash at features (m, columns), as (m,)."""
        return np.asarray(np.mean(self._chances(features), axis=0))

    def at_worst(self, features: Array) -> Array:
        """The chance (m,) by the draw that fears most. For a search, which finds where a model is wrong."""
        return np.asarray(np.max(self._chances(features), axis=0))

    def _chances(self, features: Array) -> Array:
        """By each draw (draws, m)."""
        if self.process is None:
            return np.full((1, len(features)), self.rate)
        moments = [member.predict(features) for member in self.process.members]
        return np.array(
            [
                ndtr((self.centre + self.spread * mean) / np.sqrt((self.spread * std) ** 2 + _BLUR))
                for mean, std in moments
            ]
        )


def fit_crashes(history: History, rng: np.random.Generator) -> CrashModel:
    """Learn from all configurations tried; one that ever crashed, failed or timed out counts as crashed."""
    crashed = history.faults > 0
    rate = float((crashed.sum() + 0.5) / (len(crashed) + 5.0))
    if not crashed.any() or crashed.all():
        return CrashModel(None, 0.0, 1.0, rate)
    labels = np.where(crashed, 1.0, -1.0)
    centre, spread = float(labels.mean()), float(labels.std())
    targets = (labels - centre) / spread
    groups, once = history.encoder.knob_of_column, np.ones(len(labels))
    process = fit_ensemble(history.features, groups, targets, once, rng, _MEMBERS, _NOISE)
    return CrashModel(process, centre, spread, rate)
