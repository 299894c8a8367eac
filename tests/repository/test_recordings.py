"""Recordings that are known: added once, found by id and by name, and remembered when they are removed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from otterflow.errors import InvalidInput
from otterflow.repository import Repository

START = datetime(2026, 11, 29, 2, tzinfo=UTC)


def add(repository: Repository, day: int, name: str = "shop", **changes: Any) -> str:
    start = START + timedelta(days=day)
    recording_id = f"{name}-{start:%Y%m%dT%H%MZ}"
    values: dict[str, Any] = {
        "name": name, "target": "staging", "path": f"/srv/{recording_id}", "start": start,
        "end": start + timedelta(hours=1), "manifest": {"statements": 7},
    }  # fmt: skip
    repository.add_recording(recording_id, **(values | changes))
    return recording_id


def test_a_recording_is_found_as_it_was_added(repository: Repository) -> None:
    recording = repository.recording(add(repository, 0))
    assert (recording.id, recording.name, recording.target) == ("shop-20261129T0200Z", "shop", "staging")
    assert (recording.start, recording.end) == (START, START + timedelta(hours=1))
    assert (recording.manifest, recording.path) == ({"statements": 7}, "/srv/shop-20261129T0200Z")
    assert recording.removed_at is None


def test_those_of_a_name_come_in_the_order_of_their_intervals(repository: Repository) -> None:
    later, _, earlier = add(repository, 2), add(repository, 1, "bank"), add(repository, -1)
    assert [recording.id for recording in repository.recordings("shop")] == [earlier, later]
    assert repository.recordings("nothing") == []
    assert [repository.recorded(name) for name in ("shop", "bank", "nothing")] == [2, 1, 0]


def test_a_removed_one_stays_known_until_it_is_made_again(repository: Repository) -> None:
    recording_id = add(repository, 0)
    repository.remove_recording(recording_id)
    removed_at = repository.recording(recording_id).removed_at
    assert removed_at is not None
    repository.remove_recording(recording_id)
    assert repository.recording(recording_id).removed_at == removed_at
    add(repository, 0, manifest={"statements": 8})
    again = repository.recording(recording_id)
    assert (again.removed_at, again.manifest) == (None, {"statements": 8})


def test_an_unknown_one_is_refused_by_field(repository: Repository) -> None:
    for ask in (repository.recording, repository.remove_recording):
        with pytest.raises(InvalidInput, match="recording: 'shop-1' is unknown"):
            ask("shop-1")
