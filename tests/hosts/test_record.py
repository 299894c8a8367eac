"""A log becomes a recording on another host, with real bash and the real recorder in the place of both hosts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.errors import InvalidInput, MachineryFault
from otterflow.hosts import record, recording_check
from otterflow.hosts.known_recordings import apply_retention, make_known
from otterflow.hosts.record import RecordingPlan, Recordings
from otterflow.remote.script import JobScript
from otterflow.repository import Repository
from otterflow.workloads.recording.definition import RecordingDefinition
from otterflow.workloads.recording.reading import open_recording
from tests import other_dbms
from tests.dbms.conftest import target_of
from tests.hosts.this_machine import ThisMachine
from tests.workloads.recording.test_definition import GOOD
from tests.workloads.recording.test_recorder import logged

pytestmark = pytest.mark.slow

END = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=10)
START = END - timedelta(minutes=1)
RECORDING = f"shop-{START:%Y%m%dT%H%MZ}"


class Here:
    """A host, of which this machine stands for both machines."""

    is_live = False

    def __init__(self, target: Any, facts: dict[str, Any] | None = None) -> None:
        self.target, self.facts = target, facts
        self.session = self.driver_session = ThisMachine()
        self.local_access = DatabaseAccess("127.0.0.1", 1, "u", "bench")

    def new_session(self, *, on_driver: bool) -> ThisMachine:
        return self.session


@pytest.fixture
def at(tmp_path: Path) -> Recordings:
    (tmp_path / "server.json").write_text(
        logged(START - timedelta(minutes=1)) + logged(START + timedelta(seconds=5), "SELECT 'zebra'")
    )
    source = target_of(name="shop", ssh_conn_id="shop_ssh", work_dir=str(tmp_path / "source"), has_users=True)
    staging = target_of(name="staging", ssh_conn_id="staging_ssh", work_dir=str(tmp_path / "staging"))
    definition = RecordingDefinition.model_validate(GOOD | {"dir": f"{tmp_path}/kept/recordings", "database": "bench"})
    hosts: Any = Here(source), Here(staging)
    return Recordings(definition, *hosts)


def plan(folder: Path, **changes: Any) -> RecordingPlan:
    log = {"kind": "jsonlog", "timezone": "UTC", "prefix": "", "patterns": [f"{folder}/server.json*"]}
    given: dict[str, Any] = {
        "recording": RECORDING, "start": START.isoformat(), "end": END.isoformat(), "method": "server_log",
        "share": 1.0, "log": log, "settings": {}, "clock_ahead_s": 0.0,
    }  # fmt: skip
    return RecordingPlan(**(given | changes))


def test_a_log_becomes_a_recording_and_nothing_is_left_beside_it(at: Recordings, tmp_path: Path) -> None:
    manifest = at.record(plan(tmp_path), None)
    recording = open_recording(tmp_path / "kept" / "recordings" / RECORDING)
    assert [each.text for each in recording.statements()] == ["SELECT 'zebra'"]
    assert recording.manifest == manifest
    assert (manifest.complete, manifest.origin.source, manifest.origin.seconds) == (True, "shop", 60.0)
    assert list((tmp_path / "source" / "recordings").iterdir()) == []
    assert [path.name for path in (tmp_path / "source" / "jobs").iterdir() if path.is_dir()] == []
    (tmp_path / "server.json").unlink()
    assert at.record(plan(tmp_path), None) == manifest, "once more, though the log is gone"


def test_on_one_host_it_is_made_where_it_stays(at: Recordings, tmp_path: Path) -> None:
    at.replay.target = at.source.target.model_copy(update={"name": "staging"})  # type: ignore[misc]
    at.record(plan(tmp_path), None)
    assert (tmp_path / "kept" / "recordings" / RECORDING / "manifest.json").exists()
    assert not (tmp_path / "source" / "recordings").exists()


def test_what_the_recorder_says_is_told_and_it_is_begun_anew_when_the_task_is_cleared(
    at: Recordings, tmp_path: Path
) -> None:
    broken = plan(tmp_path, log=plan(tmp_path).log | {"timezone": "Mars/Olympus"})
    with pytest.raises(MachineryFault, match="log_timezone: 'Mars/Olympus' is not known on this host"):
        at.record(broken, None)
    assert at.record(plan(tmp_path), None).statements == 1


def test_a_window_that_ended_early_is_not_complete_and_says_why(at: Recordings, tmp_path: Path) -> None:
    captured = {"on_s": START.timestamp() + 1, "off_s": START.timestamp() + 9, "because": "the disk was nearly full"}
    manifest = at.record(plan(tmp_path, method="window"), captured)
    assert manifest.origin.seconds == 8
    assert manifest.missing == ("the window ended early: the disk was nearly full",)


def window_job(at: Recordings, folder: Path, captured: str, seconds: float) -> None:
    """A window's job that has said so much, and ends in so long with the file `whole`."""
    at.source.target = at.source.target.model_copy(update={"knobs_file": f"{folder}/knobs.conf"})  # type: ignore[misc]
    script = f"""printf '{captured}' > captured
echo begun
sleep {seconds}
touch {folder}/whole
"""
    assert at.jobs(RECORDING).begin("capture", JobScript(script), until="begun", within_s=30) is None


def test_what_a_window_has_logged_is_written_before_its_job_is_killed(at: Recordings, tmp_path: Path) -> None:
    window_job(at, tmp_path, "on 1.5\\noff 2.5 end\\n", 2)
    at.put_back(RECORDING)
    assert (tmp_path / "whole").exists()


@pytest.mark.parametrize("captured", ["on 1.5\\n", "on 1.5\\noff 2.5 end\\n"])
def test_a_window_that_is_open_or_writes_for_too_long_is_ended(
    at: Recordings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, captured: str
) -> None:
    monkeypatch.setattr(record, "WRITES_WITHIN_S", 1.0)
    window_job(at, tmp_path, captured, 3600)
    at.put_back(RECORDING)
    assert not at.jobs(RECORDING).exists("capture")
    assert not (tmp_path / "whole").exists()


def test_a_task_that_waits_for_the_end_of_a_window_takes_nothing_with_it(at: Recordings, tmp_path: Path) -> None:
    told: list[object] = []
    at._on_job = told.append
    window_job(at, tmp_path, "on 1.5\\noff 2.5 end\\n", 0)
    assert at.end_capture(plan(tmp_path)).off_s == 2.5
    assert told == []


@pytest.mark.parametrize("keeps", [True, False])
def test_the_repository_knows_it_without_a_value(at: Recordings, tmp_path: Path, keeps: bool) -> None:
    at.source.target = at.source.target.model_copy(update={"keep_statement_texts": keeps})  # type: ignore[misc]
    repository = Repository.open(f"sqlite:///{tmp_path}/repository.db")
    made = plan(tmp_path, clock_ahead_s=-300.0)
    with pytest.raises(MachineryFault, match="is gone from"):
        make_known(at, made, repository)
    at.record(made, None)
    make_known(at, made, repository)
    record = repository.recording(RECORDING)
    assert (record.start, record.end, record.target) == (START, END, "staging")
    assert "zebra" not in json.dumps(record.manifest)
    assert [each["text"] for each in record.manifest["classes"]] == (["select ?"] if keeps else [""])
    assert record.manifest["clock_ahead_s"] == -300.0
    apply_retention(at, repository)
    assert repository.recording(RECORDING).removed_at is None
    at.kept.remove(RECORDING)
    apply_retention(at, repository)
    assert repository.recording(RECORDING).removed_at is not None, "somebody else has removed it"


def test_a_load_of_another_dbms_is_not_recorded_yet() -> None:
    with other_dbms.listed() as dbms:
        other = dbms.target.model_validate(other_dbms.RECORD)
        at: Any = SimpleNamespace(source=SimpleNamespace(target=other), replay=SimpleNamespace(target=target_of()))
        (problem,) = recording_check.supported(at)
        assert str(problem).startswith("source: 'elsewhere' is a Other server, whose load cannot be recorded yet")
        at.source, at.replay = at.replay, at.source
        (problem,) = recording_check.supported(at)
        assert str(problem).startswith("replay_on: 'elsewhere' is a server of Other, and the source of PostgreSQL")
        with pytest.raises(InvalidInput):
            recording_check.prepare(at, RECORDING, START, END)


def test_a_window_takes_a_knobs_file_that_can_be_written(at: Recordings, tmp_path: Path) -> None:
    target = at.source.target
    at.source.target = target.model_copy(update={"knobs_file": f"{tmp_path}/knobs.conf", "bin_dir": None})  # type: ignore[misc]
    fields = {problem.field for problem in recording_check._window_host(at)}
    assert "knobs_file" not in fields
    at.source.target = target.model_copy(update={"knobs_file": "/nowhere/knobs.conf"})  # type: ignore[misc]
    assert "knobs_file: its folder /nowhere cannot be written" in str(recording_check._window_host(at)[-1])
