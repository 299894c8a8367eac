"""The files that `make demo-night` writes are those that a user may write; and its day."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from croniter import croniter

from otterflow.experiment.backfill import load_replay
from otterflow.experiment.schedule import load_schedule
from stack.airflow_client import AirflowClient
from stack.night import NAME, NightLab, _interval, _wait
from stack.source import DAY, LENGTH, next_start
from stack.watch import ExperimentFailed


@pytest.fixture
def lab() -> Iterator[NightLab]:
    folder = Path(tempfile.mkdtemp(prefix="of-", dir="/tmp"))  # short enough for a socket's path
    yield NightLab(folder)
    shutil.rmtree(folder)


@pytest.mark.parametrize("minute", [0, 29, 57])
def test_the_recording_has_the_day_in_five_intervals_and_the_night_replays_the_busiest(
    lab: NightLab, minute: int
) -> None:
    begin = datetime.now(UTC).replace(minute=minute, second=0, microsecond=0)
    lab.define(begin, "demo-20261129")
    replay = load_replay(lab.recordings / f"{NAME}.yaml")
    fires = croniter(replay.recording.cron, begin, ret_type=datetime)
    assert [fires.get_next() for _ in DAY] == [begin + LENGTH * (hour + 1) for hour in range(len(DAY))]
    assert replay.recording.length == LENGTH
    assert replay.block.candidates == ("experiment:demo-20261129",)
    schedule = load_schedule(lab.schedules / f"{NAME}.yaml")
    assert schedule.recording is not None
    assert schedule.recording.pick == "busiest"
    closes = schedule.window(begin).closes
    assert timedelta(hours=2) < closes - datetime.now(UTC) < timedelta(hours=3, minutes=1)
    assert schedule.experiment(begin) == f"{NAME}-{begin:%Y%m%d}"
    assert (lab.host.target.has_users, lab.source.target.has_users) == (False, True)
    assert cast("Any", lab.host.target).is_a_copy
    assert lab.host.target.ssh_conn_id != lab.source.target.ssh_conn_id


def test_the_day_begins_at_a_whole_minute_that_can_be_met() -> None:
    for second in (0, 30, 54, 55, 59):
        now = datetime(2026, 11, 29, 12, 0, second, tzinfo=UTC)
        begin = next_start(now)
        assert begin.second == 0
        assert timedelta(seconds=5) <= begin - now <= timedelta(seconds=65)


def test_an_interval_is_told_in_a_line() -> None:
    known = {"recording": "demo-1", "believed": True, "ratio": 1.234, "low": 1.1, "high": 1.4, "why_not": ""}
    assert _interval([known]) == "demo-1: 1.23 times as good (95 % interval 1.10 to 1.40)"
    assert _interval([known | {"believed": False, "why_not": "two rounds"}]) == "demo-1: cannot be judged: two rounds"


class Client:
    """An Airflow whose one run has failed."""

    def dag_runs(self, dag_id: str) -> list[dict[str, Any]]:
        return [{"dag_run_id": "r", "state": "failed"}]

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        return [{"task_id": "check", "state": "failed", "try_number": 1}]

    def task_log(self, *_: Any) -> list[str]:
        return ["the disk is full"]


def test_what_has_failed_ends_the_demo_with_its_log() -> None:
    with pytest.raises(
        ExperimentFailed, match="run r of record_demo failed\\n--- end of the log of check\\nthe disk is"
    ):
        _wait(lambda: False, cast("AirflowClient", Client()), "record_demo")
