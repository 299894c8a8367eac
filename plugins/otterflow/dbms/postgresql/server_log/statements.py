"""From the records of a log to the statements of one database, session by session.

A statement that ends well is told after its end, with its duration, and where values were sent apart its parsing and
binding are told before it. One that fails is told by its error alone. Where the server tells each statement before it
is executed as well (`log_statement = 'all'`), the two are put together.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from otterflow.dbms.log_interval import TORN, why_outside
from otterflow.dbms.postgresql.server_log.messages import (
    BIND,
    DURATION,
    EXECUTE,
    FETCH,
    PARSE,
    Said,
    parameters_of,
    parameters_of_context,
    read_message,
)
from otterflow.dbms.postgresql.server_log.record import LogRecord
from otterflow.dbms.postgresql.statements.transactions import state_after
from otterflow.dbms.statement import Statement

FETCHED = "further rows of a portal, which came with the first"
CALLED = "calls by the function protocol"

_GOODBYE = "disconnection: session time: "
"""With `log_disconnections` a session that has ended need not be remembered."""
_CHANGED = re.compile(r'parameter "(log_min_duration_statement|log_transaction_sample_rate)" changed to "([^"]*)"')
"""A reload says so; what was in force before it is not told, but it was something else."""
_FAILURES = frozenset({"ERROR", "FATAL", "PANIC"})


@dataclass
class _Session:
    """What is known of a session while its records are read."""

    number: int = 0
    in_block: bool = False
    last_start_s: float = float("-inf")
    carried_ms: float = 0.0
    told: Statement | None = None
    torn_transaction: str = ""
    early_number: int | None = None
    needs_boundary: bool = False


class LogStatements:
    """Reads one database's statements out of the records of one or more files, in the order of the log.

    `start_s` and `end_s` bound the interval. `left_out` counts, by reason, what was seen and not given. `first_s` and
    `last_s` are the times of the first and the last record of any session, `before_s` of the last one before the
    interval. `changes` are the reloads that changed what is logged: when, the setting, and its value from then on.
    """

    def __init__(self, database: str, start_s: float, end_s: float) -> None:
        self._database, self._start_s, self._end_s = database, start_s, end_s
        self._sessions: dict[str, _Session] = {}
        self.left_out: Counter[str] = Counter()
        self.first_s: float | None = None
        self.last_s: float | None = None
        self.before_s = -math.inf
        self.untimed = 0
        self.changes: list[tuple[float, str, str]] = []

    def read(self, records: Iterable[LogRecord]) -> Iterator[Statement]:
        """The statements of the records; `at_s` counts from the interval's start. May be called for file after file."""
        for record in records:
            self.first_s = record.time_s if self.first_s is None else self.first_s
            self.last_s = record.time_s
            if record.time_s < self._start_s:
                self.before_s = record.time_s
            if (changed := _CHANGED.match(record.message)) is not None:
                self.changes.append((record.time_s, changed[1], changed[2]))
            if record.database != self._database or record.backend_type not in {"", "client backend"}:
                continue
            session = self._sessions.get(record.session)
            if session is None:
                session = self._sessions[record.session] = self._begun(record)
            for statement in self._statements(record, session):
                yield from self._placed(statement, record, session)
            if record.message.startswith(_GOODBYE):
                yield from self._ended(self._sessions.pop(record.session))

    def close(self) -> Iterator[Statement]:
        """The statements whose end the log did not tell."""
        for session in self._sessions.values():
            yield from self._ended(session)

    def _ended(self, session: _Session) -> Iterator[Statement]:
        if session.told is not None:
            told, session.told = session.told, None
            self.untimed += 1
            yield from self._within(told, session)

    def _begun(self, record: LogRecord) -> _Session:
        known = record.session_start_s
        first_s = record.time_s if self.first_s is None else self.first_s
        # The session's beginning is told in whole seconds.
        is_older = known is not None and known + 1 < first_s
        return _Session(needs_boundary=is_older and bool(record.virtual_transaction))

    def _statements(self, record: LogRecord, session: _Session) -> Iterator[Statement]:
        """The statements that end, or are known whole, with this record."""
        if record.severity in _FAILURES:
            yield from self._failed(record, session)
            return
        said = read_message(record.message)
        if said is None:
            if record.message.startswith("fastpath function call:"):
                self.left_out[CALLED] += 1
            return
        if said.step in {PARSE, BIND}:
            session.carried_ms = (0.0 if said.step == PARSE else session.carried_ms) + (said.duration_ms or 0.0)
        elif said.step == FETCH:
            session.carried_ms = 0.0
            self.left_out[FETCHED] += 1
        elif said.step == DURATION:
            if session.told is not None:
                told, session.told = session.told, None
                yield _timed(told, record.time_s - self._start_s, said.duration_ms or 0.0)
        else:
            yield from self._told(record, said, session)

    def _told(self, record: LogRecord, said: Said, session: _Session) -> Iterator[Statement]:
        if session.told is not None:
            self.untimed += 1
            yield session.told
            session.told = None
        statement = Statement(
            record.session,
            record.time_s - self._start_s,
            said.text,
            parameters=(parameters_of(record.detail) or ()) if said.step == EXECUTE else None,
            prepared=said.name,
            statement_class=record.query_id if record.query_id not in {"", "0"} else None,
        )
        carried, session.carried_ms = session.carried_ms if said.step == EXECUTE else 0.0, 0.0
        if said.duration_ms is None:
            session.told = statement
        else:
            yield _timed(statement, statement.at_s, said.duration_ms + carried)

    def _failed(self, record: LogRecord, session: _Session) -> Iterator[Statement]:
        session.carried_ms = 0.0
        told, session.told = session.told, None
        if told is not None and told.text == record.query:
            passed_ms = max(0.0, (record.time_s - self._start_s - told.at_s) * 1000)
            yield told._replace(error=record.sqlstate or "XX000", duration_ms=round(passed_ms, 3))
            return
        if told is not None:
            self.untimed += 1
            yield told
        if record.query:
            yield Statement(
                record.session, record.time_s - self._start_s, record.query,
                parameters=parameters_of_context(record.context), error=record.sqlstate or "XX000",
            )  # fmt: skip

    def _placed(self, statement: Statement, record: LogRecord, session: _Session) -> Iterator[Statement]:
        """The statement, unless it belongs to a transaction whose beginning was not seen."""
        if session.needs_boundary and not _is_seen_whole(statement, record, session):
            self.left_out[TORN] += 1
        else:
            yield from self._within(statement, session)

    def _within(self, statement: Statement, session: _Session) -> Iterator[Statement]:
        """The statement with its transaction, in the order of its session, if it began in the interval."""
        was_in_block = session.in_block
        if statement.error is None:
            session.in_block, _ = state_after(statement.text, was_in_block)
        if session.in_block and not was_in_block:
            session.number += 1
        number = session.number if was_in_block or session.in_block else None
        # Times are cut to milliseconds: within one, a later statement may seem to begin before an earlier.
        at_s = max(statement.at_s, session.last_start_s)
        session.last_start_s = at_s
        placed = statement._replace(at_s=at_s, transaction=number)
        reason = why_outside(placed, session, self._end_s - self._start_s)
        if reason is None:
            yield placed
        else:
            self.left_out[reason] += 1


def _timed(statement: Statement, end_s: float, duration_ms: float) -> Statement:
    """The statement of a duration that was told at its end; the record's time is relative to the interval's start."""
    return statement._replace(at_s=end_s - duration_ms / 1000, duration_ms=round(duration_ms, 3))


def _is_seen_whole(statement: Statement, record: LogRecord, session: _Session) -> bool:
    """Whether the statement's transaction began where the session was watched; from then on all of its are."""
    before, session.torn_transaction = session.torn_transaction, record.virtual_transaction
    still_in_block, ended = state_after(statement.text, True)
    if ended or not still_in_block:
        session.needs_boundary = False
        return False
    begins = state_after(statement.text, False)[0]
    is_single = record.virtual_transaction.endswith("/0")
    session.needs_boundary = not (begins or is_single or before not in {"", record.virtual_transaction})
    return not session.needs_boundary
