"""Which interval a run of a recording is for, and which can be recorded at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from otterflow.errors import InvalidInput
from otterflow.operators.check_recording import check_interval, interval_of
from otterflow.workloads.recording.definition import RecordingDefinition
from tests.workloads.recording.test_definition import GOOD

FIRES = datetime(2026, 11, 29, 22, tzinfo=UTC)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


def definition(**changes: str) -> RecordingDefinition:
    return RecordingDefinition.model_validate(GOOD | changes)


def test_a_scheduled_run_of_a_log_has_the_interval_and_one_by_hand_what_lies_before_it() -> None:
    given = SimpleNamespace(run_after=FIRES, data_interval_start=FIRES - HOUR / 2, data_interval_end=FIRES)
    assert interval_of(definition(), given) == (FIRES - HOUR / 2, FIRES)
    for start in (None, FIRES):
        bare = SimpleNamespace(run_after=FIRES, data_interval_start=start, data_interval_end=start)
        assert interval_of(definition(), bare) == (FIRES - HOUR, FIRES)
        assert interval_of(definition(method="window"), bare) == (FIRES, FIRES + HOUR)


def test_a_log_is_read_when_its_interval_is_over() -> None:
    check_interval(definition(), FIRES - HOUR, FIRES, FIRES - 5 * SECOND)
    for now in (FIRES - 60 * SECOND, FIRES - HOUR * 30):
        with pytest.raises(InvalidInput, match="it ends at 2026-11-29 22:00 UTC, which is in the future"):
            check_interval(definition(), FIRES - HOUR, FIRES, now)
    for length in (25 * HOUR, 59 * SECOND):
        with pytest.raises(InvalidInput, match="1 minute to 24 hours are right"):
            check_interval(definition(), FIRES - length, FIRES, FIRES)


@pytest.mark.parametrize(
    ("length", "late", "skipped"),
    [
        ("1h", 58 * 60 * SECOND, False),
        ("1h", 59.5 * 60 * SECOND, True),
        ("1h", 9 * HOUR, True),
        ("1min", 10 * SECOND, False),
        ("1min", 40 * SECOND, True),
    ],
)
def test_a_window_of_which_too_little_is_left_is_skipped(length: str, late: timedelta, skipped: bool) -> None:
    window = definition(method="window", length=length)
    start, end = window.interval(FIRES)
    if not skipped:
        check_interval(window, start, end, FIRES + late)
        return
    with pytest.raises(AirflowSkipException, match="the window closed at"):
        check_interval(window, start, end, FIRES + late)
