"""A live load before and after a change: worse beyond noise, a constraint that breaks, and too little to say."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from otterflow.experiment.comparison import unpaired
from otterflow.experiment.live_verdict import AFTER, BEFORE, judge, why_not_enough
from otterflow.measures.goal import Direction, Goal, goal
from otterflow.workloads.definition import Benchmark

LIVE = {
    "name": "live", "title": "t", "description": "d", "kind": "mixed", "objective": "latency_mean",
    "workload": {"driver": "live"}, "warmup_s": 0, "duration_s": 3, "run_timeout_s": 10, "max_error_share": 0.5,
}  # fmt: skip


def goal_of(*constraints: str, objective: str = "latency_mean") -> Goal:
    return goal(objective, Direction.own, constraints, Benchmark.model_validate(LIVE))


def windows(before: Sequence[float | None], after: Sequence[float | None]) -> list[dict[str, Any]]:
    """Windows whose mean time is the value, and whose throughput is 1000 over it."""
    return [
        {
            "phase": phase,
            "number": number,
            "value": value,
            "message": "" if value is not None else "the server is idle",
            "result": {}
            if value is None
            else {
                "throughput": 1000 / value, "latency_ms": {"mean": value}, "errors": 0, "transactions": 500,
                "seconds": 3.0,
            },
        }
        for phase, values in ((BEFORE, before), (AFTER, after))
        for number, value in enumerate(values, start=1)
    ]  # fmt: skip


STEADY = (10.0, 10.2, 9.9, 10.1, 10.0)


def test_what_is_much_slower_is_worse_from_the_third_window_on() -> None:
    assert not judge(windows(STEADY, (14.0, 14.1)), goal_of(), 5).worse
    verdict = judge(windows(STEADY, (14.0, 14.1, 14.2)), goal_of(), 5)
    assert verdict.worse
    assert verdict.high is not None
    assert verdict.high < 1
    assert verdict.ratio == pytest.approx(10 / 14, rel=0.05)
    assert (verdict.before, verdict.after) == (10.0, 14.1)
    assert "worse, beyond noise" in verdict.because


def test_what_is_within_noise_or_better_stays() -> None:
    for after in ((10.1, 9.8, 10.3, 10.0, 10.1), (7.0, 7.1, 7.2, 7.0, 7.1), (10.0, 20.0, 9.0, 11.0, 10.0)):
        assert not judge(windows(STEADY, after), goal_of(), 5).worse


def test_throughput_that_falls_is_worse() -> None:
    fell = [{**w, "value": 1000 / w["value"]} for w in windows(STEADY, (14.0, 14.1, 14.2))]
    assert judge(fell, goal_of(objective="throughput"), 5).worse


@pytest.mark.slow
def test_a_load_that_does_not_change_is_seldom_called_worse_though_it_is_looked_at_often() -> None:
    rng, called = random.Random(1), 0
    for _ in range(400):
        before = [rng.lognormvariate(0, 0.1) for _ in range(6)]
        after = [rng.lognormvariate(0, 0.1) for _ in range(6)]
        called += any(judge(windows(before, after[:n]), goal_of(), 6).worse for n in range(1, 7))
    assert called <= 20, "5 % of 400, to one side of the interval 2.5 %"


def test_a_constraint_that_held_and_breaks_is_enough_by_one_window() -> None:
    verdict = judge(windows(STEADY, (12.5,)), goal_of("latency_mean < 12"), 5)
    assert verdict.worse
    assert verdict.because == "constraint latency_mean < 12 held before, and is broken"
    assert not judge(windows(STEADY, (11.5,)), goal_of("latency_mean < 12"), 5).worse


def test_a_constraint_that_was_broken_before_is_not_the_changes_doing() -> None:
    assert not judge(windows((*STEADY, 13.0), (12.5,)), goal_of("latency_mean < 12"), 5).worse


def test_windows_in_which_nothing_could_be_measured_are_no_windows() -> None:
    found = windows((10.0, None, 10.1), (10.0,))
    assert why_not_enough(found, BEFORE) == (
        "2 windows could be measured, and 3 are the least that say anything; the last that could not be measured: the "
        "server is idle"
    )
    assert why_not_enough(windows(STEADY, ()), BEFORE) is None
    assert not judge(found, goal_of(), 5).worse


def test_values_that_do_not_vary_at_all_are_compared_all_the_same() -> None:
    same = unpaired([2.0] * 3, [2.0] * 3, maximise=False)
    assert same is not None
    assert (same.ratio, same.low, same.high) == (1.0, 1.0, 1.0)
    assert unpaired([2.0] * 2, [2.0] * 3, maximise=False) is None
    signed = unpaired([-1.0, 0.0, 1.0], [1.0, 2.0, 3.0], maximise=True)
    assert signed is not None
    assert signed.ratio > 1
