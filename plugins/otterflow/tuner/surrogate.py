"""Gaussian processes over configurations, with a relevance for each knob that is averaged over, not fixed.

The covariance is a kernel of `kernels.py`, here the product kernel; `additive.py` has processes of the other. What is
believed of the relevances before there are trials is a prior of `relevance.py`. A single best fit to a few trials is
sure of knobs it has hardly seen; so a handful of fits is drawn from the posterior by Hamiltonian Monte Carlo, and
predictions are their mixture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.linalg.blas import dsymv
from scipy.linalg.lapack import dpotrf, dpotri
from scipy.optimize import OptimizeResult, minimize

from otterflow.tuner.encoding import Array
from otterflow.tuner.kernels import Kernel, Product, matern, squared_distances
from otterflow.tuner.relevance import SPARSE, Prior, Relevances
from otterflow.tuner.sampler import draw

Groups = NDArray[np.intp]

MEMBERS = 8
_WARM_UP, _THIN = 24, 4
NOISE: Prior = (np.log(0.02), 1.5)
"""Of the log noise variance: around 2 % of the targets' variance, from 0.1 % to 40 %."""
_ELSEWHERE = 1.5
"""How far from the first start of a search for the maximum the second one is, as a standard deviation."""
_LIMIT = 14.0
"""A log hyperparameter beyond this is refused, before it overflows."""
_JITTER = 1e-8


@dataclass(frozen=True)
class Conditioned:
    """A process conditioned on its targets: what all its predictions share."""

    factor: Array
    """Lower Cholesky factor of the covariance (n, n)."""
    alpha: Array
    """Covariance^-1 (targets - mean) (n,)."""
    mean: float

    def predict(self, cross: Array, variance: float | Array) -> tuple[Array, Array]:
        """Mean and standard deviation (m,) where the covariance with the trials is `cross` (m, n).

        `variance` is that before there are trials, of all alike or of each (m,).
        """
        v = solve_triangular(self.factor, cross.T, lower=True, check_finite=False)
        left = variance - np.einsum("ij,ij->j", v, v)
        return self.mean + cross @ self.alpha, np.asarray(np.sqrt(np.maximum(left, 1e-10)))


def conditioned(covariance: Array, noise: Array, targets: Array) -> Conditioned:
    """What follows from targets (n,) of that covariance (n, n), each with a noise of that variance (n,)."""
    factor = cholesky(covariance + np.diag(noise + _JITTER), lower=True, check_finite=False)
    ones = cho_solve((factor, True), np.ones_like(targets), check_finite=False)
    mean = float(ones @ targets / (ones.sum() + 1.0))
    return Conditioned(factor, cho_solve((factor, True), targets - mean, check_finite=False), mean)


@dataclass(frozen=True)
class GaussianProcess:
    """A process with its hyperparameters given. `predict` is in the units of its targets."""

    columns: Array
    """Square root of each column's relevance (columns,)."""
    variance: float
    x: Array
    """Scaled features of the trials (n, columns)."""
    conditioned: Conditioned

    def predict(self, features: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the noise-free value at features (m, columns): two arrays (m,)."""
        return self.conditioned.predict(self._between(features * self.columns, self.x), self.variance)

    def joint(self, features: Array) -> tuple[Array, Array]:
        """Mean (m,) and covariance (m, m) of the noise-free values at features (m, columns)."""
        scaled = features * self.columns
        k = self._between(scaled, self.x)
        v = solve_triangular(self.conditioned.factor, k.T, lower=True, check_finite=False)
        return self.conditioned.mean + k @ self.conditioned.alpha, self._between(scaled, scaled) - v.T @ v

    def _between(self, a: Array, b: Array) -> Array:
        return self.variance * matern(squared_distances(a, b))


@dataclass(frozen=True)
class Ensemble:
    """Draws from the posterior, all of the same weight."""

    members: Sequence[GaussianProcess]


@dataclass(frozen=True)
class Evidence:
    """The trials as the posterior of the hyperparameters needs them.

    theta is the kernel's (log w_1 .. log w_knobs, further ...), log noise, and what the prior of the w has of its own.
    """

    kernel: Kernel
    lower: tuple[NDArray[np.intp], NDArray[np.intp]]
    """Row and column of each of the kernel's pairs: the strict lower triangle."""
    targets: Array
    repeats: Array
    noise: Prior
    relevances: Relevances

    def start(self) -> Array:
        """The prior's centre."""
        logs, own = self.relevances.start(self.kernel.knobs)
        return np.concatenate([logs, [centre for centre, _ in (*self.kernel.further, self.noise)], own])

    def density(self, theta: Array) -> tuple[float, Array]:
        """Negative log posterior and its gradient; the constant mean is integrated out (unit prior variance)."""
        if np.abs(theta).max() > _LIMIT:
            return np.inf, np.zeros_like(theta)
        n, size = len(self.targets), self.kernel.knobs + len(self.kernel.further)
        covariance, noise = self.kernel.at(theta[:size]), np.exp(theta[size])
        cov = np.zeros((n, n), order="F")
        cov[self.lower] = covariance.between + 1.0
        cov[np.diag_indices(n)] = covariance.own + 1.0 + noise / self.repeats + _JITTER
        factor, failed = dpotrf(cov, lower=1, overwrite_a=1)
        if failed:
            return np.inf, np.zeros_like(theta)
        log_det = float(np.log(np.diag(factor)).sum())
        inverse, _ = dpotri(factor, lower=1, overwrite_c=1)
        alpha = dsymv(1.0, inverse, self.targets, lower=1)
        value = 0.5 * float(self.targets @ alpha) + log_det
        slope = inverse[self.lower] - alpha[self.lower[0]] * alpha[self.lower[1]]
        own = np.diag(inverse) - alpha * alpha
        gradient = np.zeros_like(theta)
        gradient[:size] = covariance.pulled(slope, 0.5 * float(own.sum()))
        gradient[size] = 0.5 * noise * float((own / self.repeats).sum())
        return value + self._add_prior(theta, gradient), gradient

    def mode(self, start: Array | None = None) -> OptimizeResult:
        """The posterior's maximum (x, fun), looked for from the prior's centre or from `start`."""
        begin = self.start() if start is None else start
        return minimize(
            self.density,
            begin,
            jac=True,
            method="L-BFGS-B",
            bounds=[(-0.9 * _LIMIT, 0.9 * _LIMIT)] * len(begin),
            options={"maxiter": 60},
        )

    def draws(self, rng: np.random.Generator, members: int) -> Array:
        """`members` draws of theta from the posterior, starting at its maximum (members, theta)."""
        return draw(self.density, self.mode().x, rng, warm_up=_WARM_UP, draws=members, thin=_THIN)

    def _add_prior(self, theta: Array, gradient: Array) -> float:
        """Negative log prior of theta; its gradient is added to `gradient`."""
        k, further = self.kernel.knobs, (*self.kernel.further, self.noise)
        first = k + len(further)
        value = self.relevances.add(theta[:k], theta[first:], gradient[:k], gradient[first:])
        for i, (centre, width) in enumerate(further, k):
            z = (theta[i] - centre) / width
            value += 0.5 * z * z
            gradient[i] += z / width
        return value


def evidence(
    kernel_of: Callable[[Array], Kernel],
    features: Array,
    groups: Groups,
    targets: Array,
    repeats: Array,
    noise: Prior,
    relevances: Relevances,
) -> Evidence:
    """The evidence of trials; `kernel_of` takes the squared distance of each pair in each knob (knobs, pairs)."""
    rows, columns = lower = np.tril_indices(len(targets), -1)
    parts = (features[:, groups == g] for g in range(int(groups.max()) + 1))
    distances = np.array([squared_distances(part, part)[rows, columns] for part in parts])
    return Evidence(kernel_of(distances), lower, targets, repeats, noise, relevances)


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
    draws = evidence(Product, features, groups, targets, repeats, noise, relevances).draws(rng, members)
    return Ensemble([process_at(theta, features, groups, targets, repeats) for theta in draws])


def most_probable(features: Array, groups: Groups, targets: Array, repeats: Array) -> Array:
    """The hyperparameters (knobs + 3,) at the posterior's maximum, for `process_at`; arguments as `fit_ensemble`'s."""
    return np.asarray(evidence(Product, features, groups, targets, repeats, NOISE, SPARSE).mode().x)


def most_probable_process(
    features: Array, groups: Groups, targets: Array, repeats: Array, rng: np.random.Generator, relevances: Relevances
) -> GaussianProcess:
    """The process at the posterior's maximum, looked for from two starts; arguments as `fit_ensemble`'s."""
    known = evidence(Product, features, groups, targets, repeats, NOISE, relevances)
    start = known.start()
    elsewhere = start + _ELSEWHERE * rng.standard_normal(len(start))
    best = min((known.mode(at) for at in (start, elsewhere)), key=lambda found: float(found.fun))
    return process_at(best.x, features, groups, targets, repeats)


def process_at(theta: Array, features: Array, groups: Groups, targets: Array, repeats: Array) -> GaussianProcess:
    """The process with hyperparameters `theta`, told the targets; other arguments as `fit_ensemble`'s.

    theta is (log w_1 .. log w_knobs, log variance, log noise); what follows of a prior's own is passed over.
    """
    k = int(groups.max()) + 1
    w, (variance, noise) = np.exp(theta[:k]), np.exp(theta[k : k + 2])
    columns = np.sqrt(w)[groups]
    x = features * columns
    covariance = variance * matern(squared_distances(x, x))
    return GaussianProcess(columns, float(variance), x, conditioned(covariance, noise / repeats, targets))
