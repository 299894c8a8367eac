"""What is believed of the knobs' relevances before there are trials: two priors, for two kinds of function.

`Sparse` is for what few knobs decide, such as a crash: each relevance has a half-Cauchy prior around a common scale
tau, which has a prior of its own (SAASBO, Eriksson and Jankowiak 2021). So have the variances of `additive.py`.
`Scaled` is for what any number of knobs may decide, such as the objective: the length-scales are log-normal and grow
with the square root of the number of knobs, so that a function of many knobs is as smooth as one of few (Hvarfner,
Hellsten and Nardi 2024), and so wide that any knob may matter much or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from otterflow.tuner.encoding import Array

Prior = tuple[float, float]
"""Mean and standard deviation of a logarithm."""


class Relevances(Protocol):
    """A prior of log relevances (knobs,), with hyperparameters of its own that are learned too."""

    def start(self, knobs: int) -> tuple[Array, Array]:
        """Where a search for the posterior's maximum begins: log relevances (knobs,), and the prior's own."""

    def add(self, logs: Array, own: Array, gradient: Array, own_gradient: Array) -> float:
        """Negative log prior, but for a constant; its gradients are added to the last two arguments."""


@dataclass(frozen=True)
class Sparse:
    """Half-Cauchy: the density of log w is 1 / cosh(log w - log tau). `tau` is the prior of log tau."""

    tau: Prior

    def start(self, knobs: int) -> tuple[Array, Array]:
        """The centre."""
        return np.full(knobs, self.tau[0]), np.array([self.tau[0]])

    def add(self, logs: Array, own: Array, gradient: Array, own_gradient: Array) -> float:
        """Negative log prior."""
        t = logs - own[0]
        slope = np.tanh(t)
        z = (own[0] - self.tau[0]) / self.tau[1]
        gradient += slope
        own_gradient += z / self.tau[1] - slope.sum()
        return float(np.logaddexp(t, -t).sum()) + 0.5 * float(z * z)


@dataclass(frozen=True)
class Scaled:
    """Log-normal: `length` is the prior of a log length-scale of one knob alone; of k knobs, sqrt(k) times that."""

    length: Prior
    least_start: float = -6.0
    """The log relevance that a search begins at least from: from far below it does not find the knobs that matter."""

    def start(self, knobs: int) -> tuple[Array, Array]:
        """The centre, or somewhat above it."""
        return np.full(knobs, max(self._centre(knobs), self.least_start)), np.zeros(0)

    def add(self, logs: Array, own: Array, gradient: Array, own_gradient: Array) -> float:
        """Negative log prior."""
        width = 2.0 * self.length[1]
        z = (logs - self._centre(len(logs))) / width
        gradient += z / width
        return 0.5 * float(z @ z)

    def _centre(self, knobs: int) -> float:
        return float(-2.0 * self.length[0] - np.log(knobs))


SPARSE = Sparse((float(np.log(0.05)), 1.0))
"""0.05 is a length-scale of 4 to 5 ranges: hardly any effect."""
SCALED = Scaled((0.7, float(np.sqrt(3.0))))
"""The width is the paper's; its lengths are twice as long, for a process that is fitted once and not averaged over."""
