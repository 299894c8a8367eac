"""What every DBMS's connection shares: how a database is reached, what became of a statement, who waits for it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple, Protocol

CONNECT_TIMEOUT_S = 30.0
IDLE, IN_BLOCK, FAILED = "I", "T", "E"
"""A session's states: in no transaction, in one, in one that takes nothing any more but its end."""
GENERAL = "HY000"
"""The SQLSTATE that some servers have for most errors of their own."""
LOST = "08006"
"""The SQLSTATE of a connection that ended, where the server said nothing."""


class CannotConnect(Exception):
    """No connection came to be; `sqlstate` is the server's, or 08001 for one that was not reached."""

    def __init__(self, message: str, sqlstate: str = "08001") -> None:
        self.sqlstate = sqlstate
        super().__init__(message)


class ConnectionLost(Exception):
    """The connection ended while it was needed; `sqlstate` is what the server said last, or 08006."""

    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate
        super().__init__(sqlstate)


@dataclass(frozen=True)
class Access:
    """How to reach the database. `tls` is one of `settings.TLS_MODES`; a host with `/` first is a socket's."""

    host: str
    port: int
    user: str
    database: str
    password: str = field(default="", repr=False)
    tls: str = "prefer"
    tls_root: str | None = None


class Outcome(NamedTuple):
    """What became of a text: the rows returned or touched by all its statements, and the SQLSTATE of its error."""

    rows: int
    error: str | None


class Waiter(Protocol):
    """Who waits for an answer, as an asyncio.Future does."""

    def done(self) -> bool:
        """Whether it waits no longer."""

    def set_result(self, outcome: Outcome) -> None:
        """The server has answered."""

    def set_exception(self, error: Exception) -> None:
        """No answer will come."""


class Link(Protocol):
    """A connection to a server of one DBMS: a message is sent, its rows are dropped, and its outcome comes back.

    `status` is its transaction's state, `parameters` are the server's own words of the session, `error_number` is
    the last error's where the DBMS has numbers. In a session that has FAILED the server takes nothing any more but the
    end of the transaction.
    """

    ROLLBACK: bytes
    """The message that rolls back what is open."""
    status: str
    is_lost: bool
    parameters: dict[str, str]
    error_number: int | None

    async def open(self, settings: Mapping[str, str]) -> None:
        """Connect and log in with `settings` in force. Raises CannotConnect."""

    def message(self, text: str, parameters: Sequence[str | None] | None, prepared: str | None) -> bytes:
        """A statement to send: as text alone without `parameters`, else prepared, under a name where it has one."""

    def send(self, message: bytes, waiter: Waiter) -> None:
        """Send a message to whose answer somebody waits. Raises ConnectionLost."""

    def heed(self, text: str, parameters: Sequence[str | None] | None, prepared: str | None, error: str | None) -> None:
        """What is prepared on the server may not be what was thought, after such a statement ended so."""

    async def simple(self, text: bytes) -> Outcome:
        """Send a text, and wait. Raises ConnectionLost."""

    async def rows(self, text: bytes) -> tuple[list[list[str | None]], str | None]:
        """The rows of a query of the replayer's own, values as text, and the SQLSTATE of its error."""

    def settings_back(self) -> Sequence[bytes]:
        """Messages that put the session's settings back to those that it began with."""

    def all_back(self) -> Sequence[bytes]:
        """Messages after which the session is as at its beginning."""

    async def cancel(self) -> None:
        """Ask the server to give up the statement that is running."""

    def close(self) -> None:
        """End the session in good order."""

    def abort(self) -> None:
        """End the connection at once."""


async def sent(link: Link, message: bytes) -> Outcome:
    """Send a message and wait for its outcome. Raises ConnectionLost."""
    waiter: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    link.send(message, waiter)
    return await waiter


class Talk(asyncio.Protocol):
    """What the connections to all servers have alike: who waits for an answer, and what has come of it so far."""

    QUIT: ClassVar[bytes]
    """The message that ends the session."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._skipped = 0
        self._waiter: Waiter | None = None
        self._rows = 0
        self._error: str | None = None
        self._message = ""
        self._kept: list[list[str | None]] | None = None
        self.error_number: int | None = None
        self.status = IDLE
        self.is_lost = False
        self.parameters: dict[str, str] = {}

    def send(self, message: bytes, waiter: Waiter) -> None:
        """Send a message to whose answer somebody waits. Raises ConnectionLost."""
        if self.is_lost or self._transport is None:
            raise ConnectionLost(self._error or LOST)
        self._rows, self._error, self.error_number = 0, None, None
        self._waiter = waiter
        self._transport.write(message)

    async def simple(self, text: bytes) -> Outcome:
        """Send a text, and wait. Raises ConnectionLost."""
        raise NotImplementedError

    async def rows(self, text: bytes) -> tuple[list[list[str | None]], str | None]:
        """The rows of a query of the replayer's own, values as text, and the SQLSTATE of its error."""
        self._kept = []
        try:
            outcome = await self.simple(text)
            return self._kept, outcome.error
        finally:
            self._kept = None

    def close(self) -> None:
        """End the session in good order."""
        if self._transport is not None and not self.is_lost:
            self._transport.write(self.QUIT)
            self._transport.close()

    def abort(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """Part of asyncio's protocol: whoever waits is told."""
        self.is_lost = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ConnectionLost(self._error or LOST))

    def _write(self, message: bytes) -> None:
        if self._transport is not None:
            self._transport.write(message)


def tls_context(mode: str, root: str | None) -> ssl.SSLContext:
    """How strictly the server's certificate is looked at: not at all up to `require`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = mode == "verify-full"
    context.verify_mode = ssl.CERT_REQUIRED if mode.startswith("verify") else ssl.CERT_NONE
    if mode.startswith("verify"):
        context.load_verify_locations(root) if root else context.load_default_certs()
    return context


def to_bytes(text: str) -> bytes:
    """The bytes of a text of a recording."""
    return text.encode("utf-8", "surrogateescape")
