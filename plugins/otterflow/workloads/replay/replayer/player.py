"""Plays one session: one connection, one statement after the other, each waiting for its own answer only.

After an error the server may refuse everything up to the end of the transaction, or have rolled it back, so that the
rest would be transactions of its own. That rest is left out and counted, and the session goes on from there. A
transaction that the recording does not end is rolled back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from otterflow.dbms.statements.dialect import Dialect
from otterflow.workloads.replay.replayer.answers import (
    FAILED,
    GENERAL,
    IDLE,
    IN_BLOCK,
    CannotConnect,
    ConnectionLost,
    Link,
    Outcome,
)
from otterflow.workloads.replay.replayer.pace import LEAST_SLEEP_S, Paced
from otterflow.workloads.replay.replayer.spool import Item
from otterflow.workloads.replay.replayer.tally import Tally

DEADLINE = "deadline"
"""Stands where an SQLSTATE would for a statement that was running as the replay's time was over."""


PaceOf = TypeVar("PaceOf", bound=Paced)


class Player(Generic[PaceOf]):
    """Plays items over a connection, and counts in `tally`.

    It waits for each answer itself, as the connection's waiter, and sends the next item as the answer comes: a task
    that is woken for each would take as long as the rest.
    """

    def __init__(self, connection: Link, dialect: Dialect, pace: PaceOf, tally: Tally) -> None:
        self.connection, self.pace, self._tally = connection, pace, tally
        self._dialect = dialect
        self._items: Iterator[Item] = iter(())
        self._ended: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._transaction: int | None = None
        self._began_s = self._sent_s = self._ready_s = 0.0
        self._before = IDLE
        self._running: Item | None = None
        self._last_text = ""
        self._rolled_back_for: Item | None = None
        self._skips = False
        self.played = 0

    async def open_and_play(self, items: Iterator[Item], number: int, settings: Mapping[str, str]) -> None:
        """Play all `number` items of a session. Nothing that the server does ends the replay: it is counted."""
        try:
            await self.connection.open(settings)
            await self.play(items)
        except CannotConnect as error:
            self._tally.errors[error.sqlstate] += 1
        except ConnectionLost as lost:
            self.count_running(lost.sqlstate)
        except asyncio.CancelledError:
            self.count_running(DEADLINE)
            raise
        finally:
            self._tally.not_sent += number - self.played

    async def play(self, items: Iterator[Item]) -> None:
        """Play the items over the open connection. Raises ConnectionLost."""
        self._items, self._skips = items, False
        self._ready_s = time.perf_counter()
        self._ended = asyncio.get_running_loop().create_future()
        self._go_on()
        try:
            await self._ended
        finally:
            if self._timer is not None:
                self._timer.cancel()

    async def settle(self) -> None:
        """Roll back what is open."""
        if self.connection.status != IDLE:
            self._tally.ended_by_replayer += 1
            await self.connection.simple(b"ROLLBACK")

    def count_running(self, error: str) -> None:
        """Count the statement that was running as ended by an error."""
        if self._running is not None:
            self._tally.add(self._running.statement_class, 0.0, 0, error)
            self._running = None
            self.played += 1

    def done(self) -> bool:
        """Part of being the connection's waiter: whether this player has ended."""
        return self._ended is None or self._ended.done()

    def set_exception(self, error: Exception) -> None:
        """Part of being the connection's waiter: the connection is lost."""
        if self._ended is not None and not self._ended.done():
            self._ended.set_exception(error)

    def set_result(self, outcome: Outcome) -> None:
        """Part of being the connection's waiter: count the answer, and send what comes next."""
        try:
            item, self._rolled_back_for = self._rolled_back_for, None
            if item is None:
                self._count(outcome)
            elif self._take(item):
                return
            self._go_on()
        except Exception as error:
            self.set_exception(error)

    def _go_on(self) -> None:
        """Take items until one is sent, or has to wait."""
        for item in self._items:
            if item.transaction != self._transaction and self.connection.status != IDLE and self._is_left_open(item):
                self._tally.ended_by_replayer += 1
                self._rolled_back_for = item
                self.connection.send(self.connection.ROLLBACK, self)
                return
            if self._take(item):
                return
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    def _is_left_open(self, following: Item) -> bool:
        """Whether the transaction before the item is the replayer's to end.

        Some statements commit it themselves; and after a COMMIT AND CHAIN it is the item's own.
        """
        if self._dialect.chains(self._last_text):
            return False
        return self.connection.status != IN_BLOCK or not self._dialect.commits_before(following.text)

    def _take(self, item: Item) -> bool:
        """Send the item when it is due. Returns False for one that is left out."""
        due_s = self.pace.due(item, self._ready_s)
        if self._skips and not self._is_sent_after_all(item):
            self._tally.skipped += 1
            self.played += 1
            return False
        self._transaction = item.transaction
        left_s = due_s - time.perf_counter()
        if left_s > LEAST_SLEEP_S:
            self._timer = asyncio.get_running_loop().call_later(left_s, self._send_late, item, due_s)
        else:
            self._send(item, due_s)
        return True

    def _send_late(self, item: Item, due_s: float) -> None:
        try:
            self._send(item, due_s)
        except ConnectionLost as lost:
            self.set_exception(lost)

    def _send(self, item: Item, due_s: float) -> None:
        connection = self.connection
        message = connection.message(item.text, item.parameters, item.prepared)
        self._before = connection.status
        self._sent_s = sent_s = time.perf_counter()
        if self.pace.has_times:
            self._count_lateness(sent_s, due_s)
        if self._before == IDLE:
            self._began_s = self.pace.began(due_s, sent_s)
        self._running = item
        self._last_text = item.text
        connection.send(message, self)

    def _count(self, outcome: Outcome) -> None:
        """What became of the item that was running."""
        item, self._running = self._running, None
        self._ready_s = done_s = time.perf_counter()
        if item is None:
            return
        self.played += 1
        connection, error = self.connection, outcome.error
        connection.heed(item.text, item.parameters, item.prepared, error)
        told = error if error is None else self._told(error)
        self._tally.add(item.statement_class, (done_s - self._sent_s) * 1000, outcome.rows, told)
        if error is not None:
            self._skips = self._broke_off(item)
        elif self._skips:
            self._skips = False
        elif connection.status == IDLE or self._dialect.chains(item.text):
            self._tally.transactions.add((done_s - self._began_s) * 1000)
            self._began_s = done_s

    def _told(self, error: str) -> str:
        """The SQLSTATE, with the error's own number where it is the one that says nothing."""
        number = self.connection.error_number
        return error if error != GENERAL or number is None else f"{error} ({number})"

    def _broke_off(self, item: Item) -> bool:
        """Whether an error left nothing of a transaction to go on with: it takes no more, or has been rolled back."""
        status = self.connection.status
        if status == IDLE and self._before == IN_BLOCK:
            return not (self._dialect.ends_block(item.text) or self._dialect.commits_before(item.text))
        return status == FAILED

    def _is_sent_after_all(self, item: Item) -> bool:
        """Whether an item after such an error ends its transaction, or is of another one."""
        if item.transaction != self._transaction:
            self._skips = False
            return True
        return self._dialect.ends_block(item.text)

    def _count_lateness(self, sent_s: float, due_s: float) -> None:
        """Late by the schedule, and of that what is the replayer's own: the session was ready and the time had come."""
        self._tally.lateness.add(max(0.0, sent_s - due_s) * 1000)
        self._tally.own_lateness.add(max(0.0, sent_s - max(due_s, self._ready_s)) * 1000)
