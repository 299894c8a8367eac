"""Writes a recording: statements come in any order, and the folder is there whole at the end or not at all.

Everything happens in a folder beside the wanted one, which takes its name when all is on disk. One that a killed
writer left is taken over by the next writer of that recording.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol

from otterflow.dbms.statement import Statement
from otterflow.errors import InvalidInput, OtterflowError, Problem
from otterflow.workloads.recording.lines import encode
from otterflow.workloads.recording.manifest import (
    MANIFEST_FILE,
    STATEMENTS_FILE,
    ClassWeight,
    Manifest,
    Origin,
)
from otterflow.workloads.recording.ordering import Ordering, open_private

SHOWN_CLASSES = 1_000
"""So many classes are in a manifest, the weightiest; the others are counted."""
SHOWN_TEXT = 4_000
"""Characters of a class's text that a manifest shows."""
MEMORY_BYTES = 64 * 2**20
_LOOK_EVERY_BYTES = 8 * 2**20


class RecordingTooLarge(OtterflowError):
    """The recording would be larger than it may be, or would fill the disk. Nothing of it is kept."""


class NamesClasses(Protocol):
    """Gives a statement's class its name, and knows the normalised text of each class."""

    texts: dict[str, str]

    def of(self, text: str, query_id: str | None = None) -> str:
        """The class of a text, by the server's own number for it where it is known."""


class RecordingWriter:
    """Writes one recording as the folder `folder`; a context manager that leaves nothing unless `finish` was reached.

    `max_bytes` bounds the folder, and at least `keep_free_bytes` stay free on the disk. A statement's
    `statement_class`, where it has one, is the server's own number of its class.
    """

    def __init__(
        self, folder: Path, origin: Origin, classes: NamesClasses, *, max_bytes: int, keep_free_bytes: int = 2**30
    ) -> None:
        self._folder, self._origin, self._classes = folder, origin, classes
        self._max_bytes, self._keep_free_bytes = max_bytes, keep_free_bytes
        if folder.exists():
            raise InvalidInput(Problem("folder", f"{folder} is there already", "remove it, or give another name"))
        self._partial = folder.parent / f".{folder.name}.partial"
        self._lock = _taken(self._partial)
        self._ordering = Ordering(self._partial, MEMORY_BYTES)
        self._sessions: set[str] = set()
        self._transactions = 0
        self._last_transaction: dict[str, int] = {}
        self._calls: Counter[str] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._all_timed = True
        self._left_out: Counter[str] = Counter()
        self._looked_at_bytes = -_LOOK_EVERY_BYTES
        self._look_at_disk(0)

    def __enter__(self) -> RecordingWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock >= 0:
            shutil.rmtree(self._partial, ignore_errors=True)
            self._let_go()

    def add(self, statement: Statement) -> None:
        """Take a statement into the recording."""
        name = self._classes.of(statement.text, statement.statement_class)
        line = encode(statement._replace(statement_class=name))
        self._ordering.add(statement.at_s, line)
        self._count(statement, name)
        self._look_at_disk(self._ordering.spilt_bytes)

    def leave_out(self, reason: str, number: int = 1) -> None:
        """Count statements that are not in the recording. The reason holds no value of the user's."""
        self._left_out[reason] += number

    def finish(self, missing: Iterable[str] = ()) -> Manifest:
        """Write what was taken, and give the folder its name. `missing` says what the recording lacks."""
        digest, size = self._write_statements()
        manifest = Manifest(
            self._origin, len(self._sessions), self._transactions, sum(self._calls.values()), size, digest,
            *self._weights(), dict(self._left_out), tuple(missing),
        )  # fmt: skip
        with open_private(self._partial / MANIFEST_FILE) as file:
            file.write(manifest.to_json().encode("utf-8", "backslashreplace"))
            _to_disk(file)
        os.fsync(self._lock)
        try:
            self._partial.rename(self._folder)
        except OSError:
            raise InvalidInput(
                Problem("folder", f"{self._folder} came to be while it was recorded", "give another name")
            ) from None
        self._let_go()
        parent = os.open(self._folder.parent, os.O_RDONLY)
        os.fsync(parent)
        os.close(parent)
        return manifest

    def _count(self, statement: Statement, name: str) -> None:
        session, number = statement.session, statement.transaction
        self._sessions.add(session)
        if number is None:
            self._transactions += 1
        elif self._last_transaction.get(session) != number:
            self._last_transaction[session] = number
            self._transactions += 1
        self._calls[name] += 1
        if statement.duration_ms is None:
            self._all_timed = False
        else:
            self._seconds[name] += statement.duration_ms / 1000

    def _write_statements(self) -> tuple[str, int]:
        """The digest and the size of the statements' file, which is on disk then."""
        with open_private(self._partial / STATEMENTS_FILE) as file:
            hashed = _Hashed(file)
            with gzip.GzipFile("", "wb", 6, hashed, mtime=0) as packed:
                for line in self._ordering.lines():
                    packed.write(line)
                    self._look_at_disk(self._ordering.spilt_bytes + hashed.size)
            _to_disk(file)
        if hashed.size > self._max_bytes:
            raise self._too_large(hashed.size)
        return hashed.digest.hexdigest(), hashed.size

    def _weights(self) -> tuple[tuple[ClassWeight, ...], int]:
        by_time = self._all_timed and sum(self._seconds.values()) > 0
        measure: Mapping[str, float] = self._seconds if by_time else self._calls
        total = sum(measure.values()) or 1
        order = sorted(self._calls, key=lambda name: (-measure[name], name))
        shown = tuple(
            ClassWeight(
                name, _cut(self._classes.texts.get(name, "")), self._calls[name],
                round(self._seconds[name], 6), round(measure[name] / total, 6),
            )
            for name in order[:SHOWN_CLASSES]
        )  # fmt: skip
        return shown, len(order) - len(shown)

    def _look_at_disk(self, size: int) -> None:
        """Refuse to go on where too much is written. Asked for each statement, looked at now and then."""
        if size - self._looked_at_bytes < _LOOK_EVERY_BYTES:
            return
        self._looked_at_bytes = size
        free = shutil.disk_usage(self._partial).free
        if free < self._keep_free_bytes:
            raise RecordingTooLarge(
                f"{self._partial.parent} has {free / 2**20:.0f} MiB free, and {self._keep_free_bytes / 2**20:.0f} MiB "
                "must stay free; make room, or record less"
            )
        # Runs are not compressed, and compression makes at least four of one.
        if size > 4 * self._max_bytes:
            raise self._too_large(size)

    def _too_large(self, size: int) -> RecordingTooLarge:
        return RecordingTooLarge(
            f"max_bytes: the recording takes more than {self._max_bytes:,} bytes ({size:,} were written); record a "
            "shorter interval, a share of the transactions, or allow more"
        )

    def _let_go(self) -> None:
        os.close(self._lock)
        self._lock = -1


class _Hashed:
    """A file that is hashed and measured as it is written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.digest, self.size = file, hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        """Write, hash and count."""
        self.digest.update(data)
        self.size += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        """Part of what gzip asks of a file."""
        self._file.flush()


def _taken(partial: Path) -> int:
    """The folder to write in, empty and held by this process until its descriptor is closed."""
    partial.parent.mkdir(parents=True, exist_ok=True)
    partial.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(partial, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # It may have got its name between the opening and the lock.
        if os.fstat(descriptor).st_ino != partial.stat().st_ino:
            raise BlockingIOError
    except OSError:
        os.close(descriptor)
        raise InvalidInput(
            Problem("folder", f"{partial} is being written by another process", "wait for it, or give another name")
        ) from None
    for left in partial.iterdir():
        left.unlink()
    return descriptor


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_TEXT else text[:SHOWN_TEXT] + "..."


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
