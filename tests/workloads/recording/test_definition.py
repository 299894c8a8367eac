"""What is to be recorded: what a good file gives, and what each bad one is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from otterflow.errors import InvalidInput
from otterflow.workloads.recording.definition import (
    Above,
    RecordingDefinition,
    load_recording_definition,
    recording_definitions,
)

GOOD: dict[str, Any] = {
    "name": "shop",
    "source": "shop",
    "database": "shop",
    "replay_on": "staging",
    "dir": "/srv/recordings",
    "cron": "0 23 * * *",
    "timezone": "Europe/Berlin",
    "length": "1h",
    "method": "server_log",
}


def load(folder: Path, **changes: Any) -> RecordingDefinition:
    path = folder / "shop.yaml"
    path.write_text(yaml.safe_dump(GOOD | changes))
    return load_recording_definition(path)


def test_a_recording_is_named_after_the_interval_it_holds(tmp_path: Path) -> None:
    definition = load(tmp_path)
    start = datetime(2026, 11, 29, 2, tzinfo=UTC)
    assert definition.recording_id(start.astimezone(definition.zone)) == "shop-20261129T0200Z"
    assert definition.folder(start) == "/srv/recordings/shop-20261129T0200Z"
    assert (definition.dag_id, definition.length) == ("record_shop", timedelta(hours=1))


def test_a_log_is_read_after_its_interval_and_a_window_lies_before_its_run(tmp_path: Path) -> None:
    fires = datetime(2026, 11, 29, 22, tzinfo=UTC)
    assert load(tmp_path).interval(fires) == (fires - timedelta(hours=1), fires)
    assert load(tmp_path, method="window").interval(fires) == (fires, fires + timedelta(hours=1))


def test_sizes_have_units(tmp_path: Path) -> None:
    definition = load(
        tmp_path, max_size="500MB", retention={"days": 7, "size": "3 GB"}, budget={"log_size": "1GB", "above": "sample"}
    )
    assert (definition.max_size, definition.retention.size) == (500 * 2**20, 3 * 2**30)
    assert (definition.budget.log_size, definition.budget.above) == (2**30, Above.sample)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cron": "0 25 * * *"}, r"cron: value '0 25 \* \* \*'.*five fields are right"),
        ({"cron": "@daily"}, "cron: value '@daily'.*five fields are right"),
        ({"timezone": "Europe/Berlino"}, "timezone: value 'Europe/Berlino'.*IANA"),
        ({"max_size": "500M"}, "max_size: value '500M'.*use 500MB"),
        ({"max_size": 500}, "max_size: value 500 .*use one of TB, GB"),
        ({"share": 0}, "share: value 0 .*greater than 0"),
        ({"share": 2}, "share: value 2 .*less than or equal to 1"),
        ({"method": "transaction_sample"}, "share: 1 is no sample"),
        ({"replay_on": "shop"}, "source and replay_on are both 'shop'"),
        ({"length": "2h", "cron": "0 * * * *"}, "length: 120min is longer than the 60min .* at most 60min"),
        ({"length": "90min", "cron": "0 9,10,22 * * *"}, "length: 90min is longer than the 60min"),
        ({"length": "30s"}, "length: value '30s'.*1min to 24h"),
        ({"length": "25h"}, "length: value '25h'.*1min to 24h"),
        ({"length": 60}, "length: value 60 .*such as 1h"),
        ({"length": "1 week"}, "length: value '1 week'.*such as 1h"),
        ({"dir": "recordings"}, "dir: value 'recordings'"),
        ({"dir": "/"}, "dir '/': a folder of otterflow's own"),
        ({"dir": "/srv/../etc"}, "dir '/srv/../etc': a folder of otterflow's own"),
        ({"method": "wal"}, "method: value 'wal'.*server_log"),
        ({"source": "../shop"}, "source: value '../shop'"),
        ({"database": "a\nb"}, "database: value"),
        ({"database": ""}, "database: value ''"),
        ({"max_size": 5}, "max_size: value 5 .*such as 2GB"),
        ({"max_size": "0GB"}, "max_size: value '0GB'.*above 0"),
        ({"retention": {"days": 0}}, "retention.days: value 0"),
        ({"retention": {"weeks": 2}}, "retention.weeks: value 2"),
        ({"budget": {"core_percent": 0}}, "budget.core_percent: value 0"),
        ({"budget": {"above": "hope"}}, "budget.above: value 'hope'"),
        ({"name": "other"}, "'other' differs from the file's name; name the file other.yaml"),
        ({"name": "no good"}, "name: value 'no good'"),
        ({"surprise": 1}, "surprise: value 1"),
    ],
)
def test_a_bad_file_names_field_value_and_what_is_right(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=f"(?s){said}"):
        load(tmp_path, **changes)


def test_an_hour_of_a_day_with_summer_time_is_an_hour(tmp_path: Path) -> None:
    """The length is measured against the wall clock, whose day in spring has 23 hours."""
    assert load(tmp_path, length="24h").length == timedelta(hours=24)


def test_a_folder_is_read_with_what_is_wrong_in_it(tmp_path: Path) -> None:
    load(tmp_path)
    (tmp_path / "torn.yaml").write_text("name: [")
    found = recording_definitions(tmp_path)
    assert isinstance(found["shop"], RecordingDefinition)
    assert isinstance(found["torn"], InvalidInput)
    with pytest.raises(InvalidInput, match=r"'bank' is unknown; known recordings: shop, torn"):
        load_recording_definition(tmp_path / "bank.yaml")
