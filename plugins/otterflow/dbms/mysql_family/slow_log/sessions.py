"""From the rows of a window to the statements of one database, session by session.

A row is written as its statement ends. A session is taken from its beginning or not at all, so its state is known: in
which database it is, and whether it is in a transaction. MariaDB's rows have none that was there before the window;
MySQL's may have the rest of one, which is left out up to where its client resets it. What a session sent before it
chose a database belongs to the one that it chose, as far as it sets something.

The table has the start of a statement, in MySQL its end, as text in the time zone of its session, which the row does
not name. Read as if all sessions had the server's, that of another is off by a multiple of a quarter of an hour. Which
one, its end tells: rows come in the order of their ends, and the looks of the window's own job are among them, every
few seconds.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from otterflow.dbms.log_interval import why_outside
from otterflow.dbms.mysql_family.slow_log.charset import charsets_of, in_utf8
from otterflow.dbms.mysql_family.slow_log.rows import Row
from otterflow.dbms.mysql_family.slow_log.tables import COMMANDS, NO_QUESTIONS, RESETS, TABLES, Table, not_told
from otterflow.dbms.mysql_family.statements.transactions import autocommit_after, commits_before, state_after
from otterflow.dbms.statement import Statement

ELSEWHERE = "sent in another database by a session of this one"
BY_SERVER = "done by an event of the server's or a replica's applier, which no client sent"
OLD = "sent by a session that was there before the window"
CUT = "is as long as mysql.slow_log can have it, and may be cut off"

_HELD = 1_000
"""So many statements are kept of a session that has chosen no database yet."""
_FAR_S = 1.0
"""A start that is so far outside of the interval is one that the session has made up (`SET timestamp`)."""
_ZONES_S = 900.0
"""Time zones differ by a multiple of this, and at most by `_ZONES_APART_S`."""
_ZONES_APART_S = 27 * 3600.0
_NEAR_S = 30.0
"""So near to the end of the row before it a row ends that is taken to be off by its time zone, and by that alone."""
_SPANS = re.compile(r"\s*(?:call|begin\s+not\s+atomic)\b", re.IGNORECASE)
"""What holds other statements. MariaDB's row has the start of the last of them, and the time that all took."""
_IMMEDIATE = re.compile(r"\s*execute\s+immediate\b", re.IGNORECASE)
"""Its row follows that of the statement that it made, with the same start; where that one could not be, it is alone."""
_USES = re.compile(r"\s*use\b", re.IGNORECASE)
_SETS = re.compile(r"\s*set\b", re.IGNORECASE)
_LONE = re.compile("[\udc80-\udcff]")
"""A byte that is no UTF-8."""
_OF_BYTES = re.compile(r"\b_binary\s*'(?:[^'\\]|\\.|'')*?\?", re.IGNORECASE | re.DOTALL)


@dataclass
class _Session:
    """What is known of a session while its rows are read."""

    number: int = 0
    in_block: bool = False
    autocommit: bool = True
    last_start_s: float = -math.inf
    told_start_s: float = -math.inf
    early_number: int | None = None
    zone_s: float = 0.0
    is_ours: bool = False
    told_charset: bool = False
    held: list[Statement] = field(default_factory=list)


class SessionsStatements:
    """Reads one database's statements out of rows. `start_s` and `end_s` bound the interval.

    `left_out` counts, by reason, what was seen and not given; `logged` is how many statements of any database there
    are, without those of sessions from before and, where other choices of a database have no row, without USE.
    `altered` is how many of the given ones may have lost bytes, and `untold` how many have bytes of a character set
    that their session has not named. `table` is that of the DBMS of this name.
    """

    def __init__(self, database: str, start_s: float, end_s: float, table: str) -> None:
        self._table: Table = TABLES[table]
        self._database, self._start_s, self._end_s = database, start_s, end_s
        self._reached_s = start_s
        self._sessions: dict[str, _Session] = {}
        self.left_out: Counter[str] = Counter()
        self.logged = 0
        self.altered = 0
        self.untold = 0
        self._commands = 0
        self._resets: Counter[str] = Counter()

    @property
    def besides(self) -> int:
        """What the server counts as questions and is no statement: the commands, or else the end of each session."""
        return self._commands if self._table.has_commands else len(self._sessions)

    def read(self, rows: Iterable[Row]) -> Iterator[Statement]:
        """The statements of the rows; `at_s` counts from the interval's start."""
        for row in rows:
            if not row.is_of_client:
                self.left_out[BY_SERVER] += row.database == self._database
            elif self._table.has_commands and row.text in COMMANDS:
                self._commands += row.text not in NO_QUESTIONS
                self._resets[row.session] += row.text in RESETS
            elif self._table.is_global and row.is_old and not self._resets[row.session]:
                self.left_out[OLD] += row.database == self._database
            else:
                yield from self._of_client(row)

    def _of_client(self, row: Row) -> Iterator[Statement]:
        again = self._resets[row.session]
        if again:
            row = row._replace(session=f"{row.session}-{again}")
        session = self._sessions.setdefault(row.session, _Session())
        told_before_s, session.told_start_s = session.told_start_s, row.start_s
        if row.start_s == told_before_s and _IMMEDIATE.match(row.text):
            return
        self.logged += self._table.has_commands or _USES.match(row.text) is None
        reason = self._not_told(row)
        if reason:
            self.left_out[reason] += row.database == self._database
            return
        session.told_charset = session.told_charset or any(charsets_of(row.text))
        for statement in self._statements(row, session):
            self._look_at_bytes(statement.text, session)
            yield statement

    def _not_told(self, row: Row) -> str | None:
        """Why the row's text cannot be sent again as it stands there."""
        if row.may_be_cut:
            return CUT
        return not_told(row.text) if self._table.has_commands else None

    def _look_at_bytes(self, text: str, session: _Session) -> None:
        if not self._table.as_sent:
            self.altered += "?" in text and _OF_BYTES.search(text) is not None
        elif not session.told_charset and not text.isascii() and _LONE.search(text) and "_binary" not in text.lower():
            self.untold += 1

    def _began_s(self, row: Row, session: _Session) -> float:
        """When the statement began. Where its row does not tell, it ended with the one that told its end before it."""
        spans = self._table.spans_mislead and _SPANS.match(row.text)
        if not spans:
            session.zone_s = self._zone_s(row, session.zone_s)
        start_s = row.start_s + session.zone_s
        is_told = self._start_s - _FAR_S <= start_s <= self._end_s + _FAR_S
        if is_told and not spans:
            self._reached_s = start_s + row.duration_s  # not the latest: one that made up its time is soon forgotten
            return start_s
        return max(self._reached_s, start_s if is_told else 0.0) - row.duration_s

    def _zone_s(self, row: Row, before_s: float) -> float:
        """What is to be added to the row's start for its session's time zone; `before_s` if the row does not tell."""
        ahead_s = self._reached_s - row.start_s - row.duration_s
        zone_s = _ZONES_S * round(ahead_s / _ZONES_S)
        return zone_s if abs(ahead_s - zone_s) <= _NEAR_S and abs(zone_s) <= _ZONES_APART_S else before_s

    def _statements(self, row: Row, session: _Session) -> Iterator[Statement]:
        at_s = session.last_start_s = max(self._began_s(row, session), session.last_start_s)
        statement = Statement(
            row.session, at_s - self._start_s, row.text if self._table.as_sent else in_utf8(row.text),
            _transaction(row.text, session),
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
        elif row.database is None and len(session.held) < _HELD and _SETS.match(row.text):
            session.held.append(statement)

    def _within(self, statement: Statement, session: _Session) -> Iterator[Statement]:
        """The statement, if it began in the interval, with all of its transaction."""
        reason = why_outside(statement, session, self._end_s - self._start_s)
        if reason is None:
            yield statement
        else:
            self.left_out[reason] += 1


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
