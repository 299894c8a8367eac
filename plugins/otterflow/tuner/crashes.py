"""The probability that a configuration crashes the server, learned from the trials that did.

A Gaussian process classifier (Laplace approximation, Rasmussen and Williams 2006, algorithm 3.1) with a fixed kernel:
a linear part, for memory knobs that are harmless apart and deadly together, and a smooth part, for the rest. A crash is
a label and never a made-up value, so it cannot bend the model of the objective. The prior far from all trials is the
crash rate seen so far, slightly raised.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from otterflow.tuner.encoding import Array

_NEWTON_STEPS = 30
_LINEAR, _SMOOTH = 6.0, 6.0
"""Variances of the two parts of the latent function (logits squared), a typical configuration away from the centre."""


@dataclass(frozen=True)
class CrashModel:
    """The chance of a crash; without a crash so far it is the same small number everywhere."""

    x: Array
    centre: Array
    slope: Array
    """Gradient of the log likelihood at the mode (n,); the latent mean is k @ slope."""
    curvature_root: Array
    factor: Array
    offset: float

    def probability(self, features: Array) -> Array:
        """Chance of a crash at features (m, columns), as (m,)."""
        if not len(self.slope):
            return np.full(len(features), expit(self.offset))
        k = _kernel(features - self.centre, self.x)
        mean = self.offset + k @ self.slope
        v = np.linalg.solve(self.factor, (k * self.curvature_root).T)
        own = _LINEAR * _size(features - self.centre) + _SMOOTH
        variance = np.maximum(own - (v * v).sum(0), 0.0)
        return np.asarray(expit(mean / np.sqrt(1.0 + np.pi * variance / 8.0)))


def fit_crashes(features: Array, crashed: Array) -> CrashModel:
    """Learn from trials at `features` (n, columns), of which `crashed` (n,) are 1 and the rest 0."""
    n, bad = len(crashed), float(crashed.sum())
    offset = float(logit((bad + 0.5) / (n + 5.0)))
    centre = features.mean(axis=0) if n else np.zeros(features.shape[1])
    nothing = np.zeros(0)
    if bad == 0:
        return CrashModel(features, centre, nothing, nothing, nothing, offset)
    x = features - centre
    k = _kernel(x, x)
    latent = np.zeros(n)
    for _ in range(_NEWTON_STEPS):
        p = expit(latent + offset)
        root = np.sqrt(np.maximum(p * (1.0 - p), 1e-9))
        factor = np.linalg.cholesky(np.eye(n) + root[:, None] * k * root)
        b = root**2 * latent + crashed - p
        a = b - root * np.linalg.solve(factor.T, np.linalg.solve(factor, root * (k @ b)))
        step = k @ a - latent
        latent = latent + step
        if np.abs(step).max() < 1e-6:
            break
    p = expit(latent + offset)
    root = np.sqrt(np.maximum(p * (1.0 - p), 1e-9))
    factor = np.linalg.cholesky(np.eye(n) + root[:, None] * k * root)
    return CrashModel(x, centre, crashed - p, root, factor, offset)


def _size(x: Array) -> Array:
    """Squared length of each row, 1 for a typical configuration far from the centre."""
    return np.asarray((x * x).sum(1) / (x.shape[1] / 12.0))


def _kernel(a: Array, b: Array) -> Array:
    scale = a.shape[1] / 12.0
    inner = a @ b.T / scale
    r2 = np.maximum(_size(a)[:, None] + _size(b) - 2.0 * inner, 0.0)
    return np.asarray(_LINEAR * inner + _SMOOTH * np.exp(-0.5 * r2))
