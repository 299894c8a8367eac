"""How alike two configurations are taken to be: two kernels, for two kinds of function, of the Matern 5/2 shape.

`Product` is for any smooth function: Matern over the scaled distance r^2 = sum_g w_g d_g^2, where d_g is the distance
in knob g's own columns and w_g its relevance (an inverse squared length-scale). Two configurations are alike where
they are in all knobs that matter, so what one trial tells is told of its neighbourhood.

`Sum` is for a function that is a sum of functions of one knob each (Hastie and Tibshirani 1990; as processes, Duvenaud,
Nickisch and Rasmussen 2011): the sum over knobs of w_g times Matern over d_g, where w_g is the variance that knob g
gives. What one trial tells of a knob's value is told of all configurations with that value, however else they differ.
Forty trials of sixty knobs leave most of the space without a neighbour, but each knob's range well covered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from otterflow.tuner.encoding import Array
from otterflow.tuner.relevance import Prior

_ROOT5 = np.sqrt(5.0)
_VARIANCE = (0.0, 1.0)
"""Of the log variance of a product kernel: the targets are standardised."""
LENGTH = 0.45
"""Of a sum kernel, in ranges of a knob. Fixed: so few trials do not tell how fast each of many functions bends."""


@dataclass(frozen=True)
class Covariance:
    """Covariances with the hyperparameters given."""

    between: Array
    """Of each pair of trials (pairs,)."""
    own: float
    """Of a trial with itself."""
    pulled: Callable[[Array, float], Array]
    """From the slopes of something by `between` (pairs,) and by `own` to that by the log hyperparameters (size,)."""


class Kernel(Protocol):
    """A kernel over the pairs of some trials. Its hyperparameters are (log w_1 .. log w_knobs, further ...)."""

    @property
    def knobs(self) -> int:
        """How many knobs."""

    @property
    def further(self) -> Sequence[Prior]:
        """Priors of the log hyperparameters that follow the knobs' own."""

    def at(self, theta: Array) -> Covariance:
        """The covariances with hyperparameters theta (knobs + further,)."""


@dataclass(frozen=True)
class Product:
    """The further hyperparameter is the log variance."""

    distances: Array
    """Squared distance of each pair in each knob (knobs, pairs)."""

    @property
    def knobs(self) -> int:
        """How many knobs."""
        return len(self.distances)

    @property
    def further(self) -> Sequence[Prior]:
        """The variance's."""
        return (_VARIANCE,)

    def at(self, theta: Array) -> Covariance:
        """The covariances with hyperparameters theta (knobs + 1,)."""
        w, variance = np.exp(theta[:-1]), float(np.exp(theta[-1]))
        r = _ROOT5 * np.sqrt(np.maximum(w @ self.distances, 0.0))
        decay = variance * np.exp(-r)
        between = (1.0 + r + r * r / 3.0) * decay

        def pulled(slope: Array, own_slope: float) -> Array:
            by_relevance = self.distances @ (slope * decay * (1.0 + r)) * w * (-5.0 / 6.0)
            return np.append(by_relevance, float(slope @ between) + variance * own_slope)

        return Covariance(between, variance, pulled)


@dataclass(frozen=True)
class Sum:
    """No further hyperparameters: the variance is the sum over knobs."""

    shapes: Array
    """Matern over the distance of each pair in each knob (knobs, pairs)."""

    @classmethod
    def of(cls, distances: Array) -> Sum:
        """From squared distances (knobs, pairs)."""
        return cls(matern(distances / LENGTH**2))

    @property
    def knobs(self) -> int:
        """How many knobs."""
        return len(self.shapes)

    @property
    def further(self) -> Sequence[Prior]:
        """None."""
        return ()

    def at(self, theta: Array) -> Covariance:
        """The covariances with hyperparameters theta (knobs,)."""
        w = np.exp(theta)
        return Covariance(w @ self.shapes, float(w.sum()), lambda slope, own: w * (self.shapes @ slope + own))


def matern(r2: Array) -> Array:
    """Matern 5/2 of squared scaled distances."""
    r = _ROOT5 * np.sqrt(r2)
    return np.asarray((1.0 + r + r * r / 3.0) * np.exp(-r))


def squared_distances(a: Array, b: Array) -> Array:
    """Of each row of a (m, columns) to each of b (n, columns): (m, n)."""
    return np.asarray(np.maximum((a * a).sum(1)[:, None] + (b * b).sum(1) - 2.0 * (a @ b.T), 0.0))
