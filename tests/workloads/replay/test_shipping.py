"""What is shipped runs on a bare python3, and is written so that one of 3.9 reads it."""

from __future__ import annotations

import ast
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.dbms.statements.dialect import ROOMS
from otterflow.workloads.replay.shipping import replayer_archive
from tests.workloads.replay.harness import at, record, settings_record


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the archive where neither this checkout nor any installed package is found."""
    (folder / "replayer.zip").write_bytes(replayer_archive("postgresql"))
    return subprocess.run(
        [sys.executable, "-I", "-S", "replayer.zip", *arguments], cwd=folder, env={}, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip


def _sources(dbms: str) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(replayer_archive(dbms))) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


SOURCES = {name: text for dbms in ROOMS for name, text in _sources(dbms).items() if text}


@pytest.mark.parametrize("dbms", ROOMS)
def test_the_archive_is_the_same_bytes_each_time(dbms: str) -> None:
    assert replayer_archive(dbms) == replayer_archive(dbms)
    assert len(replayer_archive(dbms)) < 100_000


def test_each_dbms_gets_its_own_rooms() -> None:
    own, other = set(_sources("postgresql")), set(_sources("mariadb"))
    assert {name for name in own - other} == {name for name in own if "/postgresql/" in name}
    assert {name for name in other - own} == {name for name in other if "/mysql_family/" in name}
    assert other == set(_sources("mysql"))


@pytest.mark.parametrize("name", SOURCES)
def test_every_module_is_python_3_9(name: str) -> None:
    tree = ast.parse(SOURCES[name], feature_version=(3, 9))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    outside = {module.partition(".")[0] for module in imported} - set(sys.stdlib_module_names) - {"otterflow"}
    assert outside == set()


@pytest.mark.parametrize("dbms", ROOMS)
def test_nothing_is_imported_that_is_not_shipped(dbms: str) -> None:
    sources = _sources(dbms)
    there = {name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in sources}
    for name, text in sources.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("otterflow"):
                assert node.module in there, name


@pytest.mark.slow
def test_it_says_what_it_wants(tmp_path: Path) -> None:
    done = _run(tmp_path)
    assert (done.returncode, done.stderr) == (1, "usage: replayer [mix] SETTINGS | look FOLDER\n")
    (tmp_path / "settings.json").write_text('{"schedule": "never"}')
    done = _run(tmp_path, "settings.json")
    assert done.returncode == 1
    assert "recording: it is missing" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.integration
def test_it_replays_alone(database: DatabaseAccess, tmp_path: Path) -> None:
    record(tmp_path, at("SELECT 1", "SELECT pg_sleep(0.5)", "SELECT 'zebra' / 0"))
    settings = settings_record(database, tmp_path, progress_s=0.2)
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    done = _run(tmp_path, "settings.json")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["statements"]["done"] == 3
    assert "3 statements of 1 sessions, 1 at once" in done.stdout
    assert "0 errors, 1 sessions open" in done.stdout
    said = done.stdout + done.stderr + json.dumps(result)
    assert "zebra" not in said
    assert Path(settings["password_file"]).read_text().strip() not in said


@pytest.mark.integration
def test_a_recording_that_was_damaged_is_not_replayed(database: DatabaseAccess, tmp_path: Path) -> None:
    record(tmp_path, at("SELECT 1"))
    path = tmp_path / "recording" / "statements.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-3])
    (tmp_path / "settings.json").write_text(json.dumps(settings_record(database, tmp_path)))
    done = _run(tmp_path, "settings.json")
    assert done.returncode == 1
    assert "cut short" in done.stderr
    assert not (tmp_path / "result.json").exists()
