"""A recording comes back as it was written, whole or not at all, and no damage to it goes unseen."""

from __future__ import annotations

import gzip
import json
import os
import random
import stat
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from otterflow.dbms.postgresql.statements.classes import Classes
from otterflow.dbms.statement import Statement
from otterflow.errors import InvalidInput
from otterflow.workloads.recording import writing
from otterflow.workloads.recording.reading import RecordingDamaged, open_recording
from otterflow.workloads.recording.writing import RecordingTooLarge, RecordingWriter
from tests.workloads.recording.samples import ORIGIN, STATEMENTS, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "recordings" / "shop-02"


def _bare(statement: Statement) -> Statement:
    return statement._replace(statement_class=None)


def test_statements_come_back_in_the_order_of_their_start(folder: Path) -> None:
    mixed = [STATEMENTS[place] for place in (1, 0, 2, 3, 6, 5, 4)]
    write(folder, mixed)
    read = list(open_recording(folder).statements())
    assert [_bare(each) for each in read] == [_bare(each) for each in STATEMENTS]
    assert read[1].statement_class != "-12", "its like came with a number only later"
    assert read[5].statement_class == "-12"


def test_the_manifest_tells_what_is_there(folder: Path) -> None:
    written = write(folder)
    manifest = open_recording(folder).manifest
    assert manifest == written
    assert (manifest.sessions, manifest.transactions, manifest.statements) == (3, 5, 7)
    assert manifest.bytes == (folder / "statements.jsonl.gz").stat().st_size
    assert manifest.complete
    assert sum(each.weight for each in manifest.classes) == pytest.approx(1, abs=1e-4)
    heaviest = manifest.classes[0]
    assert (heaviest.text, heaviest.statements, heaviest.seconds) == ("commit", 1, 0.002)


def test_without_durations_classes_weigh_by_their_number(folder: Path) -> None:
    manifest = write(folder, [each._replace(duration_ms=None, statement_class=None) for each in STATEMENTS])
    assert manifest.classes[0].statements == 2
    assert [each.weight for each in manifest.classes[:2]] == [round(2 / 7, 6), round(1 / 7, 6)]


def test_no_value_is_in_the_manifest(folder: Path) -> None:
    write(folder)
    text = (folder / "manifest.json").read_text()
    assert "zebra" not in text
    assert "gnu" not in text
    assert "select n from stock where name = ?" in text


def test_nobody_else_may_read_it(folder: Path) -> None:
    write(folder)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}
    assert modes == {"shop-02": 0o700, "manifest.json": 0o600, "statements.jsonl.gz": 0o600}


def test_the_same_statements_are_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    assert write(folder) == write(tmp_path / "again")


def test_what_ends_early_leaves_nothing(folder: Path) -> None:
    with RecordingWriter(folder, ORIGIN, Classes(), max_bytes=10**9) as writer:
        writer.add(STATEMENTS[0])
    assert list(folder.parent.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.workloads.recording.samples import *
from otterflow.workloads.recording import writing
writing.MEMORY_BYTES = 1
with RecordingWriter(Path(sys.argv[1]), ORIGIN, Classes(), max_bytes=10**9) as writer:
    for each in STATEMENTS:
        writer.add(each)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_a_killed_writer_leaves_no_recording_and_is_taken_over(folder: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder)], env={"PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.returncode == -9
    assert [path.name for path in folder.parent.iterdir()] == [".shop-02.partial"]
    assert len(list((folder.parent / ".shop-02.partial").iterdir())) > 1
    write(folder)
    assert [path.name for path in folder.parent.iterdir()] == ["shop-02"]
    assert len(list(folder.iterdir())) == 2


def test_two_writers_do_not_mix(folder: Path) -> None:
    with RecordingWriter(folder, ORIGIN, Classes(), max_bytes=10**9) as writer:
        with pytest.raises(InvalidInput, match="being written by another process"):
            RecordingWriter(folder, ORIGIN, Classes(), max_bytes=10**9)
        writer.add(STATEMENTS[0])
        writer.finish()
    with pytest.raises(InvalidInput, match="is there already"):
        RecordingWriter(folder, ORIGIN, Classes(), max_bytes=10**9)
    assert open_recording(folder).manifest.statements == 1


@pytest.mark.slow
def test_a_limit_of_bytes(folder: Path) -> None:
    noise = random.Random(1)
    many = [Statement("a", float(at), f"SELECT '{noise.randbytes(50).hex()}'") for at in range(2000)]
    with pytest.raises(RecordingTooLarge, match="max_bytes"):
        write(folder, many, max_bytes=20_000)
    assert list(folder.parent.iterdir()) == []


def test_a_disk_that_is_full(folder: Path) -> None:
    with pytest.raises(RecordingTooLarge, match="must stay free"):
        write(folder, keep_free_bytes=10**18)


@pytest.mark.slow
def test_memory_is_bounded_and_order_kept_over_many_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "MEMORY_BYTES", 500_000)
    noise = random.Random(2)
    tracemalloc.start()
    with RecordingWriter(folder, ORIGIN, Classes(), max_bytes=10**9, keep_free_bytes=0) as writer:
        for number in range(20_000):
            writer.add(Statement(str(number % 50), noise.random() * 3600, f"SELECT {number}"))
        writer.finish()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8_000_000
    times = [each.at_s for each in open_recording(folder).statements()]
    assert len(times) == 20_000
    assert times == sorted(times)


def _flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


@pytest.mark.slow
def test_a_flipped_bit_anywhere_is_told(folder: Path) -> None:
    write(folder)
    path = folder / "statements.jsonl.gz"
    for place in range(0, path.stat().st_size, 3):
        _flip(path, place)
        with pytest.raises(RecordingDamaged, match="SHA-256"):
            next(open_recording(folder).statements())
        _flip(path, place)
    assert len(list(open_recording(folder).statements())) == 7


def test_a_file_that_was_cut_or_is_gone(folder: Path) -> None:
    write(folder)
    path = folder / "statements.jsonl.gz"
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    with pytest.raises(RecordingDamaged, match="cut short: it has"):
        next(open_recording(folder).statements())
    path.write_bytes(data + b"\0")
    with pytest.raises(RecordingDamaged, match="was changed"):
        next(open_recording(folder).statements())
    path.unlink()
    with pytest.raises(RecordingDamaged, match="No such file"):
        next(open_recording(folder).statements())


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"format": 2}, "format: 2"),
        ({"format": True}, "format: True"),
        ({"sessions": -1}, "sessions"),
        ({"share": 2}, "share"),
        ({"share": 0}, "share"),
        ({"start": "yesterday"}, "start: 'yesterday'"),
        ({"end": "2026-11-29T02:00:00Z"}, "end"),
        ({"sha256": "abc"}, "sha256"),
        ({"complete": False}, "complete"),
        ({"missing": ["all"]}, "complete"),
        ({"method": "guess"}, "method: 'guess'"),
        ({"classes": [{"class": "x"}]}, "classes.text"),
        ({"left_out": {"copy": "many"}}, "copy"),
        ({"database": None}, "database"),
    ],
)
def test_a_manifest_that_is_wrong(folder: Path, changes: dict[str, object], named: str) -> None:
    write(folder)
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(InvalidInput) as refused:
        open_recording(folder)
    assert named in str(refused.value)


def test_a_folder_that_is_no_recording(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="give the folder of a recording"):
        open_recording(tmp_path)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (b"{", "line 1: it is no JSON"),
        (b"[" * 100_000, "line 1: it is no JSON"),
        (b"[]", "line 1: it is no JSON object"),
        (b'{"at_s": 1, "text": "SELECT"}', "line 1, session: it is missing"),
        (b'{"session": "", "at_s": 1, "text": ""}', "line 1, session"),
        (b'{"session": "a", "at_s": -1, "text": ""}', "line 1, at_s"),
        (b'{"session": "a", "at_s": NaN, "text": ""}', "line 1, at_s"),
        (b'{"session": "a", "at_s": 1, "text": 5}', "line 1, text"),
        (b'{"session": "a", "at_s": 1, "text": "", "parameters": [7]}', "line 1, parameters"),
        (b'{"session": "a", "at_s": 1, "text": "", "error": "no"}', "line 1, error"),
        (b'{"session": "a", "at_s": 1, "text": "", "transaction": true}', "line 1, transaction"),
        (b'{"session": "a", "at_s": 1, "text": "", "secret": 1}', "a key that the format does not know"),
    ],
)
def test_lines_that_are_wrong_are_named_and_not_shown(tmp_path: Path, line: bytes, named: str) -> None:
    from otterflow.workloads.recording.lines import decode

    with pytest.raises(InvalidInput) as refused:
        decode(line, 1)
    assert named in str(refused.value)
    assert "secret" not in str(refused.value)


def test_the_lines_are_in_a_file_that_any_tool_reads(folder: Path) -> None:
    write(folder)
    lines = gzip.decompress((folder / "statements.jsonl.gz").read_bytes()).splitlines()
    assert json.loads(lines[2]) == {
        "session": "a", "at_s": 0.05, "transaction": 1, "text": "UPDATE stock SET n = $1 WHERE id = $2",
        "parameters": ["5", None], "prepared": "take", "duration_ms": 0.5, "class": json.loads(lines[2])["class"],
    }  # fmt: skip
