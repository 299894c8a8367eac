from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import OptimizeResult, check_grad
from scipy.stats import multivariate_normal, norm

from otterflow.tuner import surrogate
from otterflow.tuner.encoding import Array
from otterflow.tuner.kernels import Product
from otterflow.tuner.relevance import SCALED, SPARSE, Relevances
from otterflow.tuner.sampler import draw
from otterflow.tuner.surrogate import NOISE, Evidence, evidence, fit_ensemble


@pytest.fixture
def data() -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    x = rng.random((25, 6))
    y = np.sin(3 * x[:, 2]) + 0.03 * rng.standard_normal(25)
    return x, (y - y.mean()) / y.std()


@pytest.mark.parametrize(("relevances", "size"), [(SPARSE, 9), (SCALED, 8)])
def test_the_gradient_is_the_gradient(data: tuple[Array, Array], relevances: Relevances, size: int) -> None:
    x, y = data
    known = evidence(Product, x, np.arange(6), y, np.arange(1.0, 26.0), NOISE, relevances)
    theta = np.random.default_rng(1).normal(-2.0, 0.5, size)
    assert known.start().shape == (size,)
    steepness = np.linalg.norm(known.density(theta)[1])
    error = check_grad(lambda t: known.density(t)[0], lambda t: known.density(t)[1], theta)
    assert error < 1e-4 * steepness


def test_the_density_is_that_of_a_normal_distribution(data: tuple[Array, Array]) -> None:
    x, y = data
    theta = np.append(np.full(6, -1.0), [0.3, -3.0, -2.0])
    other = np.sort(y)
    ours = [
        evidence(Product, x, np.arange(6), t, np.full(25, 2.0), NOISE, SPARSE).density(theta)[0] for t in (y, other)
    ]
    r = np.sqrt(5.0 * np.exp(-1.0) * ((x[:, None] - x) ** 2).sum(axis=2))
    covariance = np.exp(0.3) * (1 + r + r**2 / 3) * np.exp(-r) + 1.0 + (np.exp(-3.0) / 2.0 + 1e-8) * np.eye(25)
    theirs = [-multivariate_normal(cov=covariance).logpdf(t) for t in (y, other)]
    assert ours[0] - ours[1] == pytest.approx(theirs[0] - theirs[1])


@pytest.mark.parametrize("relevances", [SPARSE, SCALED])
def test_the_knob_that_matters_is_relevant_and_predicts(data: tuple[Array, Array], relevances: Relevances) -> None:
    x, y = data
    ensemble = fit_ensemble(x, np.arange(6), y, np.ones(25), np.random.default_rng(2), relevances=relevances)
    relevance = np.mean([m.columns**2 for m in ensemble.members], axis=0)
    assert relevance.argmax() == 2
    assert relevance[2] > 5 * np.delete(relevance, 2).max()
    new = np.random.default_rng(3).random((100, 6))
    mean = np.mean([m.predict(new)[0] for m in ensemble.members], axis=0)
    assert np.corrcoef(mean, np.sin(3 * new[:, 2]))[0, 1] > 0.98


def test_a_function_of_many_knobs_is_as_smooth_as_one_of_few() -> None:
    """At the prior's centre two random configurations correlate the same, however many knobs there are."""
    rng = np.random.default_rng(0)
    apart = [
        np.exp(SCALED.start(k)[0]) @ ((rng.random((k, 4000)) - rng.random((k, 4000))) ** 2).mean(axis=1)
        for k in (8, 30, 90)
    ]
    assert apart == pytest.approx([np.exp(-2 * SCALED.length[0]) / 6] * 3, rel=0.05)


@pytest.mark.parametrize("relevances", [SPARSE, SCALED])
def test_the_priors_are_what_they_say(relevances: Relevances) -> None:
    """By their difference between two points, against the formulas with the constants left out."""
    logs, others = np.array([-1.0, -4.0, 0.5]), np.array([-3.0, -3.0, -3.0])
    own = np.array([-2.0])

    def energy(at: Array) -> float:
        return relevances.add(at, own, np.zeros(3), np.zeros(1))

    if relevances is SPARSE:
        said = np.log(np.cosh(logs - own)).sum() - np.log(np.cosh(others - own)).sum()
    else:
        centre, width = SCALED.length
        lengths = norm(centre + 0.5 * np.log(3), width)
        said = (lengths.logpdf(-others / 2) - lengths.logpdf(-logs / 2)).sum()
    assert energy(logs) - energy(others) == pytest.approx(said)


def test_uncertainty_grows_away_from_the_trials(data: tuple[Array, Array]) -> None:
    x, y = data
    ensemble = fit_ensemble(x, np.arange(6), y, np.ones(25), np.random.default_rng(2))
    far = x[:1] + np.array([0, 0, 3.0, 0, 0, 0])
    for member in ensemble.members:
        assert member.predict(far)[1][0] > 3 * member.predict(x[:1])[1][0]


@pytest.mark.slow
def test_the_sampler_draws_from_a_known_density() -> None:
    def normal(theta: Array) -> tuple[float, Array]:
        return 0.5 * float(((theta - 2.0) ** 2 / 0.25).sum()), (theta - 2.0) / 0.25

    states = draw(normal, np.zeros(3), np.random.default_rng(0), warm_up=100, draws=2000, thin=2)
    assert states.mean(axis=0) == pytest.approx([2.0] * 3, abs=0.06)
    assert states.std(axis=0) == pytest.approx([0.5] * 3, abs=0.06)


def test_the_sampler_never_enters_where_the_density_is_nothing() -> None:
    def half(theta: Array) -> tuple[float, Array]:
        inside = theta[0] > 0
        return (0.5 * float(theta @ theta), theta) if inside else (np.inf, np.zeros_like(theta))

    states = draw(half, np.ones(1), np.random.default_rng(0), warm_up=50, draws=300, thin=1)
    assert (states > 0).all()


def test_the_search_for_the_maximum_begins_where_it_finds_the_knobs_that_matter() -> None:
    assert SCALED.start(4)[0] == pytest.approx([-2 * SCALED.length[0] - np.log(4)] * 4)  # the prior's centre
    assert SCALED.start(500)[0] == pytest.approx([SCALED.least_start] * 500)  # whose centre is at -7.6


def test_the_most_probable_process_is_the_better_of_two_searches(
    data: tuple[Array, Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that stops early is not taken, whichever it is."""
    told = (data[0], np.arange(6), data[1], np.ones(25))
    real = Evidence.mode
    found: list[float] = []

    def lame(known: Evidence, start: Array | None = None) -> OptimizeResult:
        result = real(known, start)
        if len(found) == stops:
            result.x, result.fun = known.start(), known.density(known.start())[0]
        found.append(result.fun)
        return result

    monkeypatch.setattr(Evidence, "mode", lame)
    processes = []
    for stops in (0, 1):
        found.clear()
        rng = np.random.default_rng(0)
        processes.append(surrogate.most_probable_process(*told, rng, SCALED))
        assert len(found) == 2
        assert found[stops] > found[1 - stops] + 1.0
    ahead, behind = (p.columns for p in processes)
    assert ahead == pytest.approx(behind, rel=0.05)
