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


@dataclass(frozen=True)
class AdditiveProcess:
    """A sum of processes with their variances given. `predict` is in the units of its targets."""

    variances: Array
    """Of each knob's function (knobs,)."""
    features: Array
    """Of the trials (n, columns)."""
    groups: Groups
    """The knob of each column."""
    conditioned: Conditioned

    def predict(self, features: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the noise-free value at features (m, columns): two arrays (m,)."""
        cross = _summed(self.variances, features, self.features, self.groups)
        return self.conditioned.predict(cross, float(self.variances.sum()))


def fit_additive(
    features: Array, groups: Groups, targets: Array, repeats: Array, rng: np.random.Generator, members: int = MEMBERS
) -> Sequence[AdditiveProcess]:
    """Draw `members` processes from the posterior of the variances; arguments as those of `surrogate.fit_ensemble`."""
    knobs = int(groups.max()) + 1
    prior = Sparse((float(np.log(_GIVEN / knobs)), 1.0))
    known = evidence(Sum.of, features, groups, targets, repeats, NOISE, prior)
    return [_process_at(theta[: knobs + 1], features, groups, targets, repeats) for theta in known.draws(rng, members)]


def _process_at(theta: Array, features: Array, groups: Groups, targets: Array, repeats: Array) -> AdditiveProcess:
    """The process with log variances and log noise `theta` (knobs + 1,), told the targets."""
    variances = np.exp(theta[:-1])
    covariance = _summed(variances, features, features, groups)
    return AdditiveProcess(variances, features, groups, conditioned(covariance, np.exp(theta[-1]) / repeats, targets))


def _summed(variances: Array, a: Array, b: Array, groups: Groups) -> Array:
    """The covariance of features a (m, columns) with b (n, columns): (m, n)."""
    total = np.zeros((len(a), len(b)))
    for knob, variance in enumerate(variances):
        own = groups == knob
        total += variance * matern(squared_distances(a[:, own], b[:, own]) / LENGTH**2)
    return total
