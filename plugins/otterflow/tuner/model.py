"""Models of the objective, on the trials' own scale: Gaussian processes, a forest, and the mixture of both.

No single model wins on every DBMS: the process leads where effects are smooth, the forest where they are steps. The
mixture keeps both; its expected improvement is the weighted sum of its members'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from otterflow.tuner.acquisition import expected_improvement
from otterflow.tuner.encoding import Array
from otterflow.tuner.forest import fit_forest
from otterflow.tuner.history import History
from otterflow.tuner.surrogate import fit_ensemble

FOREST_WEIGHT = 0.3
"""The forest's share of the mixture."""


class Member(Protocol):
    """What a mixture is of."""

    def predict(self, features: Array) -> tuple[Array, Array]:
        """Mean and standard deviation at features (m, columns), standardised: two arrays (m,)."""


@dataclass(frozen=True)
class Model:
    """Fitted to the distinct configurations that were measured (`history.ok`)."""

    members: Sequence[Member]
    weights: Array
    """(members,), their sum is 1."""
    centre: float
    spread: float
    """Mean and standard deviation of the measurements; the members work on (value - centre) / spread."""
    tried_means: Array
    """The whole mixture's standardised mean at the measured configurations."""

    @property
    def best(self) -> float:
        """The incumbent's standardised mean."""
        return float(self.tried_means.max())

    def standardised(self, features: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the mixture at features (m, columns), standardised."""
        return _moments(self.members, self.weights, features)

    def predict(self, features: Array) -> tuple[Array, Array]:
        """Mean and standard deviation at features (m, columns), on the scale of the trials' values."""
        mean, std = self.standardised(features)
        return self.centre + self.spread * mean, self.spread * std

    def expected_improvement(self, features: Array) -> Array:
        """Expected improvement over the incumbent's mean at features (m, columns), standardised."""
        return np.asarray(
            self.weights @ [expected_improvement(*member.predict(features), self.best) for member in self.members]
        )


def fit_model(history: History, rng: np.random.Generator) -> Model:
    """The mixture, fitted to a history with at least one measured configuration."""
    ok = history.ok
    values: Array = history.means[ok]
    features: Array = history.features[ok]
    repeats = history.repeats[ok]
    centre, spread = float(values.mean()), float(values.std()) or 1.0
    targets: Array = (values - centre) / spread
    processes = fit_ensemble(features, history.encoder.knob_of_column, targets, repeats, rng).members
    members: list[Member] = [*processes, fit_forest(features, targets, repeats, int(rng.integers(2**31)))]
    weights = np.append(np.full(len(processes), (1.0 - FOREST_WEIGHT) / len(processes)), FOREST_WEIGHT)
    return Model(members, weights, centre, spread, _moments(members, weights, features)[0])


def fit_processes(history: History, rng: np.random.Generator) -> Model:
    """The mixture with nothing but the Gaussian processes to judge candidates; the incumbent stays the mixture's."""
    model = fit_model(history, rng)
    return _judged_by(model, np.append(model.weights[:-1], 0.0))


def fit_trees(history: History, rng: np.random.Generator) -> Model:
    """The mixture with nothing but the forest to judge candidates; the incumbent stays the mixture's."""
    model = fit_model(history, rng)
    return _judged_by(model, np.append(np.zeros(len(model.weights) - 1), 1.0))


def _judged_by(model: Model, weights: Array) -> Model:
    heard = weights > 0.0
    members = [member for member, h in zip(model.members, heard, strict=True) if h]
    return replace(model, members=members, weights=weights[heard] / weights.sum())


def _moments(members: Sequence[Member], weights: Array, features: Array) -> tuple[Array, Array]:
    moments = [member.predict(features) for member in members]
    means, variances = np.array([m for m, _ in moments]), np.array([s**2 for _, s in moments])
    mean = weights @ means
    return mean, np.sqrt(weights @ (variances + (means - mean) ** 2))
