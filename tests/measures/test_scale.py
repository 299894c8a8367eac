"""From measured values to scores and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otterflow.measures.scale import Scale

VALUES = st.lists(st.floats(-1e6, 1e6).filter(lambda v: abs(v) > 1e-6), min_size=1, max_size=9)


@given(values=VALUES, maximise=st.booleans())
def test_a_score_goes_back_to_its_value_and_larger_is_better(values: list[float], maximise: bool) -> None:
    scale = Scale.of(values, maximise=maximise)
    assert scale.logarithmic is all(v > 0 for v in values)
    for value in values:
        assert scale.value(scale.score(value)) == pytest.approx(value, rel=1e-9)
    best = max(values) if maximise else min(values)
    assert scale.score(best) == max(scale.score(v) for v in values)


def test_a_gain_is_a_share_on_either_scale() -> None:
    for maximise, better in ((True, 120.0), (False, 100 / 1.2)):
        scale = Scale.of([100.0], maximise=maximise)
        assert scale.gain(scale.score(better), scale.score(100.0)) == pytest.approx(0.2)
    linear = Scale.of([-100.0, 50.0, 80.0], maximise=True)
    assert linear.gain(linear.score(-80.0), linear.score(-100.0)) == pytest.approx(0.2)
    falling = Scale.of([-100.0, 50.0, 80.0], maximise=False)
    assert falling.gain(falling.score(-120.0), falling.score(-100.0)) == pytest.approx(0.2)


@pytest.mark.parametrize("scale", [Scale(True, True), Scale(False, True), Scale(True, False, 2.0)])
def test_a_difference_is_what_makes_a_gain(scale: Scale) -> None:
    against = scale.score(4.0)
    assert scale.gain(against + scale.difference(0.03, against), against) == pytest.approx(0.03)


def test_an_interval_is_in_the_objectives_own_order() -> None:
    low, high = Scale.of([5.0], maximise=False).interval(-1.0, 0.5)
    assert low < Scale(False, True).value(-1.0) < high


def test_values_that_are_all_zero_have_scores() -> None:
    assert Scale.of([0.0, 0.0], maximise=True).score(0.0) == 0.0
