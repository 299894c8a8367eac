"""Gaussian processes over configurations, with a relevance for each knob that is averaged over, not fixed.

Kernel: Matern 5/2 over the scaled distance r^2 = sum_g w_g d_g^2, where d_g is the distance in knob g's own columns and
w_g its relevance (an inverse squared length-scale). What is believed of the relevances before there are trials is a
prior of `relevance.py`. A single best fit to a few trials is sure of knobs it has hardly seen; so a handful of fits is
drawn from the posterior by Hamiltonian Monte Carlo, and predictions are their mixture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.linalg.blas import dsymv
from scipy.linalg.lapack import dpotrf, dpotri
from scipy.optimize import OptimizeResult, minimize

from otterflow.tuner.encoding import Array
from otterflow.tuner.relevance import SPARSE, Prior, Relevances
from otterflow.tuner.sampler import draw

Groups = NDArray[np.intp]

MEMBERS = 8
_WARM_UP, _THIN = 24, 4
_VARIANCE = (0.0, 1.0)
"""Of the log variance: the targets are standardised."""
NOISE: Prior = (np.log(0.02), 1.5)
"""Of the log noise variance: around 2 % of the targets' variance, from 0.1 % to 40 %."""
_ELSEWHERE = 1.5
"""How far from the first start of a search for the maximum the second one is, as a standard deviation."""
_LIMIT = 14.0
"""A log hyperparameter beyond this is refused, before it overflows."""
_ROOT5 = np.sqrt(5.0)
_JITTER = 1e-8


@dataclass(frozen=True)
class GaussianProcess:
    """A process with its hyperparameters given. `predict` is in the units of its targets."""

    columns: Array
    """Square root of each column's relevance (columns,)."""
    variance: float
    x: Array
    """Scaled features of the trials (n, columns)."""
    factor: Array
    """Lower Cholesky factor of the covariance (n, n)."""
    alpha: Array
    """Covariance^-1 (targets - mean) (n,)."""
    mean: float

    def predict(self, features: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the noise-free value at features (m, columns): two arrays (m,)."""
        k = self.variance * _matern(_squared_distances(features * self.columns, self.x))
        v = solve_triangular(self.factor, k.T, lower=True, check_finite=False)
        variance = self.variance - np.einsum("ij,ij->j", v, v)
        return self.mean + k @ self.alpha, np.asarray(np.sqrt(np.maximum(variance, 1e-10)))

    def joint(self, features: Array) -> tuple[Array, Array]:
        """Mean (m,) and covariance (m, m) of the noise-free values at features (m, columns)."""
        scaled = features * self.columns
        k = self.variance * _matern(_squared_distances(scaled, self.x))
        v = solve_triangular(self.factor, k.T, lower=True, check_finite=False)
        return self.mean + k @ self.alpha, self.variance * _matern(_squared_distances(scaled, scaled)) - v.T @ v


@dataclass(frozen=True)
class Ensemble:
    """Draws from the posterior, all of the same weight."""

    members: Sequence[GaussianProcess]


@dataclass(frozen=True)
class _Evidence:
    """The trials as the posterior of the hyperparameters needs them.

    theta is (log w_1 .. log w_knobs, log variance, log noise), and what the prior of the relevances has of its own.
    """

    distances: Array
    """Squared distance of each pair of trials in each knob (knobs, n (n - 1) / 2), in the order of `lower`."""
    lower: tuple[NDArray[np.intp], NDArray[np.intp]]
    """Row and column of each pair: the strict lower triangle."""
    targets: Array
    repeats: Array
    noise: Prior
    relevances: Relevances

    def start(self) -> Array:
        """The prior's centre."""
        own, further = self.relevances.start(len(self.distances))
        return np.concatenate([own, [_VARIANCE[0], self.noise[0]], further])

    def density(self, theta: Array) -> tuple[float, Array]:
        """Negative log posterior and its gradient; the constant mean is integrated out (unit prior variance)."""
        if np.abs(theta).max() > _LIMIT:
            return np.inf, np.zeros_like(theta)
        n, k = len(self.targets), len(self.distances)
        w, (variance, noise) = np.exp(theta[:k]), np.exp(theta[k : k + 2])
        r = _ROOT5 * np.sqrt(np.maximum(w @ self.distances, 0.0))
        decay = variance * np.exp(-r)
        kernel = (1.0 + r + r * r / 3.0) * decay
        cov = np.zeros((n, n), order="F")
        cov[self.lower] = kernel + 1.0
        cov[np.diag_indices(n)] = variance + 1.0 + noise / self.repeats + _JITTER
        factor, failed = dpotrf(cov, lower=1, overwrite_a=1)
        if failed:
            return np.inf, np.zeros_like(theta)
        log_det = float(np.log(np.diag(factor)).sum())
        inverse, _ = dpotri(factor, lower=1, overwrite_c=1)
        alpha = dsymv(1.0, inverse, self.targets, lower=1)
        value = 0.5 * float(self.targets @ alpha) + log_det
        slope = 2.0 * (inverse[self.lower] - alpha[self.lower[0]] * alpha[self.lower[1]])
        own = np.diag(inverse) - alpha * alpha
        gradient = np.zeros_like(theta)
        gradient[:k] = self.distances @ (slope * decay * (1.0 + r)) * w * (-5.0 / 12.0)
        gradient[k] = 0.5 * (float(slope @ kernel) + variance * float(own.sum()))
        gradient[k + 1] = 0.5 * noise * float((own / self.repeats).sum())
        return value + self._add_prior(theta, gradient), gradient

    def _add_prior(self, theta: Array, gradient: Array) -> float:
        """Negative log prior of theta; its gradient is added to `gradient`."""
        k = len(self.distances)
        value = self.relevances.add(theta[:k], theta[k + 2 :], gradient[:k], gradient[k + 2 :])
        for i, (centre, width) in ((k, _VARIANCE), (k + 1, self.noise)):
            z = (theta[i] - centre) / width
            value += 0.5 * z * z
            gradient[i] += z / width
        return value


def fit_ensemble(
    features: Array,
    groups: Groups,
    targets: Array,
    repeats: Array,
    rng: np.random.Generator,
    members: int = MEMBERS,
    noise: Prior = NOISE,
    relevances: Relevances = SPARSE,
) -> Ensemble:
    """Draw `members` processes from the posterior of the hyperparameters, starting at its maximum.

    `features` (n, columns), `groups` the knob of each column, `targets` (n,) standardised, `repeats` (n,) how many
    measurements each target is the mean of, `noise` the prior of the noise's variance, `relevances` that of the knobs'.
    """
    evidence = _evidence(features, groups, targets, repeats, noise, relevances)
    draws = draw(evidence.density, _mode(evidence).x, rng, warm_up=_WARM_UP, draws=members, thin=_THIN)
    return Ensemble([process_at(theta, features, groups, targets, repeats) for theta in draws])


def most_probable(features: Array, groups: Groups, targets: Array, repeats: Array) -> Array:
    """The hyperparameters (knobs + 3,) at the posterior's maximum, for `process_at`; arguments as `fit_ensemble`'s."""
    return np.asarray(_mode(_evidence(features, groups, targets, repeats, NOISE)).x)


def most_probable_process(
    features: Array, groups: Groups, targets: Array, repeats: Array, rng: np.random.Generator, relevances: Relevances
) -> GaussianProcess:
    """The process at the posterior's maximum, looked for from two starts; arguments as `fit_ensemble`'s."""
    evidence = _evidence(features, groups, targets, repeats, NOISE, relevances)
    start = evidence.start()
    elsewhere = start + _ELSEWHERE * rng.standard_normal(len(start))
    best = min((_mode(evidence, at) for at in (start, elsewhere)), key=lambda found: float(found.fun))
    return process_at(best.x, features, groups, targets, repeats)


def _evidence(
    features: Array, groups: Groups, targets: Array, repeats: Array, noise: Prior, relevances: Relevances = SPARSE
) -> _Evidence:
    rows, columns = lower = np.tril_indices(len(targets), -1)
    parts = (features[:, groups == g] for g in range(int(groups.max()) + 1))
    distances = np.array([_squared_distances(part, part)[rows, columns] for part in parts])
    return _Evidence(distances, lower, targets, repeats, noise, relevances)


def _mode(evidence: _Evidence, start: Array | None = None) -> OptimizeResult:
    begin = evidence.start() if start is None else start
    return minimize(
        evidence.density,
        begin,
        jac=True,
        method="L-BFGS-B",
        bounds=[(-0.9 * _LIMIT, 0.9 * _LIMIT)] * len(begin),
        options={"maxiter": 60},
    )


def process_at(theta: Array, features: Array, groups: Groups, targets: Array, repeats: Array) -> GaussianProcess:
    """The process with hyperparameters `theta`, told the targets; other arguments as `fit_ensemble`'s.

    theta is (log w_1 .. log w_knobs, log variance, log noise); what follows of a prior's own is passed over.
    """
    k = int(groups.max()) + 1
    w, (variance, noise) = np.exp(theta[:k]), np.exp(theta[k : k + 2])
    columns = np.sqrt(w)[groups]
    x = features * columns
    cov = variance * _matern(_squared_distances(x, x)) + np.diag(noise / repeats + _JITTER)
    factor = cholesky(cov, lower=True, check_finite=False)
    ones = cho_solve((factor, True), np.ones_like(targets), check_finite=False)
    mean = float(ones @ targets / (ones.sum() + 1.0))
    alpha = cho_solve((factor, True), targets - mean, check_finite=False)
    return GaussianProcess(columns, float(variance), x, factor, alpha, mean)


def _squared_distances(a: Array, b: Array) -> Array:
    return np.asarray(np.maximum((a * a).sum(1)[:, None] + (b * b).sum(1) - 2.0 * (a @ b.T), 0.0))


def _matern(r2: Array) -> Array:
    r = _ROOT5 * np.sqrt(r2)
    return np.asarray((1.0 + r + r * r / 3.0) * np.exp(-r))
