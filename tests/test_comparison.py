"""The final comparison: fair turns, and ratios that say no more than was measured."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from otterflow.comparison import BASELINE, BEST, RULES, distinct, improvement, schedule, winner


def test_every_arm_takes_one_turn_a_round() -> None:
    turns = schedule([BASELINE, RULES, BEST], 5, seed=3)
    assert Counter(turns) == {(r, arm): 1 for r in range(1, 6) for arm in (BASELINE, RULES, BEST)}
    assert [r for r, _ in turns] == sorted(r for r, _ in turns)


def test_the_order_within_rounds_varies_and_follows_the_seed() -> None:
    orders = {tuple(arm for r, arm in schedule([BASELINE, RULES, BEST], 20, seed=1) if r == k) for k in range(1, 21)}
    assert len(orders) > 1
    assert schedule([BASELINE, BEST], 4, seed=1) == schedule([BASELINE, BEST], 4, seed=1)


def test_improvement_is_paired_within_rounds_so_drift_cancels() -> None:
    baseline = {1: 10.0, 2: 20.0, 3: 5.0, 4: 40.0}
    best = {r: value / 2 for r, value in baseline.items()}
    ratio = improvement(baseline, best, maximise=False)
    assert ratio is not None
    assert ratio.ratio == pytest.approx(2.0)
    assert ratio.low == pytest.approx(2.0)
    assert ratio.beyond_noise


def test_the_interval_is_students_t_on_the_logarithms() -> None:
    ratio = improvement({1: 1, 2: 1, 3: 1}, {1: 1.0, 2: math.e, 3: math.e**2}, maximise=True)
    assert ratio is not None
    half = 4.302653 / math.sqrt(3)  # t(0.975, 2) from a table; the logarithms 0, 1, 2 have standard deviation 1
    assert ratio.low == pytest.approx(math.exp(1 - half), rel=1e-5)
    assert ratio.high == pytest.approx(math.exp(1 + half), rel=1e-5)
    assert not ratio.beyond_noise


def test_two_rounds_give_a_ratio_without_an_interval() -> None:
    ratio = improvement({1: 2.0, 2: 2.0}, {1: 3.0, 2: 3.0}, maximise=True)
    assert ratio is not None
    assert (ratio.ratio, ratio.low, ratio.high, ratio.rounds) == (pytest.approx(1.5), None, None, 2)


def test_rounds_that_one_arm_lost_do_not_count() -> None:
    ratio = improvement({1: 2.0, 2: 100.0}, {1: 4.0, 3: 1.0}, maximise=True)
    assert ratio is not None
    assert ratio.rounds == 1
    assert ratio.ratio == pytest.approx(2.0)
    assert improvement({1: 2.0}, {2: 4.0}, maximise=True) is None


def test_the_winner_must_beat_the_baseline_beyond_noise() -> None:
    noisy = improvement({1: 1, 2: 1, 3: 1}, {1: 0.9, 2: 1.0, 3: 1.3}, maximise=True)
    clear = improvement({1: 1, 2: 1, 3: 1}, {1: 1.20, 2: 1.21, 3: 1.22}, maximise=True)
    clearer = improvement({1: 1, 2: 1, 3: 1}, {1: 1.50, 2: 1.51, 3: 1.52}, maximise=True)
    assert winner({RULES: None, BEST: noisy}) == BASELINE
    assert winner({RULES: clear, BEST: noisy}) == RULES
    assert winner({RULES: clearer, BEST: clear}) == RULES
    assert winner({RULES: clear, BEST: clearer}) == BEST


def test_equal_configurations_are_measured_once() -> None:
    arms = {BASELINE: {"a": 1}, RULES: {"a": 2}, BEST: {"a": 2}}
    assert distinct(arms) == {BASELINE: BASELINE, RULES: RULES, BEST: RULES}
