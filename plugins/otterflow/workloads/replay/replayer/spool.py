"""A recording laid out for its replay: each session's statements one after the other, in compressed pieces.

Sessions drift apart in a replay, so each has to read at its own place. Of a session only one piece is in memory.
"""

from __future__ import annotations

import json
import os
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, NamedTuple

from otterflow.dbms.statement import Statement
from otterflow.dbms.statements.dialect import Dialect
from otterflow.workloads.replay.replayer.sieve import Sieve

PIECE_STATEMENTS = 200
PIECE_BYTES = 64 * 1024


class Item(NamedTuple):
    """A statement to send."""

    at_s: float
    text: str
    transaction: int | None
    parameters: list[str | None] | None
    prepared: str | None
    duration_ms: float | None
    statement_class: str


@dataclass
class SpooledSession:
    """Where a session's statements are."""

    name: str
    first_s: float
    last_s: float = 0.0
    statements: int = 0
    pieces: list[tuple[int, int]] = field(default_factory=list)
    held: list[Item] = field(default_factory=list)
    held_bytes: int = 0


class Spool:
    """A recording's statements by session, to be sent to the `database`. A context manager.

    `left_out` and `told` count statements by reason. `shapes` has each class with the fingerprint of its text;
    `server_s` is how long the server worked at the statements that are to be sent.
    """

    def __init__(self, folder: str, dialect: Dialect, database: str) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)
        self._end = 0
        self._sessions: dict[str, SpooledSession] = {}
        self._sieve = Sieve(dialect, database)
        self._fingerprint = dialect.fingerprint
        self.left_out: Counter[str] = Counter()
        self.told: Counter[str] = Counter()
        self.shapes: dict[str, str] = {}
        self.recorded = 0
        self.server_s = 0.0
        self._by_second: Counter[int] = Counter()

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def sessions(self) -> list[SpooledSession]:
        """The sessions in the order of their first statement."""
        return sorted(self._sessions.values(), key=lambda each: (each.first_s, each.name))

    @property
    def statements(self) -> int:
        """How many statements there are to send."""
        return sum(each.statements for each in self._sessions.values())

    @property
    def busiest_per_s(self) -> int:
        """How many statements to send began in the recording's busiest second."""
        return max(self._by_second.values(), default=0)

    def fill(self, statements: Iterable[Statement]) -> None:
        """Take a whole recording."""
        for statement in statements:
            self.recorded += 1
            judgement = self._sieve.judge(statement)
            if judgement.left_out is not None:
                self.left_out[judgement.left_out] += 1
                continue
            if judgement.told is not None:
                self.told[judgement.told] += 1
            self._keep(statement)
        for session in self._sessions.values():
            self._write(session)
        self._file.flush()

    def items(self, session: SpooledSession) -> Iterator[Item]:
        """The statements of a session, in their order."""
        for offset, length in session.pieces:
            for record in json.loads(zlib.decompress(os.pread(self._file.fileno(), length, offset))):
                yield Item(*record)

    def _keep(self, statement: Statement) -> None:
        session = self._sessions.get(statement.session)
        if session is None:
            session = self._sessions[statement.session] = SpooledSession(statement.session, statement.at_s)
        parameters = None if statement.parameters is None else list(statement.parameters)
        session.held.append(
            Item(
                statement.at_s, statement.text, statement.transaction, parameters, statement.prepared,
                statement.duration_ms, statement.statement_class or "",
            )
        )  # fmt: skip
        name = statement.statement_class or ""
        if name not in self.shapes:
            self.shapes[name] = self._fingerprint(statement.text)
        session.statements += 1
        self._by_second[int(statement.at_s)] += 1
        self.server_s += (statement.duration_ms or 0.0) / 1000
        session.last_s = max(session.last_s, statement.at_s + (statement.duration_ms or 0.0) / 1000)
        session.held_bytes += len(statement.text) + sum(len(each or "") for each in parameters or ())
        if len(session.held) >= PIECE_STATEMENTS or session.held_bytes >= PIECE_BYTES:
            self._write(session)

    def _write(self, session: SpooledSession) -> None:
        if not session.held:
            return
        piece = zlib.compress(json.dumps(session.held, separators=(",", ":")).encode("ascii"), 1)
        self._file.write(piece)
        session.pieces.append((self._end, len(piece)))
        self._end += len(piece)
        session.held, session.held_bytes = [], 0


def most_at_once(sessions: Sequence[SpooledSession], ahead_s: float) -> int:
    """How many sessions were open at once, each from so long before its first statement to the end of its last."""
    changes = sorted(change for each in sessions for change in ((each.first_s - ahead_s, 0, 1), (each.last_s, 1, -1)))
    most = now = 0
    for _, _, step in changes:
        now += step
        most = max(most, now)
    return most
