"""The way of a recording from host to host, with real bash in the place of both: whole at its end, or not there."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from otterflow.errors import CommandFailed, ConnectionFault, MachineryFault
from otterflow.hosts import kept_recordings
from otterflow.hosts.kept_recordings import KeptRecordings
from otterflow.remote import streaming
from otterflow.workloads.recording.manifest import Manifest
from otterflow.workloads.recording.reading import open_recording
from otterflow.workloads.recording.retention import Kept
from tests.hosts.this_machine import ThisMachine
from tests.small_disk import fill, small_disk
from tests.workloads.recording.samples import STATEMENTS, write

pytestmark = pytest.mark.slow

RECORDING = "shop-20261129T0200Z"
FOREIGN = "bank-20261129T0200Z"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "PIECE_BYTES", 256)
    monkeypatch.setattr(kept_recordings, "KEEP_FREE_BYTES", 2**20)


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, Manifest]:
    """A recording on the source, in a folder with an odd name."""
    folder = tmp_path / "it's the source" / RECORDING
    noise = [STATEMENTS[0]._replace(text=f"SELECT '{os.urandom(200).hex()}'", transaction=None) for _ in range(20)]
    return folder, write(folder, STATEMENTS + noise)


@pytest.fixture
def kept(tmp_path: Path) -> KeptRecordings:
    return KeptRecordings(ThisMachine(), str(tmp_path / "it's the driver" / "recordings"))


def test_a_recording_arrives_as_it_was_and_for_its_owner_alone(
    made: tuple[Path, Manifest], kept: KeptRecordings
) -> None:
    folder, manifest = made
    assert kept.manifest(RECORDING) is None
    kept.receive(RECORDING, ThisMachine(), str(folder), manifest)
    arrived = open_recording(Path(kept.path(RECORDING)))
    assert arrived.manifest == manifest
    assert list(arrived.statements()) == list(open_recording(folder).statements())
    modes = {path.name: path.stat().st_mode & 0o777 for path in (arrived.folder, *arrived.folder.iterdir())}
    assert modes == {RECORDING: 0o700, "manifest.json": 0o600, "statements.jsonl.gz": 0o600}
    assert Path(kept.dir).stat().st_mode & 0o777 == 0o700
    assert kept.manifest(RECORDING) == manifest
    assert [path.name for path in Path(kept.dir).iterdir()] == [RECORDING]


def test_one_that_is_cut_off_is_not_there_and_is_gone_on_with(
    made: tuple[Path, Manifest], kept: KeptRecordings
) -> None:
    folder, manifest = made
    read: list[str] = []

    def third(command: str) -> bool:
        read.extend([command] * ("base64" in command))
        return len(read) == 3

    with pytest.raises(ConnectionFault):
        kept.receive(RECORDING, ThisMachine(fails=third), str(folder), manifest)
    assert kept.manifest(RECORDING) is None
    assert kept.kept("shop") == []
    kept.receive(RECORDING, ThisMachine(fails=third), str(folder), manifest)
    assert kept.manifest(RECORDING) == manifest
    assert len(read) == 1 + -(-manifest.bytes // 256), "two pieces were there, and the third was asked for twice"


def test_two_that_bring_the_same_leave_one(made: tuple[Path, Manifest], kept: KeptRecordings) -> None:
    folder, manifest = made
    kept.receive(RECORDING, ThisMachine(), str(folder), manifest)
    kept.receive(RECORDING, ThisMachine(), str(folder), manifest)
    assert kept.manifest(RECORDING) == manifest
    assert [path.name for path in Path(kept.dir).iterdir()] == [RECORDING]


def test_bytes_that_changed_on_the_way_are_not_kept(made: tuple[Path, Manifest], kept: KeptRecordings) -> None:
    folder, manifest = made
    data = bytearray((folder / "statements.jsonl.gz").read_bytes())
    data[700] ^= 1
    (folder / "statements.jsonl.gz").write_bytes(data)
    with pytest.raises(MachineryFault, match="its SHA-256 is not the manifest's"):
        kept.receive(RECORDING, ThisMachine(), str(folder), manifest)
    assert list(Path(kept.dir).iterdir()) == []


def test_one_that_was_damaged_later_is_told(made: tuple[Path, Manifest], kept: KeptRecordings) -> None:
    folder, manifest = made
    kept.receive(RECORDING, ThisMachine(), str(folder), manifest)
    path = Path(kept.path(RECORDING)) / "statements.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(MachineryFault, match=f"it has {manifest.bytes - 1} bytes, and its manifest says"):
        kept.manifest(RECORDING)


def test_a_disk_that_is_full_or_fills_up_ends_it_before_it_is_full(made: tuple[Path, Manifest]) -> None:
    folder, manifest = made
    with small_disk(4) as disk:
        kept = KeptRecordings(ThisMachine(), str(disk / "recordings"))
        third: list[str] = []

        def filled(command: str) -> bool:
            third.extend([command] * ("base64" in command))
            if len(third) == 3:
                fill(disk)
            return False

        with pytest.raises(CommandFailed, match="0 MiB free, and 1 MiB must stay free"):
            kept.receive(RECORDING, ThisMachine(fails=filled), str(folder), manifest)
        assert kept.kept("shop") == []


def test_recordings_are_listed_by_file_and_removed_whole(made: tuple[Path, Manifest], kept: KeptRecordings) -> None:
    folder, manifest = made
    assert kept.kept("shop") is None, "the folder of all is not there"
    for name in (RECORDING, FOREIGN, "shop-by-hand"):
        kept.receive(name, ThisMachine(), str(folder), manifest)
    found = kept.kept("shop")
    assert found is not None
    assert [each.id for each in found] == [RECORDING]
    assert isinstance(found[0], Kept)
    assert found[0].bytes > manifest.bytes
    kept.remove(RECORDING)
    assert kept.kept("shop") == []
    assert sorted(path.name for path in Path(kept.dir).iterdir()) == [FOREIGN, "shop-by-hand"]
    kept.remove(RECORDING)


def test_what_was_cut_off_goes_after_a_day(kept: KeptRecordings) -> None:
    for name in (".shop-1.arriving", ".shop-2.partial", ".bank-1.arriving"):
        Path(kept.dir, name).mkdir(parents=True)
    os.utime(Path(kept.dir, ".shop-1.arriving"), (time.time() - 90_000,) * 2)
    os.utime(Path(kept.dir, ".bank-1.arriving"), (time.time() - 90_000,) * 2)
    kept.remove_leftovers("shop")
    assert sorted(path.name for path in Path(kept.dir).iterdir()) == [".bank-1.arriving", ".shop-2.partial"]
