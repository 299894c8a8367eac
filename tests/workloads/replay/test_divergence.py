"""Which replays did the same work as the baseline's, and which cannot be judged by it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from otterflow.workloads.replay.divergence import Limits, diverged


def one(calls: float, seconds: float, rows: float) -> dict[str, float]:
    return {"transactions": calls, "errors": 0.0, "seconds": seconds, "rows": rows, "mean": 1000 * seconds / calls}


BASELINE: dict[str, Any] = {
    "types": {"look": one(900, 60.0, 9000), "take": one(80, 39.0, 80), "seldom": one(14, 1.0, 1000)},
    "replay": {
        "schedule": "think", "factor": 1.0, "errors": {"40P01": 2},
        "statements": {"to_send": 1000, "done": 994, "skipped_after_an_error": 4, "not_sent": 2},
        "other_classes": {"calls": 0, "seconds": 0.0, "rows": 0},
    },
}  # fmt: skip


def replay(**changes: Any) -> dict[str, Any]:
    """The baseline's result, changed: `path=value`, with `__` between the steps of a path."""
    changed = copy.deepcopy(BASELINE)
    for path, value in changes.items():
        at: Any = changed
        *steps, last = path.split("__")
        for step in steps:
            at = at[step]
        at[last] = value
    return changed


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"replay__statements__done": 985},
        {"replay__statements__done": 1004},
        {"replay__errors": {"40P01": 7}},
        {"replay__errors": {"40P01": 2, "23505": 5}},
        {"replay__errors": {}},
        {"types__look__rows": 9800},
        {"types__take__rows": 90},
        {"types__seldom__rows": 0},
        {"types__look__transactions": 14, "types__look__rows": 3},
        {"types__look__seconds": 6.0, "types__take__seconds": 400.0},
        {"replay__lateness_ms": {"p99": 5000.0}},
    ],
)
def test_what_is_within_the_limits(changes: dict[str, Any]) -> None:
    assert diverged(BASELINE, replay(**changes)) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"replay__schedule": "fast"}, "its schedule was fast, and the baseline's think"),
        ({"replay__factor": 2.0}, "its factor was 2.0, and the baseline's 1.0"),
        ({"replay__statements__to_send": 1200}, "it had 1200 statements to send, and the baseline's 1000: that is"),
        ({"replay__statements__done": 983}, "983 statements were done, and 994 in the baseline's"),
        ({"replay__statements__done": 1005}, "1005 statements were done, and 994 in the baseline's"),
        ({"replay__errors": {"40P01": 8}}, "8 errors 40P01, and 2 in the baseline's"),
        ({"replay__errors": {"40P01": 2, "55P03": 6}}, "6 errors 55P03, and 0 in the baseline's"),
        (
            {"types__look__rows": 8000},
            "classes with 60% of the time gave other rows: 8000 rows of class look, and 9000",
        ),
        (
            {"types__look__rows": 9901},
            "classes with 60% of the time gave other rows: 9901 rows of class look, and 9000",
        ),
        ({"types__take__rows": 91}, "classes with 39% of the time gave other rows: 91 rows of class take, and 80"),
    ],
)
def test_what_is_beyond_the_limits(changes: dict[str, Any], said: str) -> None:
    (sentence,) = diverged(BASELINE, replay(**changes))
    assert sentence.startswith(said)


def test_classes_of_little_time_may_differ() -> None:
    little = replay(types__take__seconds=3.0)
    assert diverged(little, replay(types__take__rows=0)) == []
    assert diverged(little, replay(types__take__rows=0), Limits(time=0.02)) != []


def test_all_that_diverged_is_told() -> None:
    several = replay(replay__statements__done=0, replay__errors={"57014": 900}, types__look__rows=0)
    assert len(diverged(BASELINE, several)) == 3


def test_a_class_that_is_not_there_any_more_is_a_matter_of_statements_done() -> None:
    without = replay()
    del without["types"]["look"]
    assert diverged(BASELINE, without) == []
