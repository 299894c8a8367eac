"""From the rows of a window to the statements of one database, session by session.

A row is written as its statement ends. A session is in it from its beginning or not at all, so its state is known: in
which database it is, and whether it is in a transaction. What it sent before it chose a database belongs to the one
that it chose, as far as it sets something.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from otterflow.dbms.mysql_family.slow_log.rows import Row
from otterflow.dbms.mysql_family.statements.transactions import autocommit_after, commits_before, state_after
from otterflow.dbms.statement import Statement

BEFORE = "began before the interval"
AFTER = "began after the interval"
TORN = "rest of a transaction that began before the interval"
ELSEWHERE = "sent in another database by a session of this one"
FETCHED = "further rows of a cursor, which came with the first"
RESET = "changes of the user, or resets of the connection"

COMMANDS = frozenset(
    {
        "Sleep", "Quit", "Init DB", "Field List", "Create DB", "Drop DB", "Refresh", "Shutdown", "Statistics",
        "Processlist", "Connect", "Kill", "Debug", "Ping", "Time", "Delayed insert", "Change user", "Binlog Dump",
        "Table Dump", "Connect Out", "Register Slave", "Prepare", "Execute", "Long Data", "Close stmt", "Reset stmt",
        "Set option", "Fetch", "Daemon", "Reset connection", "Error",
    }
)  # fmt: skip
"""What stands in a row in the place of a text, for a command of the protocol that has none."""
_MARK = "# administrator command: "
_RESETS = frozenset({"Change user", "Reset connection"})
_HELD = 1_000
"""So many statements are kept of a session that has chosen no database yet."""


@dataclass
class _Session:
    """What is known of a session while its rows are read."""

    number: int = 0
    in_block: bool = False
    autocommit: bool = True
    last_end_s: float = -math.inf
    early_number: int | None = None
    is_ours: bool = False
    held: list[Statement] = field(default_factory=list)


class SessionsStatements:
    """Reads one database's statements out of rows. `start_s` and `end_s` bound the interval.

    `left_out` counts, by reason, what was seen and not given; `logged` is how many statements of any database there are.
    """

    def __init__(self, database: str, start_s: float, end_s: float) -> None:
        self._database, self._start_s, self._end_s = database, start_s, end_s
        self._sessions: dict[str, _Session] = {}
        self.left_out: Counter[str] = Counter()
        self.logged = 0

    def read(self, rows: Iterable[Row]) -> Iterator[Statement]:
        """The statements of the rows; `at_s` counts from the interval's start."""
        for row in rows:
            command = row.text[len(_MARK) :] if row.text.startswith(_MARK) else row.text
            if command in COMMANDS:
                self._commanded(command, row.session)
                continue
            self.logged += 1
            session = self._sessions.setdefault(row.session, _Session())
            yield from self._statements(row, session)

    def _commanded(self, command: str, name: str) -> None:
        session = self._sessions.get(name)
        if command == "Quit":
            self._sessions.pop(name, None)
        elif session is None or not session.is_ours:
            return
        elif command in _RESETS:
            session.in_block, session.autocommit = False, True
            self.left_out[RESET] += 1
        elif command == "Fetch":
            self.left_out[FETCHED] += 1

    def _statements(self, row: Row, session: _Session) -> Iterator[Statement]:
        # Times are cut to microseconds: a later statement may seem to begin before an earlier has ended.
        at_s = max(row.end_s - row.duration_s, session.last_end_s)
        session.last_end_s = max(row.end_s, at_s)
        statement = Statement(
            row.session, at_s - self._start_s, row.text, _transaction(row.text, session),
            duration_ms=round(row.duration_s * 1000, 3), rows=row.rows_sent or row.rows_affected,
        )  # fmt: skip
        if row.database == self._database:
            session.is_ours = True
            for held in session.held:
                yield from self._within(held, session)
            session.held = []
            yield from self._within(statement, session)
        elif session.is_ours:
            self.left_out[ELSEWHERE] += 1
        elif row.database is None and len(session.held) < _HELD and row.text[:4].lower().strip() == "set":
            session.held.append(statement)

    def _within(self, statement: Statement, session: _Session) -> Iterator[Statement]:
        """The statement, if it began in the interval, with all of its transaction."""
        number = statement.transaction
        if statement.at_s < 0:
            session.early_number = number
            self.left_out[BEFORE] += 1
        elif number is not None and number == session.early_number:
            self.left_out[TORN] += 1
        elif statement.at_s >= self._end_s - self._start_s:
            self.left_out[AFTER] += 1
        else:
            yield statement


def _transaction(text: str, session: _Session) -> int | None:
    """The number of the transaction that the statement is in; what it makes of the session's state is kept there."""
    was_in_block = session.in_block and not commits_before(text)
    in_block, ended = state_after(text, was_in_block)
    before, session.autocommit = session.autocommit, autocommit_after(text, session.autocommit)
    switches_off = before and not session.autocommit
    if in_block and not was_in_block and not switches_off:
        session.number += 1
    number = session.number if was_in_block or (in_block and not switches_off) else None
    # What comes next is another transaction: after COMMIT AND CHAIN, and wherever one ends without autocommit.
    session.in_block = in_block or not session.autocommit
    if session.in_block and (switches_off or ended or not in_block):
        session.number += 1
    return number
