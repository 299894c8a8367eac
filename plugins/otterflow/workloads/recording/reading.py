"""Reads a recording, statement by statement, after its bytes have been checked against the manifest."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from otterflow.dbms.statement import Statement
from otterflow.errors import InvalidInput, OtterflowError, Problem
from otterflow.plain_files import read_plain_file
from otterflow.workloads.recording.lines import decode
from otterflow.workloads.recording.manifest import MANIFEST_FILE, STATEMENTS_FILE, Manifest, read_manifest

_BLOCK = 2**20


class RecordingDamaged(OtterflowError):
    """The recording's bytes are not those that were written: cut short, or changed."""


@dataclass(frozen=True)
class Recording:
    """A recording's folder and its manifest."""

    folder: Path
    manifest: Manifest

    def verify(self) -> None:
        """Raises RecordingDamaged where the statements' file is not the one that the manifest was written for."""
        path, manifest = self.folder / STATEMENTS_FILE, self.manifest
        digest, size = hashlib.sha256(), 0
        try:
            with path.open("rb") as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
                    size += len(block)
        except OSError as error:
            raise RecordingDamaged(f"{path} cannot be read: {error.strerror}; make the recording again") from None
        if size != manifest.bytes:
            how = "cut short" if size < manifest.bytes else "changed"
            raise RecordingDamaged(
                f"{path} was {how}: it has {size:,} bytes, and its manifest says {manifest.bytes:,}; make "
                "the recording again, or copy it again"
            )
        if digest.hexdigest() != manifest.sha256:
            raise RecordingDamaged(
                f"{path} was changed: its SHA-256 is {digest.hexdigest()[:12]}..., and its manifest says "
                f"{manifest.sha256[:12]}...; make the recording again, or copy it again"
            )

    def statements(self) -> Iterator[Statement]:
        """The statements in the order of their start, of a file that was verified.

        Raises RecordingDamaged for a file that is not as the manifest says, and InvalidInput for a line that the
        format does not know.
        """
        path = self.folder / STATEMENTS_FILE
        self.verify()
        number, before = 0, 0.0
        try:
            with gzip.open(path, "rb") as file:
                for number, line in enumerate(file, start=1):
                    statement = decode(line, number)
                    if statement.at_s < before:
                        raise InvalidInput(
                            Problem(f"line {number}, at_s", "it is before that of the line above", "sort the lines")
                        )
                    before = statement.at_s
                    yield statement
        except (OSError, EOFError, zlib.error) as error:
            raise RecordingDamaged(f"{path} cannot be unpacked: {error}; make the recording again") from None
        if number != self.manifest.statements:
            raise RecordingDamaged(
                f"{path} has {number:,} statements, and its manifest says {self.manifest.statements:,}; make the "
                "recording again"
            )


def open_recording(folder: Path) -> Recording:
    """The recording in a folder, with its manifest read. Raises InvalidInput where that is none."""
    path = folder / MANIFEST_FILE
    try:
        text = read_plain_file(path).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        found = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        raise InvalidInput(Problem("recording", f"{path}: {found}", "give the folder of a recording")) from None
    return Recording(folder, read_manifest(text))
