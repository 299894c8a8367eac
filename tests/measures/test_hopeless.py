"""What a run that is still measured can come to: never less than it does, and said as soon as it can be."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otterflow.measures.hopeless import LEAST_COURSES, MARGIN, TIMES, Course, Hope
from otterflow.measures.objective import Objective

STREAMS = [Course(value=v, warmup_s=1.2 * v, run_s=v + 0.5) for v in (10.0, 12.0, 8.0, 11.0)]
STEADY = [Course(value=v / 2, warmup_s=5.0, run_s=20.0, rates=(v,) * 20) for v in (1000.0, 900.0, 1100.0, 950.0)]


def hope(objective: Objective, courses: list[Course]) -> Hope:
    found = Hope.by(objective, courses)
    assert found is not None
    return found


def test_the_first_trials_are_not_judged() -> None:
    assert Hope.by(Objective.run_time, STREAMS[: LEAST_COURSES - 1]) is None


@pytest.mark.parametrize("objective", [Objective.latency_p95, Objective.latency_mean])
def test_latencies_are_not_judged(objective: Objective) -> None:
    assert Hope.by(objective, STREAMS) is None


def test_a_stream_is_hopeless_once_its_seconds_are_too_many() -> None:
    found = hope(Objective.run_time, STREAMS)
    assert found.best == 8
    early, late = (found.at_best("run", seconds, ()) for seconds in (12.0, 20.0))
    assert early is not None
    assert late is not None
    assert not found.is_hopeless(early)
    assert found.is_hopeless(late)
    assert late < 20 * 8 / 8.5, "more hopeful than the most hopeful course"


def test_a_warm_up_is_judged_by_what_warm_ups_were_to_runs() -> None:
    found = hope(Objective.run_time, STREAMS)
    at_best = cast(float, found.at_best("warmup", 30.0, ()))
    assert at_best == pytest.approx(30 / 1.2 / MARGIN)
    assert found.is_hopeless(at_best)
    assert hope(Objective.run_time, [Course(c.value, 0.0, c.run_s) for c in STREAMS]).at_best("warmup", 99, ()) is None


def test_a_rate_is_hopeless_once_even_the_rest_would_not_save_it() -> None:
    found = hope(Objective.throughput, STEADY)
    assert found.best == 550
    assert found.at_best("run", 1.0, [100.0]) is None, "too early"
    assert found.at_best("warmup", 9.0, [100.0] * 9) is None, "a warm-up's rates are none of the run's"
    at_best = cast(float, found.at_best("run", 5.0, [100.0] * 5))
    assert at_best == pytest.approx((5 * 100 + 15 * 100 * MARGIN) / 20 / 2)
    assert found.is_hopeless(at_best)
    good = found.at_best("run", 5.0, [700.0] * 5)
    assert good is not None
    assert not found.is_hopeless(good)


def test_where_runs_begin_slowly_a_slow_begin_is_not_held_against_one() -> None:
    slow = [Course(c.value, 0.0, 20.0, (100.0,) * 5 + c.rates[5:]) for c in STEADY]
    found = hope(Objective.throughput, slow)
    at_best = found.at_best("run", 5.0, [100.0] * 5)
    assert at_best is not None
    assert not found.is_hopeless(at_best)


def test_what_stands_still_is_not_judged() -> None:
    """A lock may be let go: there is no rate to go by, and zero is no value."""
    assert hope(Objective.throughput, STEADY).at_best("run", 9.0, [0.0] * 9) is None


@pytest.mark.slow
@settings(max_examples=50)
@given(
    st.lists(st.floats(10, 1000), min_size=20, max_size=20),
    st.lists(st.lists(st.floats(10, 1000), min_size=20, max_size=20), min_size=LEAST_COURSES, max_size=8),
    st.integers(4, 20),
)
def test_a_run_that_is_like_one_of_the_courses_is_never_thought_less_of(
    rates: list[float], others: list[list[float]], told: int
) -> None:
    courses = [Course(sum(each) / 20, 0.0, 20.0, tuple(each)) for each in [rates, *others]]
    at_best = hope(Objective.throughput, courses).at_best("run", float(told), rates[:told])
    assert at_best is not None
    assert at_best >= courses[0].value * (1 - 1e-9)


def test_a_course_survives_its_record() -> None:
    course = Course(5.0, 1.5, 20.25, (1.5, 2.25))
    assert Course.of(5.0, {"course": course.as_dict()}) == course
    assert Course.of(None, {"course": course.as_dict()}) is None
    assert Course.of(5.0, {}) is None
    assert TIMES > 1
