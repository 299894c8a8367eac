"""Puts lines into the order of their times with bounded memory: sorted runs on disk, merged at the end."""

from __future__ import annotations

import heapq
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_HEAD = struct.Struct("<dQI")
_OVERHEAD_BYTES = 150
"""About what Python keeps for a line beside its bytes."""


class Ordering:
    """Takes lines in any order and gives them back by time; lines of one time keep the order in which they came.

    Runs lie in `folder`, mode 600, as large as `memory_bytes` each.
    """

    def __init__(self, folder: Path, memory_bytes: int) -> None:
        self._folder, self._memory_bytes = folder, memory_bytes
        self._held: list[tuple[float, int, bytes]] = []
        self._held_bytes = 0
        self._count = 0
        self._runs: list[Path] = []
        self.spilt_bytes = 0

    def add(self, at_s: float, line: bytes) -> None:
        """Keep a line."""
        self._held.append((at_s, self._count, line))
        self._count += 1
        self._held_bytes += len(line) + _OVERHEAD_BYTES
        if self._held_bytes >= self._memory_bytes:
            self._spill()

    def lines(self) -> Iterator[bytes]:
        """All lines, by time. The runs are removed at the end."""
        self._held.sort()
        runs = [_read(path) for path in self._runs]
        for _, _, line in heapq.merge(iter(self._held), *runs):
            yield line
        for path in self._runs:
            path.unlink()
        self._held, self._runs = [], []

    def _spill(self) -> None:
        self._held.sort()
        path = self._folder / f"run-{len(self._runs)}"
        with open_private(path) as file:
            for at_s, number, line in self._held:
                file.write(_HEAD.pack(at_s, number, len(line)))
                file.write(line)
            self.spilt_bytes += file.tell()
        self._runs.append(path)
        self._held, self._held_bytes = [], 0


def open_private(path: Path) -> BinaryIO:
    """A new file that nobody but its owner may read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _read(path: Path) -> Iterator[tuple[float, int, bytes]]:
    with path.open("rb") as file:
        while head := file.read(_HEAD.size):
            at_s, number, length = _HEAD.unpack(head)
            yield at_s, number, file.read(length)
