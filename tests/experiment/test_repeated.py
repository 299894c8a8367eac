"""Looks after every round: how often they err together, what a hiccup does, and when a comparison is decided."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from scipy.stats import norm, t

from otterflow.experiment.comparison import BASELINE, BEST, RULES
from otterflow.experiment.looks import nominal_level
from otterflow.experiment.repeated import ABOVE, BELOW, Looks, Repeated
from otterflow.experiment.robust import deviation, middle_of
from otterflow.experiment.standing import Standing, standing
from otterflow.measures.formula import constraints
from otterflow.measures.goal import Goal
from otterflow.measures.objective import Objective
from otterflow.repository.records import Measurement, TrialState

LOOKS = Looks(15, 0.03)
GOAL = Goal(Objective.throughput)
NUMBERS: dict[str, object] = {"errors": 0, "transactions": 5, "seconds": 1.0}


def test_a_single_look_has_the_whole_error() -> None:
    assert nominal_level(0.025, 3, 3, 3) == pytest.approx(0.025)


def test_all_looks_together_exceed_their_bounds_with_the_error_and_the_first_seldom() -> None:
    levels = [nominal_level(0.05, n, 10, 3) for n in range(3, 11)]
    assert levels == sorted(levels)
    assert levels[0] == pytest.approx(0.05 * 0.3**4)
    assert levels[-1] < 0.05
    sums = np.cumsum(np.random.default_rng(0).standard_normal((100_000, 10)), axis=1)[:, 2:]
    exceeded = sums / np.sqrt(np.arange(3, 11)) > norm.isf(levels)
    assert exceeded.any(axis=1).mean() == pytest.approx(0.05, abs=0.003)
    assert exceeded[:, :4].any(axis=1).mean() == pytest.approx(0.05 * 0.6**4, abs=0.001)


def test_where_nothing_sticks_out_the_middle_is_the_mean_with_the_usual_variance() -> None:
    sample = [0.1, 0.2, 0.15, 0.05, 0.1, 0.12]
    found = middle_of(sample, deviation([sample]))
    assert found.middle == pytest.approx(np.mean(sample))
    assert found.variance == pytest.approx(np.var(sample, ddof=1))
    assert (found.degrees, found.count) == (5, 6)


def test_a_hiccup_moves_the_middle_by_little_and_makes_it_less_sure() -> None:
    calm = [0.10, 0.12, 0.08, 0.11, 0.09, 0.10, 0.12, 0.08]
    shaken = [*calm[:-1], -0.9]
    found = middle_of(shaken, deviation([shaken]))
    assert abs(found.middle - 0.1) < 0.02 < abs(np.mean(shaken) - 0.1)
    assert found.variance > middle_of(calm, deviation([calm])).variance
    few = [0.1, 0.11, -0.9]
    assert middle_of(few, deviation([few])).middle == pytest.approx(np.mean(few)), "too few to tell the odd one"


def test_the_interval_of_the_only_look_is_students_t_with_more_of_the_error_below() -> None:
    values = {BASELINE: {1: 1.0, 2: 1.0, 3: 1.0}, BEST: {1: 1.0, 2: math.e, 3: math.e**2}}
    found = Repeated(values, Looks(3, 0.03), maximise=True).ratio(BASELINE, BEST)
    assert found is not None
    assert found.ratio == pytest.approx(math.e)
    assert found.low == pytest.approx(math.exp(1 - t.isf(BELOW, 2) / math.sqrt(3)))
    assert found.high == pytest.approx(math.exp(1 + t.isf(ABOVE, 2) / math.sqrt(3)))
    assert BELOW + ABOVE == pytest.approx(0.05)


def test_a_ratio_and_its_inverse_have_the_same_middle_and_values_without_a_logarithm_have_a_difference() -> None:
    values = {BASELINE: {1: 1.0, 2: 1.1, 3: 1.0}, RULES: {1: 2.0, 2: 2.1, 3: 2.2}}
    repeated = Repeated(values, LOOKS, maximise=True)
    one, other = repeated.ratio(BASELINE, RULES), repeated.ratio(RULES, BASELINE)
    assert one is not None
    assert other is not None
    assert one.ratio == pytest.approx(1 / other.ratio)
    linear = Repeated({BASELINE: {1: -100.0, 2: -90.0}, BEST: {1: -50.0, 2: -40.0}}, LOOKS, maximise=True)
    found = linear.ratio(BASELINE, BEST)
    assert found is not None
    assert found.ratio == pytest.approx(1 + 50 / 95)
    assert (found.low, found.rounds) == (None, 2)
    assert repeated.ratio(BASELINE, BEST) is None


def test_arms_that_agree_by_luck_are_not_believed_more_than_the_others_noise_allows() -> None:
    noisy = {1: 100.0, 2: 120.0, 3: 80.0}
    values = {BASELINE: noisy, BEST: {r: 1.1 * x for r, x in noisy.items()}, RULES: {1: 125.0, 2: 90.0, 3: 100.0}}
    found = Repeated(values, Looks(3, 0.03), maximise=True).ratio(BASELINE, BEST)
    assert found is not None
    assert found.low is not None
    assert found.low < 0.8


def stands(best_result: dict[str, object] | None = None, goal: Goal = GOAL, **arms: list[float | None]) -> Standing:
    """How it stands after rounds with these values; None is a turn that crashed."""
    measured = [
        Measurement(
            1, n, arm, value, NUMBERS | (best_result or {}) if arm == BEST else NUMBERS,
            TrialState.crashed if value is None else TrialState.ok, datetime(2026, 1, 1, tzinfo=UTC),
        )
        for arm, of in arms.items()
        for n, value in enumerate(of, 1)
    ]  # fmt: skip
    return standing(measured, goal, LOOKS)


def calm(level: float, rounds: int = 8) -> list[float | None]:
    """Values that vary by a per cent around a level, in another order for each."""
    return [level * (1 + 0.01 * math.sin(n * level)) for n in range(rounds)]


@pytest.mark.parametrize(
    ("baseline", "rules", "best", "winner", "decided"),
    [
        (100, 130, 200, BEST, "best is better than the baseline and than the rules"),
        (100, 130, 130.1, RULES, "rules is better than the baseline, and best does not gain 3.0% over it"),
        (100, 130, 90, RULES, "rules is better than the baseline, and best"),
        (100, 90, 130, BEST, "best is better than the baseline"),
        (100, 99, 98, BASELINE, "neither gains 3.0% over the baseline"),
    ],
)
def test_a_comparison_ends_once_more_rounds_would_change_nothing_that_matters(
    baseline: float, rules: float, best: float, winner: str, decided: str
) -> None:
    found = stands(baseline=calm(baseline), rules=calm(rules), best=calm(best))
    assert found.winner == winner
    assert (found.decided or "").startswith(decided)


def test_a_comparison_goes_on_while_one_arm_may_still_gain() -> None:
    wild: list[float | None] = [100, 140, 90, 120]
    assert stands(baseline=calm(100, 4), rules=calm(130, 4), best=wild).decided is None
    assert stands(baseline=calm(100, 2), rules=calm(130, 2), best=calm(200, 2)).decided is None, "two rounds are none"
    assert stands(baseline=calm(100, 4), rules=calm(130, 4), best=calm(133, 4)).decided is None, "rules or best?"
    assert standing([], GOAL, LOOKS).decided is None


def test_nobody_waits_for_an_arm_that_cannot_win() -> None:
    crashed: list[float | None] = [300.0, None]
    found = stands(baseline=calm(100), rules=calm(130), best=crashed)
    assert (found.winner, found.decided) == (RULES, "rules is better than the baseline")
    assert stands(baseline=calm(100), best=crashed).decided == "no arm is left that could win"
    limits = constraints(["errors < 1"], {"errors": "number"})
    found = stands(
        {"errors": 5}, Goal(Objective.throughput, limits), baseline=calm(100), rules=calm(130), best=calm(300)
    )
    assert (found.winner, found.decided) == (RULES, "rules is better than the baseline")


def test_given_arms_are_each_compared_with_the_baseline_until_all_are_decided() -> None:
    assert stands(baseline=calm(100), bigger=calm(130), smaller=calm(90)).decided is not None
    wild: list[float | None] = [100, 140, 90, 120]
    assert stands(baseline=calm(100, 4), bigger=calm(130, 4), smaller=wild).decided is None
