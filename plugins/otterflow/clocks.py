"""When something is due, as files say it: a cron expression and the time zone that it is read in."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator


def _cron(text: str) -> str:
    from croniter import croniter

    if len(text.split()) != 5 or not croniter.is_valid(text):
        raise ValueError("not a cron expression; five fields are right: minute hour day month weekday ('30 22 * * *')")
    return text


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("no time zone of that name; one of the IANA names is right, such as 'Europe/Berlin'") from None
    return name


Cron = Annotated[str, AfterValidator(_cron)]
"""A cron expression of five fields."""
ZoneName = Annotated[str, AfterValidator(_zone)]
"""A time zone's IANA name."""
