"""The probability that a configuration keeps the constraints on its other results, learned from their slack.

A slack (above 0: the constraint holds) is a smooth number where "holds" is a mere yes or no, so the process models the
slack, one for each constraint, and the probability is that of a slack above 0 (Gardner et al. 2014; Gelbart, Snoek and
Adams 2014). The constraints count as independent: the probabilities are multiplied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from otterflow.tuner.encoding import Array
from otterflow.tuner.history import History
from otterflow.tuner.surrogate import Ensemble, fit_ensemble

_MEMBERS = 6
_LEAST_SPREAD = 1e-6
"""A slack that varies by less than this over all trials is the same for all configurations."""


@dataclass(frozen=True)
class SlackModel:
    """One constraint's slack; without a process it holds with the same probability everywhere."""

    process: Ensemble | None
    centre: float
    spread: float

    def probability(self, features: Array) -> Array:
        """Chance that the constraint holds at features (m, columns), as (m,)."""
        if self.process is None:
            return np.full(len(features), 1.0 if self.centre >= 0 else 0.5)
        moments = [member.predict(features) for member in self.process.members]
        return np.asarray(np.mean([ndtr((self.centre + self.spread * m) / (self.spread * s)) for m, s in moments], 0))


@dataclass(frozen=True)
class Feasibility:
    """All constraints together."""

    models: Sequence[SlackModel]

    def probability(self, features: Array) -> Array:
        """Chance that all constraints hold at features (m, columns), as (m,)."""
        chance = np.ones(len(features))
        for model in self.models:
            chance = chance * model.probability(features)
        return chance


def fit_feasibility(history: History, rng: np.random.Generator) -> Feasibility:
    """Learn each constraint's slack from the configurations that were measured."""
    known = np.isfinite(history.slacks).all(axis=1) & history.ok
    features, repeats = history.features[known], history.repeats[known]
    models = []
    for slack in history.slacks[known].T:
        centre, spread = (float(slack.mean()), float(slack.std())) if len(slack) else (-np.inf, 0.0)
        process = None
        if spread > _LEAST_SPREAD:
            targets = (slack - centre) / spread
            process = fit_ensemble(features, history.encoder.knob_of_column, targets, repeats, rng, _MEMBERS)
        models.append(SlackModel(process, centre, spread))
    return Feasibility(models)
