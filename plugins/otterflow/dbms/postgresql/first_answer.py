"""What the server answers to the first message of a connection, by its SQLSTATE and so in any language.

libpq hands on only the text of a connection that failed, in the language of the server's `lc_messages`.
Source: https://www.postgresql.org/docs/current/protocol-flow.html, "Start-up", and "Message Formats".
"""

from __future__ import annotations

import socket
import struct

ASKS = "asks for credentials"
LETS_IN = "lets in"

_PROTOCOL = 3 << 16
_MOST_BYTES = 64 * 2**10


def first_answer(host: str, port: int, user: str, database: str, *, timeout_s: float = 10) -> str | None:
    """The SQLSTATE of the server's refusal, `ASKS` or `LETS_IN`; None where nobody answers in this protocol.

    `host` may be a folder with the server's socket. No password is sent, and nothing is encrypted.
    """
    try:
        with _connected(host, port, timeout_s) as connection, connection.makefile("rb") as stream:
            connection.sendall(_startup_message(user, database))
            while True:
                kind = stream.read(1)
                (length,) = struct.unpack("!I", stream.read(4))
                body = stream.read(max(0, min(length - 4, _MOST_BYTES)))
                if kind == b"E":
                    return _sqlstate(body)
                if kind == b"R" and body[:4] != bytes(4):
                    return ASKS
                if kind == b"Z":
                    return LETS_IN
    except (OSError, struct.error):
        return None


def is_refusal(answer: str | None) -> bool:
    """Whether the answer says that these credentials, or this database, will not do, however often they are tried.

    So does a server that asked for credentials and then sent the client away. One that is starting up, shutting down
    (57P03) or has no connection left (53300) says that a moment before it asks.
    """
    return answer is not None and (answer in (ASKS, "3D000", "42501", "55000") or answer.startswith("28"))


def _connected(host: str, port: int, timeout_s: float) -> socket.socket:
    if not host.startswith("/"):
        return socket.create_connection((host, port), timeout=timeout_s)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout_s)
    connection.connect(f"{host.rstrip('/')}/.s.PGSQL.{port}")
    return connection


def _startup_message(user: str, database: str) -> bytes:
    words = b"".join(word.encode() + b"\0" for word in ("user", user, "database", database)) + b"\0"
    return struct.pack("!II", len(words) + 8, _PROTOCOL) + words


def _sqlstate(body: bytes) -> str | None:
    fields = {field[:1]: field[1:] for field in body.split(b"\0") if field}
    return fields[b"C"].decode("ascii", "replace") if b"C" in fields else None
