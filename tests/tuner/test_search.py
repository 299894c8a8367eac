from __future__ import annotations

import numpy as np
import pytest

from otterflow.knobs.space import KnobSpace
from otterflow.tuner.acquisition import expected_improvement
from otterflow.tuner.design import design_point, design_size
from otterflow.tuner.encoding import Array, Encoder
from otterflow.tuner.search import best_children, children, polished, random_genes


def test_a_child_keeps_most_of_its_parent_and_moves_one_knob_at_least(space: KnobSpace) -> None:
    encoder = Encoder(space)
    parents = np.repeat(encoder.genotypes([space.baseline()]), 500, axis=0)
    one = np.full((500, 1), 1.0)
    made = children(encoder, np.random.default_rng(0), parents, 0.1 * one, 0.5 * one, 0.1 * one)
    for genotype in made:
        space.validate(encoder.config(genotype))
    moved = (made != parents).sum(axis=1)
    assert 0.5 < moved.mean() < 2.0


def test_the_best_children_come_first_and_beat_chance(space: KnobSpace) -> None:
    encoder = Encoder(space)
    starts = encoder.genotypes([space.baseline()])

    def worth(genotypes: Array) -> Array:
        return -np.abs(genotypes[:, 0] - 0.9)

    found = best_children(encoder, worth, starts, np.random.default_rng(0), shares=(0.2, 0.5), keep=5)
    assert len(found) == 5
    assert (np.diff(worth(found)) <= 0).all()
    assert worth(found)[0] > -0.05


@pytest.mark.parametrize(("budget", "size"), [(None, 8), (1, 2), (10, 2), (20, 4), (24, 5), (1000, 8)])
def test_a_short_experiment_gets_a_short_design(budget: int | None, size: int) -> None:
    assert design_size(12, budget) == size
    assert design_size(2, budget) <= 4


def test_a_point_of_the_design_moves_its_share(space: KnobSpace) -> None:
    encoder = Encoder(space)
    centre = encoder.genotype(space.baseline())
    rng = np.random.default_rng(0)
    moved = [(design_point(encoder, centre, rng, 0.5) != centre).sum() for _ in range(50)]
    assert max(moved) == 3
    assert np.mean(moved) > 2.0


def test_expected_improvement_agrees_with_sampling() -> None:
    rng = np.random.default_rng(0)
    mean, std, best = np.array([0.3, -1.0]), np.array([0.5, 2.0]), 0.6
    sampled = np.maximum(mean + std * rng.standard_normal((400_000, 2)) - best, 0.0).mean(axis=0)
    assert expected_improvement(mean, std, best) == pytest.approx(sampled, rel=0.02)


def test_polishing_finds_better_and_keeps_as_many(space: KnobSpace) -> None:
    encoder = Encoder(space)

    def worth(genotypes: Array) -> Array:
        value: Array = -np.abs(np.where(genotypes < 0, 0.0, genotypes) - 0.3).sum(axis=1)
        return value

    rng = np.random.default_rng(0)
    found = best_children(encoder, worth, random_genes(encoder, rng, 3), rng, shares=(0.5,), keep=6)
    tops = polished(encoder, worth, found, rng, 0.5)
    assert tops.shape == found.shape
    assert worth(tops)[0] > worth(found)[0]
    assert (np.diff(worth(tops)) <= 0).all()
    assert encoder.snap(tops) == pytest.approx(tops)


def test_in_mode_safe_a_point_of_the_design_stays_near(space: KnobSpace) -> None:
    encoder = Encoder(space)
    centre, rng = encoder.genotypes([space.baseline()])[0], np.random.default_rng(0)
    numbers = encoder.numeric & (centre >= 0)
    anywhere, close = (
        np.mean([np.abs(design_point(encoder, centre, rng, 1.0, near)[numbers] - centre[numbers]) for _ in range(200)])
        for near in (0.0, 0.9)
    )
    assert close < 0.5 * anywhere
