"""Cuts a recording into units that can be done over any connection, in any order, and again.

A unit is a transaction, or a statement that was one by itself, with the settings of its session. Where something
outlives a transaction in its session (a temporary table, a cursor WITH HOLD, a lock), the unit goes on until that is
given up. What cannot be cut so is left out, and counted by reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Optional

from otterflow.dbms.statement import Statement
from otterflow.dbms.statements.dialect import Dialect
from otterflow.dbms.statements.judging import DDL
from otterflow.dbms.statements.touching import ALL, NOTHING, PREPARED, TEMPORARY, Held, Touch
from otterflow.workloads.replay.replayer.sieve import Sieve

MOST_STATEMENTS = 2_000
MOST_BYTES = 16 * 2**20
"""A unit with more is left out: it would be a load of its own, and would have to be held whole."""
_CACHED, _CACHED_LENGTH = 10_000, 64 * 1024

ONCE = "changes the schema, which can be done but once"
TOO_LONG = "a transaction of more than 2,000 statements or 16 MiB"
NEEDS = "needs what its session made before: "
SNAPSHOT = NEEDS + "an exported snapshot"
VARIABLE = NEEDS + "a variable"
BEGIN = "BEGIN"
"""What is sent before a transaction that the end of another has begun (COMMIT AND CHAIN)."""

Parameters = Optional[tuple[Optional[str], ...]]
Context = tuple[tuple[str, Parameters], ...]
"""The statements that set what was set in the session."""


class Unit(NamedTuple):
    """Statements that belong together, and the seconds that the server worked at them.

    `leaves_state` is whether something is left in the session after it, of which the next one is to know nothing.
    """

    context: Context
    statements: tuple[Statement, ...]
    seconds: float
    leaves_state: bool


@dataclass
class Out:
    """Statements that are not in the mix, and the seconds that the server worked at them."""

    statements: int = 0
    seconds: float = 0.0

    def add(self, statements: int, seconds: float) -> None:
        """Count some more."""
        self.statements += statements
        self.seconds += seconds


@dataclass
class _Session:
    settings: dict[str, tuple[str, Parameters]] = field(default_factory=dict)
    held: set[Held] = field(default_factory=set)
    passing: set[Held] = field(default_factory=set)
    assigned: set[str] = field(default_factory=set)
    lost: set[Held] = field(default_factory=set)
    """What is held by a unit that was too long: whoever mentions it is left out too."""
    statements: list[Statement] = field(default_factory=list)
    number: int = 0
    bytes: int = 0
    seconds: float = 0.0
    transaction: int | None = None
    context: Context = ()
    leaves_state: bool = False
    why_not: str | None = None
    is_chained: bool = False
    """Whether its last unit has begun the transaction of the next one (COMMIT AND CHAIN)."""


class Units:
    """Takes a recording's statements in the order of their start and gives `take` each unit when it is whole.

    They are to be sent to the `database`. `left_out` has by reason what is in no unit; `settings` counts the statements
    that only set something.
    """

    def __init__(self, take: Callable[[Unit], None], dialect: Dialect, database: str) -> None:
        self._take, self._dialect = take, dialect
        self._sieve = Sieve(dialect, database)
        self._touches: dict[str, Touch] = {}
        self._sessions: dict[str, _Session] = {}
        self.left_out: dict[str, Out] = {}
        self.settings = Out()
        self.statements = 0
        self.seconds = 0.0

    def cut(self, statements: Iterable[Statement]) -> None:
        """Take a whole recording."""
        for statement in statements:
            self._add(statement)
        for session in self._sessions.values():
            self._close(session)

    def leave_out(self, reason: str, statements: int, seconds: float) -> None:
        """Count what is not in the mix."""
        self.left_out.setdefault(reason, Out()).add(statements, seconds)

    def _add(self, statement: Statement) -> None:
        seconds = (statement.duration_ms or 0.0) / 1000
        self.statements += 1
        self.seconds += seconds
        judgement = self._sieve.judge(statement)
        if judgement.left_out is not None:
            self.leave_out(judgement.left_out, 1, seconds)
            return
        session = self._sessions.get(statement.session)
        if session is None:
            session = self._sessions[statement.session] = _Session()
        if session.number and not session.held and statement.transaction != session.transaction:
            self._close(session)
        touch = self._touch(statement.text)
        sets = touch.only_sets and touch.reads <= session.settings.keys()
        if sets and not session.number and statement.transaction is None:
            self._set(session, touch, statement)
            self.settings.add(1, seconds)
            return
        if not session.number:
            session.context = tuple(session.settings.values())
            if session.is_chained and statement.transaction is not None:
                begun = Statement(statement.session, statement.at_s, BEGIN, statement.transaction)
                session.statements.append(begun._replace(statement_class=self._dialect.fingerprint(BEGIN)))
            session.is_chained = False
        session.transaction = statement.transaction
        self._hold(session, statement, seconds)
        if judgement.told == DDL and not self._can_come_again(statement.text, session):
            session.why_not = ONCE
        self._heed(session, touch, statement)
        if self._is_whole(session, statement):
            self._close(session)
            session.is_chained = statement.transaction is not None and self._dialect.chains(statement.text)

    def _hold(self, session: _Session, statement: Statement, seconds: float) -> None:
        session.number += 1
        session.seconds += seconds
        session.bytes += len(statement.text) + sum(len(each or "") for each in statement.parameters or ())
        if session.number > MOST_STATEMENTS or session.bytes > MOST_BYTES:
            session.statements.clear()
            session.lost |= session.held
            session.held.clear()
            session.why_not = session.why_not or TOO_LONG
        else:
            session.statements.append(statement)

    def _heed(self, session: _Session, touch: Touch, statement: Statement) -> None:
        """What the statement makes, gives up and needs."""
        for held in session.lost:
            if self._dialect.mentions(statement.text, held):
                session.why_not = session.why_not or NEEDS + held[0]
        if touch is NOTHING:
            return
        lacking = self._lacking(session, touch)
        if lacking is not None:
            session.why_not = session.why_not or lacking
        for gone in touch.gives_up:
            for kept in (session.held, session.lost):
                kept -= {each for each in kept if each[0] == gone[0] and gone[1] in {each[1], ALL}}
        session.held |= touch.makes
        session.passing |= touch.passing
        session.assigned |= touch.assigns
        for name in touch.assigns:
            session.settings.pop(name, None)
        if touch.makes or touch.settings or touch.assigns:
            session.leaves_state = True
        self._set(session, touch, statement)

    def _lacking(self, session: _Session, touch: Touch) -> str | None:
        """What the statement needs of its session that its unit has not, as a reason to leave the unit out."""
        if touch.executes - {name for kind, name in session.held if kind == PREPARED}:
            return NEEDS + PREPARED
        if not touch.reads <= session.settings.keys() | session.assigned:
            return VARIABLE
        if touch.takes_snapshot:
            return SNAPSHOT
        return NEEDS + self._dialect.asked if touch.asks_sequence and session.number == 1 else None

    def _set(self, session: _Session, touch: Touch, statement: Statement) -> None:
        for name, text in touch.settings:
            if name == ALL:
                session.settings.clear()
            elif text is None:
                session.settings.pop(name, None)
            else:
                session.settings.pop(name, None)  # in the order of their last time: NAMES sets what others set, too
                session.settings[name] = text, statement.parameters

    def _is_whole(self, session: _Session, statement: Statement) -> bool:
        if session.held:
            return False
        if statement.transaction is None:
            return True
        text, dialect = statement.text, self._dialect
        return dialect.ends_block(text) and dialect.state_after(text, True)[1]

    def _close(self, session: _Session) -> None:
        if session.why_not is not None:
            self.leave_out(session.why_not, session.number, session.seconds)
        elif session.number:
            self._take(Unit(session.context, tuple(session.statements), session.seconds, session.leaves_state))
        session.statements = []
        session.number = session.bytes = 0
        session.seconds = 0.0
        session.leaves_state = False
        session.why_not = None
        session.held.clear()
        session.passing.clear()
        session.assigned.clear()

    def _touch(self, text: str) -> Touch:
        touch = self._touches.get(text)
        if touch is None:
            touch = self._dialect.touch_of(text)
            if len(self._touches) < _CACHED and len(text) < _CACHED_LENGTH:
                self._touches[text] = touch
        return touch

    def _can_come_again(self, text: str, session: _Session) -> bool:
        """Whether a change of the schema is of the session's own temporary tables, or one that may be made again."""
        if self._dialect.comes_again(text):
            return True
        held = session.held | session.passing
        return any(kind == TEMPORARY and self._dialect.mentions(text, (kind, name)) for kind, name in held)
