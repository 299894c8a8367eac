"""The times of a log, which are local times of the server's `log_timezone`, as seconds since 1970 in UTC."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from otterflow.errors import InvalidInput, Problem

_TIME = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d):(\d\d(?:\.\d+)?) (\S+)")
_OFFSET = re.compile(r"([+-])(\d\d)(?::?(\d\d))?(?::?(\d\d))?")
_UTC = frozenset({"UTC", "GMT", "Etc/UTC", "Etc/GMT", "Z"})


class LogClock:
    """Reads a log's times. `log_timezone` is the server's setting; without it only UTC and offsets are understood.

    An hour that comes twice, as summer time ends, is told by the abbreviation beside the time.
    """

    def __init__(self, log_timezone: str | None = None) -> None:
        self._zone = _zone(log_timezone) if log_timezone else None
        self._minutes: dict[tuple[str, str], float] = {}

    def seconds(self, text: str) -> float:
        """`2026-11-29 02:00:00.123 CET` as seconds. Raises ValueError for a text that is no time of a log."""
        found = _TIME.fullmatch(text)
        if found is None:
            raise ValueError("no time of a log")
        minute, seconds, abbreviation = found.groups()
        start = self._minutes.get((minute, abbreviation))
        if start is None:
            start = self._start(minute, abbreviation)
            if len(self._minutes) > 10_000:
                self._minutes.clear()
            self._minutes[minute, abbreviation] = start
        return start + float(seconds)

    def _start(self, minute: str, abbreviation: str) -> float:
        local = datetime.fromisoformat(minute + ":00")
        zone = _fixed(abbreviation) or self._zone
        if zone is None:
            raise InvalidInput(
                Problem("log_timezone", f"the log's times are in {abbreviation!r}", "give the server's log_timezone")
            )
        told = [moment for moment in (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))]
        return next((each for each in told if each.tzname() == abbreviation), told[0]).timestamp()


def _fixed(abbreviation: str) -> tzinfo | None:
    """The zone of a name that means the same everywhere."""
    if abbreviation in _UTC:
        return timezone.utc
    found = _OFFSET.fullmatch(abbreviation)
    if found is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
    offset = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return timezone(offset if found[1] == "+" else -offset)


def _zone(name: str) -> tzinfo:
    if name in _UTC:
        return timezone.utc
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise InvalidInput(
            Problem(
                "log_timezone", f"{name!r} is not known on this host",
                "install its time zones (Debian: tzdata), or set log_timezone = 'UTC' on the server",
            )
        ) from None  # fmt: skip
