"""What was in force before an experiment, of all knobs that anything since may have changed."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from otterflow.hosts.undo import values_before


def at(day: int) -> datetime:
    return datetime(2026, 11, day, tzinfo=UTC)


def promoted(day: int, **before: Any) -> Any:
    changes = [{"knob": knob, "before": value, "after": 0} for knob, value in before.items()]
    return SimpleNamespace(proposed_at=at(day), proposal={"changes": changes}, file_after="its file")


def test_of_each_knob_the_oldest_that_knew_it_tells() -> None:
    earlier, first, second = (
        SimpleNamespace(created_at=at(day), baseline=baseline)
        for day, baseline in ((1, {"a": 0, "z": 0}), (5, {"a": 1, "b": 1}), (9, {"a": 2, "b": 2, "c": 2}))
    )
    never = SimpleNamespace(**{**vars(promoted(6, c=9)), "file_after": None})
    promotions: Any = [promoted(2, z=8), never, promoted(7, c=7, d=7), promoted(8, d=8)]
    experiments: Any = [earlier, first, second]
    assert values_before(experiments, promotions, experiments[1]) == {"a": 1, "b": 1, "c": 7, "d": 7}
    assert values_before(experiments, promotions, experiments[2]) == {"a": 2, "b": 2, "c": 2}
