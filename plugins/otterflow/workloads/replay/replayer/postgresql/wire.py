"""PostgreSQL's protocol, version 3, as bytes: what is sent, and the parts of what is answered.

Source: the manual's chapter "Frontend/Backend Protocol", Message Formats.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence

from otterflow.workloads.replay.replayer.answers import to_bytes

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
SYNC = b"S\x00\x00\x00\x04"
TERMINATE = b"X\x00\x00\x00\x04"
_EXECUTE = b"E\x00\x00\x00\x09\x00\x00\x00\x00\x00"
_PROTOCOL = 196608


def startup(parameters: Mapping[str, str]) -> bytes:
    """The first message of a connection."""
    pairs = b"".join(to_bytes(name) + b"\0" + to_bytes(value) + b"\0" for name, value in parameters.items())
    body = struct.pack("!i", _PROTOCOL) + pairs + b"\0"
    return struct.pack("!i", len(body) + 4) + body


def cancel_request(pid: int, secret: bytes) -> bytes:
    """The only message of a connection that cancels another one's statement."""
    return struct.pack("!iii", 12 + len(secret), 80877102, pid) + secret


def query(text: bytes) -> bytes:
    """A statement by the simple protocol."""
    return b"Q" + struct.pack("!i", len(text) + 5) + text + b"\0"


def parse(name: bytes, text: bytes) -> bytes:
    """Prepares a statement; the types of its parameters are the server's to find."""
    body = name + b"\0" + text + b"\0\0\0"
    return b"P" + struct.pack("!i", len(body) + 4) + body


def execute(name: bytes, parameters: Sequence[bytes | None]) -> bytes:
    """Binds values, as text, to a prepared statement, and executes it whole."""
    values = b"".join(
        b"\xff\xff\xff\xff" if value is None else struct.pack("!i", len(value)) + value for value in parameters
    )
    body = b"\0" + name + b"\0\0\0" + struct.pack("!H", len(parameters)) + values + b"\0\0"
    return b"B" + struct.pack("!i", len(body) + 4) + body + _EXECUTE


def close_statement(name: bytes) -> bytes:
    """Gives up a prepared statement."""
    return b"C" + struct.pack("!i", len(name) + 6) + b"S" + name + b"\0"


def copy_fail() -> bytes:
    """Ends a COPY FROM STDIN that has no data."""
    reason = b"a replay has no data to copy\0"
    return b"f" + struct.pack("!i", len(reason) + 4) + reason


def password(secret: bytes) -> bytes:
    """The answer to a server that wants a password, or the last message of SASL."""
    return b"p" + struct.pack("!i", len(secret) + 4) + secret


def sasl_first(mechanism: bytes, data: bytes) -> bytes:
    """The first message of SASL."""
    return password(mechanism + b"\0" + struct.pack("!i", len(data)) + data)


def md5_password(user: str, secret: str, salt: bytes) -> bytes:
    """A password as servers with md5 authentication want it."""
    inner = hashlib.md5(to_bytes(secret) + to_bytes(user), usedforsecurity=False).hexdigest()
    return b"md5" + hashlib.md5(inner.encode() + salt, usedforsecurity=False).hexdigest().encode() + b"\0"


def fields_of_error(body: bytes) -> dict[str, str]:
    """The fields of an error or a notice by their letters: C the SQLSTATE, M the message, V the severity."""
    return {part[:1].decode("ascii"): part[1:].decode("utf-8", "replace") for part in body.split(b"\0") if part}


def rows_of_tag(tag: bytes) -> int:
    """The rows that a statement returned or touched, by its tag: `INSERT 0 5`, `SELECT 1`, `BEGIN`."""
    last = tag.rstrip(b"\0").rpartition(b" ")[2]
    return int(last) if last.isdigit() else 0


def values_of_row(body: bytes) -> list[str | None]:
    """The values of a row, as text."""
    values: list[str | None] = []
    at = 2
    for _ in range(int.from_bytes(body[:2], "big")):
        length = int.from_bytes(body[at : at + 4], "big", signed=True)
        at += 4
        values.append(None if length < 0 else body[at : at + length].decode("utf-8", "surrogateescape"))
        at += max(0, length)
    return values
