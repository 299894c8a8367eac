"""Models of the objective, on the trials' own scale: Gaussian processes, a forest, and the mixture of both.

No single model wins on every DBMS: the process leads where effects are smooth, the forest where they are steps. The
mixture keeps both; its expected improvement is the weighted sum of its members'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from otterflow.tuner.acquisition import expected_improvement
from otterflow.tuner.additive import fit_additive
from otterflow.tuner.encoding import Array
from otterflow.tuner.forest import fit_forest
from otterflow.tuner.history import History
from otterflow.tuner.relevance import SCALED
from otterflow.tuner.surrogate import MEMBERS, Groups, fit_ensemble, most_probable_process

FOREST_WEIGHT = 0.3
"""The forest's share of the mixture."""


class Member(Protocol):
    """What a mixture is of: a model, or several of a kind."""

    def predict(self, features: Array) -> tuple[Array, Array]:
        """Mean and standard deviation at features (m, columns), standardised: two arrays (m,) or (models, m)."""


@dataclass(frozen=True)
class Model:
    """Fitted to the distinct configurations that were measured (`history.ok`)."""

    members: Sequence[Member]
    weights: Array
    """Of each model of each member, in that order; their sum is 1."""
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
        return np.asarray(self.weights @ expected_improvement(*_each(self.members, features), self.best))


def fit_model(history: History, rng: np.random.Generator) -> Model:
    """The mixture, fitted to a history with at least one measured configuration; any number of knobs may matter."""
    told = told_of(history)
    return _with_forest(fit_ensemble(*told.data, rng, relevances=SCALED).members, told, rng)


def fit_sums(history: History, rng: np.random.Generator) -> Model:
    """The same, of processes that believe in a sum of functions of one knob each, of which few matter."""
    told = told_of(history)
    return _with_forest([fit_additive(*told.data, rng)], told, rng)


def fit_sharp(history: History, rng: np.random.Generator) -> Model:
    """The one most probable process alone: surer of itself than it should be, and so the one that dares most."""
    told = told_of(history)
    return _model([most_probable_process(*told.data, rng, SCALED)], np.ones(1), told)


@dataclass(frozen=True)
class Told:
    """A history as the processes are told it, and the scale of its values."""

    data: tuple[Array, Groups, Array, Array]
    """Features (n, columns), the knob of each column, standardised targets (n,), repeats (n,)."""
    centre: float
    spread: float


def told_of(history: History) -> Told:
    """What the processes are told of a history with at least one measured configuration."""
    ok = history.ok
    values: Array = history.means[ok]
    centre, spread = float(values.mean()), float(values.std()) or 1.0
    groups = history.encoder.knob_of_column
    return Told((history.features[ok], groups, (values - centre) / spread, history.repeats[ok]), centre, spread)


def _with_forest(processes: Sequence[Member], told: Told, rng: np.random.Generator) -> Model:
    features, _, targets, repeats = told.data
    members: list[Member] = [*processes, fit_forest(features, targets, repeats, int(rng.integers(2**31)))]
    weights = np.append(np.full(MEMBERS, (1.0 - FOREST_WEIGHT) / MEMBERS), FOREST_WEIGHT)
    return _model(members, weights, told)


def _model(members: Sequence[Member], weights: Array, told: Told) -> Model:
    return Model(members, weights, told.centre, told.spread, _moments(members, weights, told.data[0])[0])


def _moments(members: Sequence[Member], weights: Array, features: Array) -> tuple[Array, Array]:
    means, stds = _each(members, features)
    mean = weights @ means
    return mean, np.sqrt(weights @ (stds**2 + (means - mean) ** 2))


def _each(members: Sequence[Member], features: Array) -> tuple[Array, Array]:
    """Mean and standard deviation by each model of each member: two arrays (models, m)."""
    moments = [member.predict(features) for member in members]
    return np.vstack([mean for mean, _ in moments]), np.vstack([std for _, std in moments])
