"""What every DBMS's connection shares: how the database is reached, what became of a statement, and who waits for it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

CONNECT_TIMEOUT_S = 30.0
IDLE, IN_BLOCK, FAILED = "I", "T", "E"
"""A session's states: in no transaction, in one, in one that takes nothing any more but its end."""
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
    """How to reach the database. `tls` is one of libpq's words for `sslmode`; a host with `/` first is a socket's."""

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


def tls_context(mode: str, root: str | None) -> ssl.SSLContext:
    """How strictly the server's certificate is looked at: not at all up to `require`, as libpq does it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = mode == "verify-full"
    context.verify_mode = ssl.CERT_REQUIRED if mode.startswith("verify") else ssl.CERT_NONE
    if mode.startswith("verify"):
        context.load_verify_locations(root) if root else context.load_default_certs()
    return context


def to_bytes(text: str) -> bytes:
    """The bytes of a text of a recording."""
    return text.encode("utf-8", "surrogateescape")
