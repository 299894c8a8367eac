"""MariaDB's and MySQL's protocol, version 10, as bytes: what is sent, and the parts of what is answered.

Sources: MariaDB's manual, "Clients & Utilities: Server Client Protocol", and MySQL's source documentation,
"Client/Server Protocol". What a client may choose is chosen as the products' own programs have it: an UPDATE tells the
rows that it changed, not those that it found (CLIENT_FOUND_ROWS is off). A text is one statement, as it was recorded
(CLIENT_MULTI_STATEMENTS is off), and no file of the client's is to be had: the server refuses a LOAD DATA LOCAL
(CLIENT_LOCAL_FILES is off).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from typing import NamedTuple

from otterflow.workloads.replay.replayer.answers import to_bytes

FULL = 0xFFFFFF
"""The most bytes that one packet has; one with as many is continued by the next."""
OK, LOCAL_FILE, END, ERROR = 0x00, 0xFB, 0xFE, 0xFF
"""First bytes of packets that answer a statement."""
MORE_DATA, SWITCH = 0x01, 0xFE
"""First bytes of packets while one logs in."""
IN_TRANSACTION, MORE_RESULTS = 0x0001, 0x0008
"""Bits of a server's status."""

_MYSQL, _CONNECT_WITH_DB, _PROTOCOL_41, TLS, _TRANSACTIONS = 0x1, 0x8, 0x200, 0x800, 0x2000
_SECURE_CONNECTION, _MULTI_RESULTS, _PLUGIN_AUTH = 0x8000, 0x2_0000, 0x8_0000
_CONNECT_ATTRIBUTES, ENDS_WITH_OK = 0x10_0000, 0x100_0000
_WANTED = (
    _MYSQL | _PROTOCOL_41 | _TRANSACTIONS | _SECURE_CONNECTION | _MULTI_RESULTS | _PLUGIN_AUTH
    | _CONNECT_ATTRIBUTES | ENDS_WITH_OK
)  # fmt: skip
"""Capabilities, of which a connection has those that its server has as well."""

_MOST_BYTES = 2**30
_UTF8MB4_GENERAL_CI, _UTF8MB4_0900_AI_CI = 45, 255
_ATTRIBUTES = {b"_client_name": b"otterflow", b"program_name": b"otterflow replay"}
_QUERY = b"\x03"
_NULL = 0xFB
_GREETING = struct.Struct("<I8sxHBHHB10x")
_SIZES = {0xFC: 2, 0xFD: 3, 0xFE: 8}
_NAME = re.compile(r"[a-z][a-z0-9_]*", re.IGNORECASE)
_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


class Greeting(NamedTuple):
    """What a server says first."""

    version: str
    connection: int
    capabilities: int
    plugin: str
    scramble: bytes

    @property
    def collation(self) -> int:
        """What a session begins with: utf8mb4, with the collation that is the product's own for it."""
        major = self.version.partition(".")[0]
        is_mysql_8 = self.capabilities & _MYSQL and major.isdecimal() and int(major) >= 8
        return _UTF8MB4_0900_AI_CI if is_mysql_8 else _UTF8MB4_GENERAL_CI


class ServerError(NamedTuple):
    """An error that a server told; without an SQLSTATE before it has greeted."""

    number: int
    sqlstate: str
    message: str


def packets(body: bytes, number: int = 0) -> bytes:
    """A message as it is sent: with its length and the number that its first packet has."""
    if len(body) < FULL:
        return struct.pack("<I", len(body) | number << 24) + body
    parts = []
    for at in range(0, len(body) + 1, FULL):
        part = body[at : at + FULL]
        parts += [struct.pack("<I", len(part) | (number & 0xFF) << 24), part]
        number += 1
    return b"".join(parts)


def query(text: bytes) -> bytes:
    """A statement."""
    return packets(_QUERY + text)


def use(database: bytes) -> bytes:
    """Makes a database the session's."""
    return packets(b"\x02" + database)


QUIT, PING, RESET = (packets(command) for command in (b"\x01", b"\x0e", b"\x1f"))
"""The session's end, the question for its status, and what ends all of it but the connection and its database."""


def tls_request(greeting: Greeting, database: bytes) -> bytes:
    """Asks to go on by TLS, in answer to the greeting of a server that has it; begins as `login` does then."""
    return packets(_head(greeting, database, TLS), 1)


def login(greeting: Greeting, number: int, user: bytes, database: bytes, plugin: str, answer: bytes, tls: int) -> bytes:
    """Logs in, by packet `number`; `answer` is `plugin`'s, and `tls` is TLS where that is spoken."""
    parts = [_head(greeting, database, tls), user, b"\0", bytes([len(answer)]), answer]
    if database:
        parts += [database, b"\0"]
    parts += [plugin.encode(), b"\0"]
    if greeting.capabilities & _CONNECT_ATTRIBUTES:
        parts.append(_text(b"".join(_text(word) for pair in _ATTRIBUTES.items() for word in pair)))
    return packets(b"".join(parts), number)


def set_session(settings: Mapping[str, str]) -> bytes:
    """The statement that sets character set and variables of a session.

    Raises ValueError for a name that is none, and for a value that some `sql_mode` would read otherwise.
    """
    words = ["NAMES utf8mb4"]
    for name, value in settings.items():
        if not _NAME.fullmatch(name) or "\\" in value or "\0" in value:
            raise ValueError(f"{name!r} is no variable of a session, or cannot be set to {value!r}")
        quoted = value if _NUMBER.fullmatch(value) else "'" + value.replace("'", "''") + "'"
        words.append(f"SESSION {name} = {quoted}")
    return to_bytes("SET " + ", ".join(words))


def read_greeting(body: bytes) -> Greeting:
    """What a server says first. Raises ValueError for one that speaks no version 10."""
    if body[0] != 10:
        raise ValueError(f"the server speaks version {body[0]} of a protocol that the replayer knows version 10 of")
    version, _, rest = body[1:].partition(b"\0")
    if len(rest) < _GREETING.size:
        raise ValueError("the server's greeting is cut short")
    connection, first, low, _, _, high, length = _GREETING.unpack_from(rest)
    rest = rest[_GREETING.size :]
    size = max(13, length - 8)
    # MariaDB before 11 has this in front of its version, for replicas of MySQL.
    told = version.decode("utf-8", "replace").removeprefix("5.5.5-")
    plugin = rest[size:].partition(b"\0")[0].decode("utf-8", "replace")
    return Greeting(told, connection, low | high << 16, plugin, (first + rest[:size])[:20])


def read_switch(body: bytes) -> tuple[str, bytes]:
    """The plugin that a server wants to go on with, and its scramble."""
    name, _, scramble = body[1:].partition(b"\0")
    return name.decode("utf-8", "replace"), scramble


def read_ok(body: bytes) -> tuple[int, int]:
    """The rows that were touched, and the server's status."""
    rows, at = read_number(body, 1)
    at = read_number(body, at)[1]
    return rows, body[at] | body[at + 1] << 8


def read_end(body: bytes, capabilities: int) -> int:
    """The server's status at the end of rows."""
    return read_ok(body)[1] if capabilities & ENDS_WITH_OK else body[3] | body[4] << 8


def read_error(body: bytes) -> ServerError:
    """What a server says is wrong; 08004 where it has no SQLSTATE for it, as it lets nobody in."""
    number, said = body[1] | body[2] << 8, body[3:]
    sqlstate = "08004"
    if said[:1] == b"#":
        sqlstate, said = said[1:6].decode("ascii", "replace"), said[6:]
    return ServerError(number, sqlstate, said.decode("utf-8", "replace"))


def read_number(body: bytes, at: int = 0) -> tuple[int, int]:
    """A number of one to nine bytes, and where it ends."""
    first = body[at]
    if first < _NULL:
        return first, at + 1
    end = at + 1 + _SIZES[first]
    return int.from_bytes(body[at + 1 : end], "little"), end


def values_of_row(body: bytes) -> list[str | None]:
    """The values of a row, as text."""
    values: list[str | None] = []
    at = 0
    while at < len(body):
        if body[at] == _NULL:
            values.append(None)
            at += 1
        else:
            length, at = read_number(body, at)
            values.append(body[at : at + length].decode("utf-8", "surrogateescape"))
            at += length
    return values


def _head(greeting: Greeting, database: bytes, tls: int) -> bytes:
    """How both messages of a client that logs in begin."""
    # Without that bit MariaDB takes the last of the zeros for capabilities of its own, MySQL's programs always set it.
    capabilities = (_WANTED | (_CONNECT_WITH_DB if database else 0)) & (greeting.capabilities | _MYSQL)
    return struct.pack("<IIB23x", capabilities | tls, _MOST_BYTES, greeting.collation)


def _text(word: bytes) -> bytes:
    """A short text with its length; no attribute of ours is longer."""
    return bytes([len(word)]) + word
