"""Processes that are sums of functions of one knob each: what one knob's values are worth, whatever the others are.

The prior of the knobs' variances is the sparse one of `relevance.py`: most give nothing, a few much. As with the other
processes the hyperparameters are drawn, not fixed. A sum knows no interactions: the forest beside it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from otterflow.tuner.encoding import Array
from otterflow.tuner.kernels import LENGTH, Sum, matern, squared_distances
from otterflow.tuner.relevance import Sparse
from otterflow.tuner.surrogate import MEMBERS, NOISE, Conditioned, Groups, conditioned, evidence

_GIVEN = 0.5
"""What all knobs together give of the targets' variance, at the prior's centre."""
_AT_ONCE = 2_000_000
"""Covariances (knobs, rows, trials) that a prediction holds in memory at a time."""


@dataclass(frozen=True)
class AdditiveProcesses:
    """Sums of processes, one for each draw of their variances. `predict` is in the units of their targets."""

    variances: Array
    """Of each knob's function (draws, knobs)."""
    features: Array
    """Of the trials (n, columns)."""
    groups: Groups
    """The knob of each column."""
    conditioned: Sequence[Conditioned]
    """One a draw."""
    noises: Array
    """Variance of one measurement (draws,)."""

    def predict(self, features: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the noise-free value at features (m, columns): two arrays (draws, m)."""
        rows = max(1, _AT_ONCE // (self.variances.shape[1] * len(self.features)))
        parts = [self._predicted(features[i : i + rows]) for i in range(0, max(1, len(features)), rows)]
        return np.hstack([mean for mean, _ in parts]), np.hstack([std for _, std in parts])

    def above(self, one: Array, others: Array) -> tuple[Array, Array]:
        """By how much the value at `one` (columns,) is above that at `others` (m, columns): as `predict`.

        Of a difference far more is known than of the values: what the two have in common drops out.
        """
        shapes = _shapes(others, self.features, self.groups)
        cross = np.tensordot(self.variances, _shapes(one[None], self.features, self.groups) - shapes, 1)
        own = 2.0 * self.variances @ (1.0 - _shapes(one[None], others, self.groups)[:, 0])
        moments = [c.predict(k, v) for c, k, v in zip(self.conditioned, cross, own, strict=True)]
        means = [mean - c.mean for c, (mean, _) in zip(self.conditioned, moments, strict=True)]
        return np.array(means), np.array([std for _, std in moments])

    def _predicted(self, features: Array) -> tuple[Array, Array]:
        cross = np.tensordot(self.variances, _shapes(features, self.features, self.groups), 1)
        own = self.variances.sum(axis=1)
        moments = [c.predict(k, float(v)) for c, k, v in zip(self.conditioned, cross, own, strict=True)]
        return np.array([mean for mean, _ in moments]), np.array([std for _, std in moments])


def fit_additive(
    features: Array, groups: Groups, targets: Array, repeats: Array, rng: np.random.Generator, draws: int = MEMBERS
) -> AdditiveProcesses:
    """Draw the variances `draws` times from their posterior; the other arguments as `surrogate.fit_ensemble`'s."""
    knobs = int(groups.max()) + 1
    prior = Sparse((float(np.log(_GIVEN / knobs)), 1.0))
    thetas = evidence(Sum.of, features, groups, targets, repeats, NOISE, prior).draws(rng, draws)
    variances, noises = np.exp(thetas[:, :knobs]), np.exp(thetas[:, knobs])
    covariances = np.tensordot(variances, _shapes(features, features, groups), 1)
    told = [conditioned(k, noise / repeats, targets) for k, noise in zip(covariances, noises, strict=True)]
    return AdditiveProcesses(variances, features, groups, told, noises)


def _shapes(a: Array, b: Array, groups: Groups) -> Array:
    """Matern over the distance in each knob of features a (m, columns) from b (n, columns): (knobs, m, n).

    Candidates are moved copies of few trials, so that a knob has few values among them: each is worked out once.
    """
    shapes = np.empty((int(groups.max()) + 1, len(a), len(b)))
    for knob in range(len(shapes)):
        own = groups == knob
        values, which = np.unique(a[:, own], axis=0, return_inverse=True)
        shapes[knob] = matern(squared_distances(values, b[:, own]) / LENGTH**2)[which.reshape(-1)]
    return shapes
