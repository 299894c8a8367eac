"""Which recordings are kept and which are removed."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otterflow.workloads.recording.definition import Retention

_ID = re.compile(r"(?P<name>.+)-(?P<start>\d{8}T\d{4}Z)")


@dataclass(frozen=True)
class Kept:
    """A recording that is on the driver host, and the bytes that it takes there."""

    id: str
    bytes: int

    @property
    def start(self) -> datetime:
        """When its interval began."""
        found = _ID.fullmatch(self.id)
        if found is None:
            raise ValueError(f"{self.id!r} is no recording's id")
        return datetime.strptime(found["start"], "%Y%m%dT%H%MZ").replace(tzinfo=timezone.utc)


def is_id_of(name: str, text: str) -> bool:
    """Whether a text is the id of a recording of that file."""
    found = _ID.fullmatch(text)
    return found is not None and found["name"] == name


def to_remove(kept: Sequence[Kept], retention: Retention, now: datetime, in_use: Collection[str]) -> list[Kept]:
    """Those that are too old, then the oldest while all take too many bytes; never the newest, nor one in use."""
    by_age = sorted(kept, key=lambda each: each.start)
    may_go = [each for each in by_age[:-1] if each.id not in in_use]
    removed = [each for each in may_go if each.start < now - timedelta(days=retention.days)]
    left_bytes = sum(each.bytes for each in kept) - sum(each.bytes for each in removed)
    for each in may_go:
        if left_bytes > retention.size and each not in removed:
            removed.append(each)
            left_bytes -= each.bytes
    return removed
