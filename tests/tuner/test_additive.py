from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.stats import multivariate_normal

from otterflow.tuner.additive import fit_additive
from otterflow.tuner.encoding import Array
from otterflow.tuner.kernels import LENGTH, Sum
from otterflow.tuner.relevance import SPARSE
from otterflow.tuner.surrogate import NOISE, Evidence, evidence, fit_ensemble

KNOBS = np.array([0, 1, 2, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
"""The third knob is an enum of three values."""


def worth(x: Array) -> Array:
    return np.sin(3 * x[:, 0]) + 1.5 * np.exp(-0.5 * ((x[:, 1] - 0.7) / 0.2) ** 2) + 2.0 * x[:, 3]


def configurations(rng: np.random.Generator, n: int) -> Array:
    x = rng.random((n, len(KNOBS)))
    x[:, 2:5] = np.sqrt(0.5) * np.eye(3)[rng.integers(3, size=n)]
    return x


@pytest.fixture
def data() -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    x = configurations(rng, 30)
    y = worth(x) + 0.03 * rng.standard_normal(30)
    return x, (y - y.mean()) / y.std()


def known(x: Array, y: Array, repeats: Array) -> Evidence:
    return evidence(Sum.of, x, KNOBS, y, repeats, NOISE, SPARSE)


def test_the_gradient_is_the_gradient(data: tuple[Array, Array]) -> None:
    told = known(*data, np.arange(1.0, 31.0))
    theta = np.random.default_rng(1).normal(-2.0, 0.5, 14)
    assert told.start().shape == (14,)  # twelve variances, the noise, and the prior's scale
    steepness = np.linalg.norm(told.density(theta)[1])
    error = check_grad(lambda t: told.density(t)[0], lambda t: told.density(t)[1], theta)
    assert error < 1e-4 * steepness


def test_the_density_is_that_of_a_sum_of_processes(data: tuple[Array, Array]) -> None:
    x, y = data
    theta = np.append(np.linspace(-4.0, 0.0, 12), [-3.0, -2.0])
    covariance = np.ones((30, 30)) + (np.exp(-3.0) / 2.0 + 1e-8) * np.eye(30)
    for knob in range(12):
        own = x[:, KNOBS == knob]
        r = np.sqrt(5.0 * ((own[:, None] - own) ** 2).sum(axis=2)) / LENGTH
        covariance += np.exp(theta[knob]) * (1 + r + r**2 / 3) * np.exp(-r)
    ours = [known(x, t, np.full(30, 2.0)).density(theta)[0] for t in (y, np.sort(y))]
    theirs = [-multivariate_normal(cov=covariance).logpdf(t) for t in (y, np.sort(y))]
    assert ours[0] - ours[1] == pytest.approx(theirs[0] - theirs[1])


def test_the_knobs_that_matter_have_the_variance(data: tuple[Array, Array]) -> None:
    processes = fit_additive(data[0], KNOBS, data[1], np.ones(30), np.random.default_rng(2))
    variances = processes.variances.mean(axis=0)
    assert set(np.argsort(variances)[-3:]) == {0, 1, 2}
    assert variances[:3].min() > 3 * variances[3:].max()


def test_what_no_trial_has_put_together_is_predicted_from_the_parts(data: tuple[Array, Array]) -> None:
    """A sixth of the space was never seen: high in the first knob with the enum's best value."""
    x, _ = data
    seen = x[~((x[:, 0] > 0.5) & (x[:, 3] > 0))]
    y = (worth(seen) - worth(seen).mean()) / worth(seen).std()
    told = (seen, KNOBS, y, np.ones(len(y)), np.random.default_rng(3))
    offered = configurations(np.random.default_rng(4), 400)
    unseen = offered[(offered[:, 0] > 0.5) & (offered[:, 3] > 0)]
    true = (worth(unseen) - worth(seen).mean()) / worth(seen).std()
    sums = fit_additive(*told).predict(unseen)[0].mean(axis=0)
    smooth = np.mean([p.predict(unseen)[0] for p in fit_ensemble(*told).members], axis=0)
    off = [np.sqrt(np.mean((mean - true) ** 2)) for mean in (sums, smooth)]
    assert off[0] < 0.5
    assert off[0] < 0.7 * off[1]


def test_a_trial_told_again_and_again_is_believed_and_far_from_all_trials_nothing_is_known(
    data: tuple[Array, Array],
) -> None:
    x, y = data
    processes = fit_additive(x, KNOBS, y, np.full(30, 1000.0), np.random.default_rng(2))
    means, stds = processes.predict(x)
    assert np.abs(means - y).max() < 0.15
    assert stds.max() < 0.2
    _, lost = processes.predict(x + 50.0)
    assert lost == pytest.approx(np.repeat(np.sqrt(processes.variances.sum(axis=1))[:, None], 30, axis=1), rel=1e-3)


def test_a_prediction_of_many_rows_is_that_of_each(data: tuple[Array, Array], monkeypatch: pytest.MonkeyPatch) -> None:
    processes = fit_additive(data[0], KNOBS, data[1], np.ones(30), np.random.default_rng(2), draws=3)
    offered = configurations(np.random.default_rng(4), 50)
    whole = processes.predict(offered)
    monkeypatch.setattr("otterflow.tuner.additive._AT_ONCE", 12 * 30 * 7)
    for at_once, in_parts, alone in zip(whole, processes.predict(offered), processes.predict(offered[:1]), strict=True):
        assert at_once.shape == (3, 50)
        assert in_parts == pytest.approx(at_once)
        assert alone[:, 0] == pytest.approx(at_once[:, 0])
