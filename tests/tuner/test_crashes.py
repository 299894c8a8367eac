from __future__ import annotations

from typing import cast

import numpy as np

from otterflow.knobs.space import KnobSpace
from otterflow.tuner import Trial
from otterflow.tuner.crashes import CrashModel, fit_crashes
from otterflow.tuner.history import pool
from otterflow.tuner.search import random_genes


def learned(space: KnobSpace, trials: list[Trial]) -> CrashModel:
    return fit_crashes(pool(space, trials), np.random.default_rng(0))


def test_the_knob_that_crashes_is_found_among_the_others(space: KnobSpace) -> None:
    history = pool(space, [])
    rng = np.random.default_rng(1)
    configs = [history.encoder.config(g) for g in random_genes(history.encoder, rng, 70)]
    crashed = [cast(int, c["memory"]) > 3000 for c in configs]
    trials = [
        Trial(c, None if bad else 1.0, "crashed" if bad else "ok") for c, bad in zip(configs, crashed, strict=True)
    ]
    model = learned(space, trials[:40])
    chances = model.probability(history.encoder.features(history.encoder.genotypes(configs[40:])))
    assert np.mean((chances > 0.5) == np.array(crashed[40:])) > 0.85
    worst = model.at_worst(history.encoder.features(history.encoder.genotypes(configs[40:])))
    assert (worst >= chances).all()
    assert (worst > chances).any()


def test_without_a_crash_the_chance_is_small_and_the_same_everywhere(space: KnobSpace) -> None:
    model = learned(space, [Trial(space.baseline(), 1.0)])
    chances = model.probability(np.eye(3))
    assert 0.0 < chances[0] < 0.1
    assert (chances == chances[0]).all()


def test_the_chance_rises_with_crashes_when_nothing_survives(space: KnobSpace) -> None:
    bad = [Trial({**space.baseline(), "workers": w}, None, "failed") for w in range(6)]
    few, many = (learned(space, bad[:n]).probability(np.zeros((1, 1)))[0] for n in (2, 6))
    assert few < many < 1.0


def test_a_configuration_that_was_never_in_force_teaches_nothing(space: KnobSpace) -> None:
    trials = [Trial(space.baseline(), 1.0), Trial({**space.baseline(), "workers": 5}, None, "not_applied")]
    assert len(pool(space, trials).genotypes) == 1


def test_one_crash_is_a_lesson_and_not_a_mishap_of_the_measurement(space: KnobSpace) -> None:
    history = pool(space, [])
    rng = np.random.default_rng(4)
    configs = [history.encoder.config(g) for g in random_genes(history.encoder, rng, 16)]
    trials = [Trial(c, 1.0) for c in configs[1:]] + [Trial(configs[0], None, "crashed")]
    model = learned(space, trials)
    chances = model.probability(history.encoder.features(history.encoder.genotypes(configs)))
    assert chances[0] > 0.3
    assert chances[0] > 2.0 * chances[1:].max()
    assert chances[1:].mean() < 0.12
