"""The Gaussian process over configurations, with a relevance for each knob.

Kernel: Matern 5/2 over the scaled distance r^2 = sum_g w_g d_g^2, where d_g is the distance in knob g's own columns and
w_g its relevance (an inverse squared length-scale). Few knobs matter, so each relevance has a prior with most of its
mass at a small tau and a heavy tail: the half-Cauchy of SAASBO (Eriksson and Jankowiak 2021), here on log w. tau itself
is not known; one model is fitted for each of a few, by maximum a posteriori, and they are averaged by their evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

from otterflow.tuner.encoding import Array

TAUS = (0.01, 0.1, 1.0)
"""Typical relevances of a knob: nearly none, some, and a length-scale as long as the range."""

_ROOT5 = np.sqrt(5.0)
_JITTER = 1e-8


@dataclass(frozen=True)
class GaussianProcess:
    """A fitted process. `predict` is in the units of the targets it was fitted to."""

    columns: Array
    """Square root of each column's relevance (columns,)."""
    relevance: Array
    """w_g (knobs,)."""
    variance: float
    noise: float
    """Variance of one measurement."""
    x: Array
    """Scaled features of the trials (n, columns)."""
    factor: Array
    """Lower Cholesky factor of the covariance (n, n)."""
    alpha: Array
    """Covariance^-1 (targets - mean) (n,)."""
    mean: float
    log_posterior: float

    def predict(self, features: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the noise-free value at features (m, columns): two arrays (m,)."""
        k = self.variance * _matern(_squared_distances(features * self.columns, self.x))
        mean = self.mean + k @ self.alpha
        v = solve_triangular(self.factor, k.T, lower=True, check_finite=False)
        var = self.variance - np.einsum("ij,ij->j", v, v)
        return mean, np.asarray(np.sqrt(np.maximum(var, 1e-10)))


def _squared_distances(a: Array, b: Array) -> Array:
    return np.asarray(np.maximum((a * a).sum(1)[:, None] + (b * b).sum(1) - 2.0 * (a @ b.T), 0.0))


def _matern(r2: Array) -> Array:
    r = _ROOT5 * np.sqrt(r2)
    return np.asarray((1.0 + r + r * r / 3.0) * np.exp(-r))


def fit(features: Array, groups: Array, targets: Array, repeats: Array, tau: float) -> GaussianProcess:
    """Fit one process by maximum a posteriori.

    `features` (n, columns), `groups` the knob of each column, `targets` (n,) standardised, `repeats` (n,) how many
    measurements each target is the mean of, `tau` the typical relevance.
    """
    n_knobs = int(groups.max()) + 1
    n = len(targets)
    distances = np.zeros((n_knobs, n * n))
    for g in range(n_knobs):
        part = features[:, groups == g]
        distances[g] = _squared_distances(part, part).ravel()
    start = np.concatenate([np.full(n_knobs, np.log(tau)), [0.0, np.log(0.02)]])
    bounds = [(np.log(1e-5), np.log(100.0))] * n_knobs + [(np.log(0.05), np.log(20.0)), (np.log(1e-4), np.log(1.0))]

    def loss(theta: Array) -> tuple[float, Array]:
        return _negative_log_posterior(theta, distances, targets, repeats, tau)

    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 60})
    w, variance, noise = np.exp(found.x[:-2]), float(np.exp(found.x[-2])), float(np.exp(found.x[-1]))
    r2 = (w @ distances).reshape(n, n)
    factor = cholesky(variance * _matern(r2) + np.diag(noise / repeats + _JITTER), lower=True, check_finite=False)
    mean = _best_mean(factor, targets)
    alpha = cho_solve((factor, True), targets - mean, check_finite=False)
    columns = np.sqrt(w)[groups]
    return GaussianProcess(columns, w, variance, noise, features * columns, factor, alpha, mean, float(-found.fun))


def _best_mean(factor: Array, targets: Array) -> float:
    """The constant mean, by generalised least squares with a unit-variance prior around 0."""
    ones = cho_solve((factor, True), np.ones_like(targets), check_finite=False)
    return float(ones @ targets / (ones.sum() + 1.0))


def _negative_log_posterior(
    theta: Array, distances: Array, targets: Array, repeats: Array, tau: float
) -> tuple[float, Array]:
    """Loss and gradient in log relevance, log variance and log noise; the constant mean is integrated out."""
    n = len(targets)
    w, variance, noise = np.exp(theta[:-2]), np.exp(theta[-2]), np.exp(theta[-1])
    r = _ROOT5 * np.sqrt(np.maximum(w @ distances, 0.0)).reshape(n, n)
    decay = np.exp(-r)
    k = variance * (1.0 + r + r * r / 3.0) * decay
    cov = k + 1.0
    cov[np.diag_indices(n)] += noise / repeats + _JITTER
    try:
        factor = cholesky(cov, lower=True, check_finite=False)
    except np.linalg.LinAlgError:
        return 1e10, np.zeros_like(theta)
    inverse = cho_solve((factor, True), np.eye(n), check_finite=False)
    alpha = inverse @ targets
    value = 0.5 * targets @ alpha + np.log(np.diag(factor)).sum()
    slope = inverse - np.outer(alpha, alpha)
    by_r2 = -5.0 / 6.0 * variance * (1.0 + r) * decay
    gradient = np.empty_like(theta)
    gradient[:-2] = 0.5 * w * (distances @ (slope * by_r2).ravel())
    gradient[-2] = 0.5 * (slope * k).sum()
    gradient[-1] = 0.5 * noise * (np.diag(slope) / repeats).sum()
    return _add_priors(float(value), gradient, theta, tau)


def _add_priors(value: float, gradient: Array, theta: Array, tau: float) -> tuple[float, Array]:
    """Half-Cauchy(tau) on each relevance; log-normal on variance (around 1) and noise (around 2 % of the variance)."""
    t = theta[:-2] - np.log(tau)
    value += float(np.logaddexp(t, -t).sum())
    gradient[:-2] += np.tanh(t)
    for i, centre, width in ((-2, 0.0, 1.0), (-1, np.log(0.02), 1.5)):
        z = (theta[i] - centre) / width
        value += 0.5 * z * z
        gradient[i] += z / width
    return value, gradient


@dataclass(frozen=True)
class Ensemble:
    """Processes averaged by weight."""

    members: Sequence[GaussianProcess]
    weights: Array

    @property
    def relevance(self) -> Array:
        """Mean relevance of each knob (knobs,)."""
        return np.asarray(np.average([m.relevance for m in self.members], axis=0, weights=self.weights))


def fit_ensemble(features: Array, groups: Array, targets: Array, repeats: Array) -> Ensemble:
    """One process for each typical relevance in `TAUS`, weighted by the evidence of its fit."""
    members = [fit(features, groups, targets, repeats, tau) for tau in TAUS]
    scores = np.array([m.log_posterior for m in members])
    weights = np.exp(scores - scores.max())
    return Ensemble(members, weights / weights.sum())
