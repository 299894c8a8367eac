"""The model of the objective: the Gaussian processes and the forest together, on the trials' own scale.

No single model wins on every DBMS: the process leads where effects are smooth, the forest where they are steps. The
mixture keeps both; its expected improvement is the weighted sum of theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from otterflow.tuner.acquisition import expected_improvement
from otterflow.tuner.encoding import Array
from otterflow.tuner.forest import Forest, fit_forest
from otterflow.tuner.history import History
from otterflow.tuner.surrogate import Ensemble, GaussianProcess, fit_ensemble

FOREST_WEIGHT = 0.3


@dataclass(frozen=True)
class Model:
    """Fitted to the distinct configurations that were measured (`history.ok`)."""

    process: Ensemble
    forest: Forest
    centre: float
    spread: float
    """Mean and standard deviation of the measurements; the models work on (value - centre) / spread."""
    tried_means: Array
    """The mixture's standardised mean at the measured configurations."""

    @property
    def best(self) -> float:
        """The incumbent's standardised mean."""
        return float(self.tried_means.max())

    def standardised(self, features: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the mixture at features (m, columns), standardised."""
        return _moments(self.process, self.forest, features)

    def predict(self, features: Array) -> tuple[Array, Array]:
        """Mean and standard deviation at features (m, columns), on the scale of the trials' values."""
        mean, std = self.standardised(features)
        return self.centre + self.spread * mean, self.spread * std

    def expected_improvement(self, features: Array) -> Array:
        """Expected improvement over the incumbent's mean at features (m, columns), standardised."""
        by_process = [expected_improvement(*m.predict(features), self.best) for m in self.process.members]
        by_forest = expected_improvement(*self.forest.predict(features), self.best)
        return np.asarray((1.0 - FOREST_WEIGHT) * np.mean(by_process, axis=0) + FOREST_WEIGHT * by_forest)


def fit_model(history: History, rng: np.random.Generator) -> Model:
    """Fit to a history with at least one measured configuration."""
    ok = history.ok
    values: Array = history.means[ok]
    features: Array = history.features[ok]
    repeats = history.repeats[ok]
    centre, spread = float(values.mean()), float(values.std()) or 1.0
    targets: Array = (values - centre) / spread
    process = fit_ensemble(features, history.encoder.knob_of_column, targets, repeats, rng)
    forest = fit_forest(features, targets, repeats, int(rng.integers(2**31)))
    return Model(process, forest, centre, spread, _moments(process, forest, features)[0])


def _moments(process: Ensemble, forest: Forest, features: Array) -> tuple[Array, Array]:
    models: list[GaussianProcess | Forest] = [*process.members, forest]
    weights = np.append(np.full(len(models) - 1, (1.0 - FOREST_WEIGHT) / (len(models) - 1)), FOREST_WEIGHT)
    moments = [model.predict(features) for model in models]
    means, variances = np.array([m for m, _ in moments]), np.array([s**2 for _, s in moments])
    mean = weights @ means
    return mean, np.sqrt(weights @ (variances + (means - mean) ** 2))
