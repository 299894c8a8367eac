"""The recorder as it is shipped: it runs on a bare python3, waits for the interval's end, and tells no value."""

from __future__ import annotations

import ast
import io
import json
import os
import subprocess
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from otterflow.dbms.mysql_family.capture import FamilyCapture
from otterflow.dbms.postgresql.capture import READER, ROOMS
from otterflow.workloads.recording.reading import open_recording
from otterflow.workloads.recording.shipping import recorder_archive

NOW = datetime.now(UTC).replace(microsecond=0)


def settings(folder: Path, **changes: Any) -> dict[str, Any]:
    origin = {
        "source": "shop", "dbms": "postgresql", "database": "bench", "start": (NOW - timedelta(minutes=5)).isoformat(),
        "end": (NOW - timedelta(minutes=1)).isoformat(), "method": "server_log", "share": 1.0,
    }  # fmt: skip
    log = {"kind": "jsonlog", "timezone": "UTC", "prefix": "", "patterns": [f"{folder}/server.json*"]}
    given = {"reader": READER, "log": log, "origin": origin, "folder": f"{folder}/made/shop"}
    return given | {"max_bytes": 10**9, "keep_free_bytes": 0, "missing": []} | changes


def logged(moment: datetime, text: str = "SELECT 'zebra'") -> str:
    record = {
        "timestamp": moment.strftime("%Y-%m-%d %H:%M:%S.000 UTC"), "session_id": "1.2", "dbname": "bench",
        "error_severity": "LOG", "message": f"duration: 1.000 ms  statement: {text}",
    }  # fmt: skip
    return json.dumps(record) + "\n"


def run(folder: Path, given: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Runs the archive where neither this checkout nor any installed package is found."""
    (folder / "recorder.zip").write_bytes(recorder_archive(ROOMS))
    (folder / "settings.json").write_text(json.dumps(given))
    return subprocess.run(
        [sys.executable, "-I", "-S", "recorder.zip", "settings.json"], cwd=folder, env={}, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip


def sources() -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(recorder_archive((*ROOMS, *FamilyCapture.ROOMS)))) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


@pytest.mark.parametrize("name", [name for name, text in sources().items() if text])
def test_every_module_is_python_3_9(name: str) -> None:
    tree = ast.parse(sources()[name], feature_version=(3, 9))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    outside = {module.partition(".")[0] for module in imported} - set(sys.stdlib_module_names) - {"otterflow"}
    assert outside == set()


@pytest.mark.slow
def test_it_records_alone_and_a_second_time_finds_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text(logged(NOW - timedelta(minutes=9)) + logged(NOW - timedelta(minutes=3)))
    (tmp_path / "made").mkdir()
    done = run(tmp_path, settings(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("1 statements of 1 sessions, 1 classes")
    recording = open_recording(tmp_path / "made" / "shop")
    assert [statement.text for statement in recording.statements()] == ["SELECT 'zebra'"]
    assert recording.manifest.complete
    assert (tmp_path / "manifest.json").read_text() == recording.manifest.to_json()
    modes = {path.name: path.stat().st_mode & 0o777 for path in (recording.folder, *recording.folder.iterdir())}
    assert modes == {"shop": 0o700, "manifest.json": 0o600, "statements.jsonl.gz": 0o600}
    (tmp_path / "server.json").unlink()
    again = run(tmp_path, settings(tmp_path))
    assert again.returncode == 0
    assert again.stdout.startswith("shop is there already, whole\n1 statements")


@pytest.mark.slow
def test_it_waits_for_the_interval_to_end_by_the_clock_of_its_host(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    given = settings(tmp_path)
    given["origin"]["end"] = (datetime.now(UTC) + timedelta(seconds=1.5)).isoformat()
    (tmp_path / "server.json").write_text(logged(NOW - timedelta(minutes=9)))
    done = run(tmp_path, given)
    assert "s before the interval's end; waiting for it" in done.stdout
    assert open_recording(tmp_path / "made" / "shop").manifest.complete, "it was read after the end"


@pytest.mark.slow
def test_what_goes_wrong_is_told_without_a_value_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    lines = [logged(NOW - timedelta(minutes=2), f"SELECT '{os.urandom(400).hex()}'") for _ in range(200)]
    (tmp_path / "server.json").write_text("".join(lines))
    done = run(tmp_path, settings(tmp_path, max_bytes=1000))
    assert done.returncode == 1
    assert "max_bytes: the recording takes more than 1,000 bytes" in done.stdout
    broken = settings(tmp_path)
    broken["log"]["timezone"] = "Mars/Olympus"
    done = run(tmp_path, broken)
    assert (done.returncode, done.stderr) == (1, "")
    assert "log_timezone: 'Mars/Olympus' is not known on this host" in done.stdout
    done = run(tmp_path, {"folder": f"{tmp_path}/made/shop"})
    assert done.stdout.startswith("the recorder failed: KeyError at recorder.py:")
    assert list((tmp_path / "made").iterdir()) == []
