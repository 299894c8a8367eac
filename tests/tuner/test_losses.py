"""What is lost on the way from one configuration to others: differences are known where values are not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from otterflow.errors import InvalidInput
from otterflow.knobs.space import Config, KnobSpace
from otterflow.tuner import Losses, Trial, fit_losses

KNOBS = 6
SPACE = KnobSpace.from_records(
    [{"name": f"k{i}", "type": "real", "min": 0.0, "max": 1.0, "default": 0.0} for i in range(KNOBS)]
)
LOST = {"k0": 0.5, "k1": 0.2}
"""What each knob gives between 0 and 1; the others give nothing."""


def config(*knobs: str) -> Config:
    """These knobs at 1, the rest at 0."""
    return {name: float(name in knobs) for name in SPACE.names}


@pytest.fixture(scope="module")
def losses() -> Losses:
    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = [
        {name: float(v) for name, v in zip(SPACE.names, rng.random(KNOBS), strict=True)} for _ in range(30)
    ]
    trials = [Trial(row, sum(LOST.get(n, 0.0) * v for n, v in row.items()) + 0.01 * rng.normal()) for row in rows]
    return fit_losses(SPACE, trials, config(*SPACE.names), seed=0)


def test_each_knobs_part_is_found_and_parts_add_up(losses: Losses) -> None:
    full = set(SPACE.names)
    sets = [{"k0"}, {"k1"}, {"k2"}, {"k0", "k1"}, {"k2", "k3", "k4", "k5"}]
    lost = losses.to([config(*(full - home)) for home in sets])
    assert lost.mean == pytest.approx([0.5, 0.2, 0.0, 0.7, 0.0], abs=0.06)
    assert lost.mean[3] == pytest.approx(lost.mean[0] + lost.mean[1], abs=1e-6)
    assert (lost.std > 0).all()
    assert (lost.std < 0.1).all()
    assert losses.noise == pytest.approx(0.01, abs=0.02)
    likely = lost.probability_below(0.1)
    assert likely[0] < 0.01
    assert likely[4] > 0.9


def test_nothing_is_lost_on_the_way_to_the_same(losses: Losses) -> None:
    lost = losses.to([config(*SPACE.names)])
    assert abs(float(lost.mean[0])) < 1e-9
    assert float(lost.std[0]) < 1e-3


def test_a_difference_is_surer_than_either_value(losses: Losses) -> None:
    """The processes are asked for both ends: their doubts are alike, and drop out of the difference."""
    features = losses.encoder.features(losses.encoder.genotypes([config(*SPACE.names), config("k0", "k1")]))
    _, stds = losses.process.predict(features)
    _, apart = losses.process.above(features[0], features[1:])
    assert float(apart.mean()) < math.hypot(*stds.mean(axis=0))


@pytest.mark.slow
def test_the_same_trials_give_the_same_answer_and_wrong_ones_are_refused() -> None:
    trials = [Trial(config(), 0.0), Trial(config("k0"), 0.5), Trial(config("k1", "k2"), 0.2)]
    one, two = (fit_losses(SPACE, trials, config("k0"), seed=3).to([config()]) for _ in range(2))
    assert one.means.tolist() == two.means.tolist()
    with pytest.raises(InvalidInput, match=r"trials\[0\].config.k5: has no value"):
        fit_losses(SPACE, [Trial({f"k{i}": 0.0 for i in range(5)}, 1.0)], config(), seed=0)
