"""Makes a recording of what a server's log has of an interval, whatever the DBMS."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from otterflow.dbms.statement import Statement
from otterflow.workloads.recording.manifest import SERVER_LOG, TRANSACTION_SAMPLE, Manifest, Origin
from otterflow.workloads.recording.writing import NamesClasses, RecordingWriter


class Reading(Protocol):
    """One interval of one database, as a log tells it."""

    def statements(self) -> Iterator[Statement]:
        """The statements, in the order of the log."""

    @property
    def left_out(self) -> Mapping[str, int]:
        """What was seen and not given, by reason."""

    def missing(self, read_at: datetime) -> Iterable[str]:
        """In sentences, what the log lacks of the interval."""


def make_recording(
    reading: Reading, origin: Origin, folder: Path, read_at: datetime, classes: NamesClasses, *,
    max_bytes: int, keep_free_bytes: int = 2**30, missing: Sequence[str] = (),
) -> Manifest:  # fmt: skip
    """Write `folder`, the recording of the interval of `origin`, from a log as it was at `read_at`.

    What the log lacks of the interval is told in the manifest, and what is known to be `missing` before; the recording
    is not complete then. Of the sessions
    a share is taken where the server has not drawn it already.
    """
    share = 1.0 if origin.method == TRANSACTION_SAMPLE else origin.share
    with RecordingWriter(folder, origin, classes, max_bytes=max_bytes, keep_free_bytes=keep_free_bytes) as writer:
        number = 0
        for statement in reading.statements():
            number += 1
            if share == 1 or _is_drawn(statement.session, share):
                writer.add(statement)
        for reason, number in reading.left_out.items():
            writer.leave_out(reason, number)
        return writer.finish([*missing, *(list(reading.missing(read_at)) or _nothing_at_all(origin, number))])


def _nothing_at_all(origin: Origin, number: int) -> list[str]:
    """What a log that was written before anybody asked may lack without saying so; a window has seen to it itself."""
    if number or origin.method != SERVER_LOG:
        return []
    return ["the log has no statement of the interval: nobody sent one, or the server did not log them then"]


def _is_drawn(session: str, share: float) -> bool:
    """Whether a session is among the share, by its name: the same each time the log is read."""
    digest = hashlib.sha256(session.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64
