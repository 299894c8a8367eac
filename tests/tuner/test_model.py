from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
import pytest

from otterflow.knobs.space import KnobSpace
from otterflow.tuner import Trial
from otterflow.tuner.algorithms.by_model import Fit
from otterflow.tuner.algorithms.plain_models import fit_plain_forest
from otterflow.tuner.encoding import Encoder
from otterflow.tuner.history import History, pool
from otterflow.tuner.model import FOREST_WEIGHT, Model, fit_model, fit_sharp, fit_sums

SPACE = KnobSpace.from_records([{"name": n, "type": "real", "min": 0.0, "max": 1.0, "default": 0.5} for n in "abc"])


Server = Callable[[Mapping[str, float]], float]
Fitted = TypeVar("Fitted")


def learned(fit: Callable[[History, np.random.Generator], Fitted], server: Server, n: int = 40) -> Fitted:
    rng = np.random.default_rng(2)
    configs = [dict(zip("abc", rng.random(3), strict=True)) for _ in range(n)]
    return fit(pool(SPACE, [Trial(c, server(c)) for c in configs]), np.random.default_rng(0))


def error(fit: Fit, server: Server) -> float:
    rng = np.random.default_rng(3)
    configs = [dict(zip("abc", rng.random(3), strict=True)) for _ in range(100)]
    encoder = Encoder(SPACE)
    mean, _ = learned(fit, server).predict(encoder.features(encoder.genotypes(configs)))
    off: float = np.sqrt(np.mean((mean - [server(c) for c in configs]) ** 2))
    return off


def smooth(c: Mapping[str, float]) -> float:
    high: float = 100 * np.exp(-2 * (c["a"] - 0.7) ** 2) + 30 * c["b"]
    return high


def cliffs(c: Mapping[str, float]) -> float:
    return 50.0 * (c["a"] > 0.62) + 40.0 * (c["b"] > 0.8) + 30.0 * (c["a"] > 0.3) + 20.0 * (c["b"] > 0.35)


@pytest.mark.slow
@pytest.mark.parametrize("fit", [fit_model, fit_sums])
def test_the_process_leads_where_it_is_smooth_the_forest_on_cliffs_and_the_mixture_is_never_far_behind(
    fit: Callable[[History, np.random.Generator], Model],
) -> None:
    process, forest, mixture = ([error(f, s) for s in (smooth, cliffs)] for f in (fit_sharp, fit_plain_forest, fit))
    assert process[0] < 0.5 * forest[0]
    assert forest[1] < process[1]
    assert mixture[0] < forest[0]
    assert mixture[1] < process[1]


@pytest.mark.slow
def test_the_sharp_model_is_surer_of_itself_than_the_mixture_of_what_it_has_not_seen() -> None:
    encoder = Encoder(SPACE)
    corners = encoder.features(np.array([[a, b, 0.5] for a in (0.0, 1.0) for b in (0.0, 1.0)]))
    sharp, mixture = (learned(fit, smooth, n=12).predict(corners)[1].mean() for fit in (fit_sharp, fit_model))
    assert sharp < mixture


@pytest.mark.parametrize("fit", [fit_sharp, fit_sums, fit_model])
def test_improvement_is_expected_where_it_is_and_the_weights_share_out_one(
    fit: Callable[[History, np.random.Generator], Model],
) -> None:
    model = learned(fit, smooth)
    encoder = Encoder(SPACE)
    good, bad = encoder.features(np.array([[0.7, 1.0, 0.5], [0.0, 0.0, 0.5]])).reshape(2, 1, -1)
    assert model.expected_improvement(good)[0] > model.expected_improvement(bad)[0] >= 0.0
    assert model.weights.sum() == pytest.approx(1.0)
    assert model.best == model.tried_means.max()


@pytest.mark.slow
def test_the_forest_has_its_share_of_the_mixture() -> None:
    assert learned(fit_model, smooth, n=5).weights[-1] == FOREST_WEIGHT
