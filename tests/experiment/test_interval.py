"""One interval's verdict, from the measurements of its comparison."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from otterflow.experiment.interval import IntervalVerdict, interval_verdict
from otterflow.measures.formula import constraints
from otterflow.measures.goal import Goal
from otterflow.measures.objective import Objective
from otterflow.repository.records import Measurement, TrialState
from tests.workloads.replay.test_divergence import BASELINE

START, END = datetime(2026, 11, 29, 2, tzinfo=UTC), datetime(2026, 11, 29, 3, tzinfo=UTC)
NO_LIMITS = Goal(Objective.run_time, ())
STATEMENTS = BASELINE["replay"]["statements"]
GOAL = Goal(Objective.run_time, constraints(["latency_p99 < 50"], {"latency_p99": "number"}))


def turn(number: int, arm: str, value: float | None, result: dict[str, Any] | None = None, state: str = "ok") -> Any:
    known = {"errors": 2, "transactions": 100, "seconds": 1.0} if value is not None else {}
    return Measurement(1, number, arm, value, {**known, **(result or {})}, TrialState(state), START)


def turns(**more: Any) -> list[Measurement]:
    values = {"baseline": [10.0, 11.0, 9.0], "winner": [8.0, 8.6, 7.5]}
    return [turn(n, arm, value, **more) for arm, of in values.items() for n, value in enumerate(of, 1)]


def judged(measurements: list[Measurement], goal: Goal = GOAL, **more: Any) -> IntervalVerdict:
    return interval_verdict(
        measurements, goal, recording="shop-20261129T0200Z", start=START, end=END, experiment="replay-shop",
        candidate="winner", **more,
    )  # fmt: skip


def test_the_contracts_record() -> None:
    record = judged(turns()).record()
    assert json.loads(json.dumps(record)) == record
    wanted = [
        "recording",
        "interval",
        "arms",
        "ratio",
        "low",
        "high",
        "errors",
        "divergence",
        "worst_class",
        "believed",
    ]
    assert [name for name in record if name in wanted] == wanted
    assert record["interval"] == ["2026-11-29T02:00:00+00:00", "2026-11-29T03:00:00+00:00"]
    assert record["arms"] == {"baseline": [10.0, 11.0, 9.0], "winner": [8.0, 8.6, 7.5]}
    assert record["errors"] == {"baseline": 6, "winner": 6}
    assert record["believed"] is True
    assert 1 < record["low"] < record["ratio"] < record["high"], "less time is better"


@pytest.mark.parametrize(
    ("measurements", "why", "spoilt"),
    [
        ([*turns(), turn(4, "winner", None, {"message": "gone"}, "crashed")], "candidate crashed in round 4", True),
        ([*turns(), turn(4, "baseline", None, {"message": "gone"}, "crashed")], "baseline crashed in round 4", False),
        (turns()[:2], "0 rounds were measured", False),
        (
            [m for m in turns() if m.round < 3] + [turn(3, "winner", None, {"teaches_nothing": True}, "failed")],
            "2 rounds were measured, and three are the least",
            False,
        ),
        (
            [turn(m.round, m.arm, m.value, {"latency_ms": {"p99": 60 if m.arm == "winner" else 40}}) for m in turns()],
            "the candidate breaks a constraint",
            True,
        ),
    ],
)
def test_what_is_not_believed_says_why_and_whose_doing_it_is(
    measurements: list[Measurement], why: str, spoilt: bool
) -> None:
    found = judged(measurements)
    assert why in found.why_not
    assert found.spoilt is spoilt
    assert not found.believed
    assert found.as_ratio is None


def test_arms_that_have_not_done_the_same_work_are_not_compared() -> None:
    def done(m: Measurement, number: int) -> Any:
        result = {**BASELINE, "replay": {**BASELINE["replay"], "statements": STATEMENTS | {"done": number}}}
        return turn(m.round, m.arm, m.value, result)

    same = [done(m, 994) for m in turns()]
    assert judged(same, NO_LIMITS).believed
    found = judged([*same[:-1], done(same[-1], 700)], NO_LIMITS)
    assert found.divergence == ["round 3: 700 statements were done, and 994 in the baseline's"]
    assert found.why_not == f"the arms have not done the same work: {found.divergence[0]}"
    assert not found.spoilt


def test_the_worst_class_is_the_one_that_got_slowest_of_those_with_calls_enough() -> None:
    def result(arm: str, number: int) -> dict[str, Any]:
        worse = 1.0 if arm == "baseline" else 1.5
        return {
            "types": {
                "look up": {"transactions": 1000, "mean": 2.0 / worse + number / 100},
                "report": {"transactions": 15, "mean": 100.0 * worse + number},
                "seldom": {"transactions": 14, "mean": 9.0 * worse**5},
                "no time": {"transactions": 100},
            }
        }

    measured = [turn(m.round, m.arm, m.value, result(m.arm, m.round)) for m in turns()]
    found = judged(measured, NO_LIMITS).worst_class
    assert found is not None
    assert found["class"] == "report"
    assert found["ratio"] == pytest.approx(1 / 1.5, rel=0.02)
    assert found["low"] < found["ratio"] < found["high"]
    assert judged(turns(), NO_LIMITS).worst_class is None


def test_of_a_fast_class_the_servers_own_times_count() -> None:
    """A client's 0.3 ms of a statement of 0.04 ms say little of the server."""
    measured = [
        turn(m.round, m.arm, m.value, {"types": {"look": {"transactions": 99, "mean": 0.3, "server_mean": server}}})
        for m in turns()
        for server in [0.04 if m.arm == "baseline" else 0.08]
    ]
    found = judged(measured, NO_LIMITS).worst_class
    assert found is not None
    assert found["ratio"] == pytest.approx(0.5)
