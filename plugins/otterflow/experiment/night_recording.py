"""Which recording a night replays, and how far the statement mix of one recording is from another's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from otterflow.repository import RecordingRecord

CHANGED = 0.25
"""From what distance on two recordings are not the same workload: a quarter of the statements, or of their time."""


class Pick(StrEnum):
    """Which of the recordings that are there."""

    latest = "latest"
    same_weekday = "same_weekday"
    """The latest that began on the night's day of the week."""
    busiest = "busiest"
    """The one whose statements took the most time of the server's."""


class NightRecording(BaseModel):
    """What a schedule's nights replay."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,40}$")]
    """A file in `include/recordings/`."""
    pick: Pick = Pick.latest
    days: Annotated[int, Field(ge=1, le=366)] = 7
    """How old the end of a recording may be."""

    def choose(
        self, recordings: Sequence[RecordingRecord], night: date, zone: ZoneInfo, now: datetime
    ) -> RecordingRecord | None:
        """The recording for that night, None where none is there that is complete and young enough."""
        there = [
            each
            for each in recordings
            if each.removed_at is None and each.manifest["complete"] and each.end >= now - timedelta(days=self.days)
        ]
        if self.pick is Pick.same_weekday:
            there = [each for each in there if each.start.astimezone(zone).weekday() == night.weekday()]
        return max(there, key=_work if self.pick is Pick.busiest else _end, default=None)


def _end(recording: RecordingRecord) -> tuple[float, float]:
    return recording.end.timestamp(), 0.0


def _work(recording: RecordingRecord) -> tuple[float, float]:
    classes = recording.manifest["classes"]
    return sum(each["seconds"] for each in classes), recording.manifest["statements"]


def distance(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """How far two manifests' statement mixes are apart: 0 the same, 1 nothing in common.

    The total variation of the classes' shares: of all statements, or of all time, whichever says more.
    """
    return max(_apart(one, other, "statements"), _apart(one, other, "weight"))


def _apart(one: Mapping[str, Any], other: Mapping[str, Any], key: str) -> float:
    shares, others = _shares(one, key), _shares(other, key)
    return sum(abs(shares[text] - others[text]) for text in shares.keys() | others.keys()) / 2


def _shares(manifest: Mapping[str, Any], key: str) -> Counter[str]:
    """Each class's share, by its text: a server's own numbers of the same class may differ."""
    found: Counter[str] = Counter()
    for each in manifest["classes"]:
        found[each["text"]] += each[key]
    whole = sum(found.values()) or 1
    return Counter({text: share / whole for text, share in found.items()})
