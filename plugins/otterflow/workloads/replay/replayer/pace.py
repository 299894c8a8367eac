"""When a session's next statement is to be sent."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from otterflow.workloads.replay.replayer.settings import CLOCK, FAST
from otterflow.workloads.replay.replayer.spool import Item

LEAST_SLEEP_S = 0.0005
"""Shorter waits are not slept: a timer is later than that by itself."""


class Paced(Protocol):
    """When a player's next statement is due."""

    has_times: bool

    def due(self, item: Item, ready_s: float) -> float:
        """When a player that is ready since `ready_s` is to send the statement. Called once for each, in order."""

    def began(self, due_s: float, sent_s: float) -> float:
        """When a transaction began whose first statement was due and sent at these times."""


class Pace:
    """The schedule of one session. `start_s` is when the replay began, by `time.perf_counter`.

    `has_times` is false where every statement is due at once, so that none can be late. With `open_stream` a
    transaction begins at its recorded time whatever the schedule: of a sample it is not known what its session did
    before it.
    """

    def __init__(self, schedule: str, factor: float, start_s: float, *, open_stream: bool = False) -> None:
        self._schedule, self._factor, self._start_s, self._open_stream = schedule, factor, start_s, open_stream
        self.has_times = schedule != FAST
        self._before: Item | None = None

    def due(self, item: Item, ready_s: float) -> float:
        """When a session that is ready since `ready_s` is to send the statement. Called once for each, in order."""
        before, self._before = self._before, item
        if self._schedule == FAST:
            return ready_s
        if self._schedule == CLOCK or before is None or (self._open_stream and _is_another(item, before)):
            return self._start_s + item.at_s / self._factor
        thought_s = item.at_s - before.at_s - (before.duration_ms or 0.0) / 1000
        return ready_s + max(0.0, thought_s) / self._factor

    def began(self, due_s: float, sent_s: float) -> float:
        """As the server sees it."""
        return sent_s


def _is_another(item: Item, before: Item) -> bool:
    """Whether a statement begins another transaction than the one before it was of."""
    return item.transaction is None or item.transaction != before.transaction


async def wait_until(due_s: float) -> None:
    """Sleep until that time, or not at all where it has passed."""
    left_s = due_s - time.perf_counter()
    if left_s > LEAST_SLEEP_S:
        await asyncio.sleep(left_s)
