"""Which recording a night replays, and whether the next one replays the same workload."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from otterflow.experiment.night_recording import CHANGED, NightRecording, distance
from otterflow.repository import RecordingRecord

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 20, 21, 30, tzinfo=UTC)
TONIGHT = date(2026, 11, 20)
"""A Friday."""


def manifest(*classes: tuple[str, int, float], complete: bool = True) -> dict[str, Any]:
    seconds = sum(each[2] for each in classes) or 1
    return {
        "complete": complete,
        "statements": sum(each[1] for each in classes),
        "classes": [
            {"class": str(number), "text": text, "statements": statements, "seconds": took, "weight": took / seconds}
            for number, (text, statements, took) in enumerate(classes)
        ],
    }


def recording(
    days_ago: float, seconds: float = 1.0, *, removed: bool = False, complete: bool = True
) -> RecordingRecord:
    start = NOW - timedelta(days=days_ago, hours=1)
    return RecordingRecord(
        id=f"shop-{days_ago:g}", name="shop", target="staging", path=f"/r/shop-{days_ago:g}", start=start,
        end=start + timedelta(hours=1), manifest=manifest(("SELECT ?", 10, seconds), complete=complete),
        recorded_at=NOW, removed_at=NOW if removed else None,
    )  # fmt: skip


@pytest.mark.parametrize(("pick", "chosen"), [("latest", "shop-1"), ("same_weekday", "shop-7"), ("busiest", "shop-3")])
def test_of_the_recordings_that_are_there_complete_and_young_one_is_chosen(pick: str, chosen: str) -> None:
    there = [
        recording(14, 99), recording(8, 99), recording(7, 1), recording(3, 5), recording(2, 4), recording(1, 3),
        recording(0.5, 99, removed=True), recording(0.2, 99, complete=False),
    ]  # fmt: skip
    asked = NightRecording.model_validate({"name": "shop", "pick": pick, "days": 7})
    found = asked.choose(there, TONIGHT, BERLIN, NOW)
    assert found is not None
    assert found.id == chosen


def test_the_day_of_the_week_is_that_of_the_schedules_time_zone() -> None:
    late = recording(7, 1)  # Friday 20:30 UTC: 21:30 in Berlin, Saturday 05:30 in Tokyo
    asked = NightRecording.model_validate({"name": "shop", "pick": "same_weekday", "days": 30})
    assert asked.choose([late], TONIGHT, BERLIN, NOW) is late
    assert asked.choose([late], TONIGHT, ZoneInfo("Asia/Tokyo"), NOW) is None


def test_none_where_there_is_none() -> None:
    assert NightRecording(name="shop").choose([recording(8)], TONIGHT, BERLIN, NOW) is None


@pytest.mark.parametrize("wrong", [{"pick": "first"}, {"days": 0}, {"name": "../x"}, {"newest": True}])
def test_bad_values_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        NightRecording.model_validate({"name": "shop"} | wrong)


def test_the_distance_of_two_mixes() -> None:
    one = manifest(("SELECT a", 50, 5.0), ("UPDATE b", 50, 5.0))
    assert distance(one, manifest(("UPDATE b", 500, 50.0), ("SELECT a", 500, 50.0))) == pytest.approx(0)
    assert distance(one, manifest(("SELECT c", 50, 5.0))) == pytest.approx(1)
    assert distance(one, manifest(("SELECT a", 60, 6.0), ("UPDATE b", 40, 4.0))) == pytest.approx(0.1)
    report = manifest(("SELECT a", 50, 5.0), ("UPDATE b", 50, 5.0), ("SELECT report", 1, 10.0))
    assert distance(one, report) == pytest.approx(0.5), "a class that is seldom called may take the time"
    assert distance(one, report) > CHANGED
    assert distance(one, manifest()) == pytest.approx(0.5)
