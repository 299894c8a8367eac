"""The figures of agreement, on numbers that are known."""

from __future__ import annotations

import math

import pytest

from tests.bench.recorded.agreement import gain_ratio, gains, rank_correlation


def test_rank_correlation() -> None:
    assert rank_correlation([1, 2, 3, 4], [10, 20, 30, 400]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)
    # Of five pairs whose ranks differ by 0, 1, 1, 1, 1: 1 - 6 * 4 / (5 * 24).
    assert rank_correlation([1, 2, 3, 4, 5], [1, 3, 2, 5, 4]) == pytest.approx(0.8)
    assert rank_correlation([1, 1, 2], [1, 1, 2]) == pytest.approx(1)
    assert math.isnan(rank_correlation([1, 1, 1], [1, 2, 3]))


def test_gains_are_of_neighbours() -> None:
    rounds = [{"default": 100.0, "a": 150.0}, {"default": 10.0, "a": 15.0}, {"default": 50.0, "a": 100.0}]
    assert gains(rounds) == {"default": 1.0, "a": 1.5}


def test_gain_ratio() -> None:
    loads = {"default": 1.0, "a": 4.0, "b": 0.25}
    assert gain_ratio(loads, loads) == pytest.approx(1)
    assert gain_ratio({"default": 1.0, "a": 2.0, "b": 0.5}, loads) == pytest.approx(0.5)
