"""The single models that may take the default mixture's place: OtterTune's two, made right, and the random forest.

`gpr` is OtterTune's Gaussian process with what it lacked: hyperparameters that are fitted, expected improvement in the
place of a bound whose weight was frozen, and a climb that moves. `dnn` stands in for its neural network: an ensemble of
small ones, whose disagreement is the doubt that OtterTune's net did not have. All standardise the values and take the
improvement over the best mean, so that one luckily high measurement is not what has to be beaten.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.neural_network import MLPRegressor

from otterflow.tuner.acquisition import expected_improvement
from otterflow.tuner.encoding import Array
from otterflow.tuner.forest import fit_forest
from otterflow.tuner.history import History

Predict = Callable[[Array], tuple[Array, Array]]

_LENGTHS = (0.2, 50.0)
"""Bounds of a length-scale, in ranges: from a fifth of a knob's range to hardly any effect."""
_RESTARTS = 1
_NETS, _LAYERS, _DECAY = 8, (32, 32), 0.03
_LEAST_DOUBT = 0.1
"""Nets that agree are not certain: the least standard deviation of a prediction, of targets of variance 1."""


@dataclass(frozen=True)
class PlainModel:
    """A predictor of standardised values (features to mean and standard deviation), on the trials' scale."""

    standardised: Predict
    centre: float
    spread: float
    tried_means: Array

    def predict(self, features: Array) -> tuple[Array, Array]:
        """Mean and standard deviation at features (m, columns), on the scale of the trials' values."""
        mean, std = self.standardised(features)
        return self.centre + self.spread * mean, self.spread * std

    def expected_improvement(self, features: Array) -> Array:
        """Expected improvement over the incumbent's mean at features (m, columns), standardised."""
        return expected_improvement(*self.standardised(features), float(self.tried_means.max()))


def fit_plain_forest(history: History, rng: np.random.Generator) -> PlainModel:
    """SMAC's model: a random forest alone."""
    return _model(history, lambda x, y, n: fit_forest(x, y, n, int(rng.integers(2**31))).predict)


def fit_gpr(history: History, rng: np.random.Generator) -> PlainModel:
    """scikit-learn's Gaussian process: Matern 5/2, a length-scale for each column, noise, all fitted by likelihood."""
    return _model(history, lambda x, y, n: _gpr(x, y, int(rng.integers(2**31))))


def fit_dnn(history: History, rng: np.random.Generator) -> PlainModel:
    """An ensemble of small neural networks, each from a start of its own (Lakshminarayanan et al. 2017)."""
    return _model(history, lambda x, y, n: _nets(x, y, rng))


def _model(history: History, fit: Callable[[Array, Array, Array], Predict]) -> PlainModel:
    ok = history.ok
    values: Array = history.means[ok]
    features: Array = history.features[ok]
    centre, spread = float(values.mean()), float(values.std()) or 1.0
    predict = fit(features, (values - centre) / spread, history.repeats[ok])
    return PlainModel(predict, centre, spread, predict(features)[0])


def _gpr(features: Array, targets: Array, seed: int) -> Predict:
    lengths = Matern(np.full(features.shape[1], 2.0), _LENGTHS, nu=2.5)
    kernel = ConstantKernel(1.0, (0.05, 20.0)) * lengths + WhiteKernel(0.05, (1e-3, 1.0))
    process = GaussianProcessRegressor(kernel, n_restarts_optimizer=_RESTARTS, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a hyperparameter at its bound is a knob without effect
        process.fit(features, targets)
    noise = process.kernel_.k2.noise_level

    def predict(at: Array) -> tuple[Array, Array]:
        mean, std = process.predict(at, return_std=True)
        return mean, np.sqrt(np.maximum(std**2 - noise, 1e-10))

    return predict


def _nets(features: Array, targets: Array, rng: np.random.Generator) -> Predict:
    nets = []
    for seed in rng.integers(2**31, size=_NETS):
        net = MLPRegressor(
            hidden_layer_sizes=_LAYERS,
            activation="tanh",
            solver="lbfgs",
            alpha=_DECAY * len(targets),
            max_iter=200,
            random_state=int(seed),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the fit is stopped early on purpose
            nets.append(net.fit(features, targets))

    def predict(at: Array) -> tuple[Array, Array]:
        votes = np.array([net.predict(at) for net in nets])
        return votes.mean(axis=0), np.sqrt(votes.var(axis=0) + _LEAST_DOUBT**2)

    return predict
