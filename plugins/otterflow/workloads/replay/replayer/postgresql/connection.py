"""One connection to a server: a statement is sent, its rows are read and dropped, and its outcome comes back."""

from __future__ import annotations

import asyncio
import re
import struct
from collections.abc import Mapping, Sequence

from otterflow.workloads.replay.replayer.answers import (
    CONNECT_TIMEOUT_S,
    LOST,
    Access,
    CannotConnect,
    ConnectionLost,
    Outcome,
    Talk,
    sent,
    tls_context,
    to_bytes,
)
from otterflow.workloads.replay.replayer.postgresql import wire
from otterflow.workloads.replay.replayer.postgresql.scram import MECHANISM, Scram, ScramError

_PASSED = frozenset(b"Dd12T3ntsN")
"""Kinds of messages of which nothing is needed: rows and what announces them, data of COPY, notices."""
_ROW = ord("D")
_UNKNOWN = b"\0"
"""No statement has this text."""
_HEAD = struct.Struct("!BI")
_GIVES_UP = re.compile(r"\s*(?:deallocate|discard)\b", re.IGNORECASE)


class Connection(Talk):
    """A connection. `status` is its transaction's: idle, in a block, or failed; `parameters` are the server's words."""

    ROLLBACK, QUIT = wire.query(b"ROLLBACK"), wire.TERMINATE

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self._tls_answer: asyncio.Future[bytes] | None = None
        self._scram: Scram | None = None
        self._key: tuple[int, bytes] | None = None
        self._prepared: dict[bytes, bytes] = {}

    async def open(self, settings: Mapping[str, str]) -> None:
        """Connect, by TLS where it is wanted, and log in with `settings` in force. Raises CannotConnect."""
        try:
            await asyncio.wait_for(self._open(settings), CONNECT_TIMEOUT_S)
        except asyncio.TimeoutError:
            self.abort()
            raise CannotConnect(f"no answer within {CONNECT_TIMEOUT_S:g} s") from None
        except (OSError, ScramError) as error:
            self.abort()
            raise CannotConnect(str(error)) from None
        except ConnectionLost as lost:
            raise CannotConnect(self._message or "the server closed the connection", lost.sqlstate) from None

    async def simple(self, text: bytes) -> Outcome:
        """Send a text by the simple protocol, and wait. Raises ConnectionLost."""
        return await sent(self, wire.query(text))

    def message(self, text: str, parameters: Sequence[str | None] | None, prepared: str | None) -> bytes:
        """A statement to send: by the simple protocol without `parameters`, else by the extended one.

        One with a name is prepared where the session has it first, or anew.
        """
        encoded = to_bytes(text)
        if parameters is None:
            return wire.query(encoded)
        values = [None if value is None else to_bytes(value) for value in parameters]
        name = to_bytes(prepared or "")
        message = wire.execute(name, values) + wire.SYNC
        known = self._prepared.get(name) if name else None
        if known != encoded:
            message = wire.parse(name, encoded) + message
            if known is not None:
                message = wire.close_statement(name) + message
            if name:
                self._prepared[name] = encoded
        return message

    def heed(self, text: str, parameters: Sequence[str | None] | None, prepared: str | None, error: str | None) -> None:
        """What is prepared on the server is not what was thought, after an error or where the session gave it up."""
        if parameters is None:
            if _GIVES_UP.match(text):
                self._doubt()
        elif error is not None and prepared:
            self._doubt(to_bytes(prepared))

    def settings_back(self) -> Sequence[bytes]:
        """Messages that put the session's settings back to those that it began with."""
        return (wire.query(b"RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL"),)

    def all_back(self) -> Sequence[bytes]:
        """Messages after which the session is as at its beginning."""
        self._doubt()
        return (wire.query(b"DISCARD ALL"),)

    def _doubt(self, *names: bytes) -> None:
        """What was prepared under these names, or without any under all, may be gone: it is prepared anew."""
        self._prepared.update(dict.fromkeys(names or self._prepared, _UNKNOWN))

    async def cancel(self) -> None:
        """Ask the server to give up the statement that is running."""
        if self._key is None or self.is_lost:
            return
        protocol = _Quiet()
        try:
            transport = await self._connected(protocol)
        except OSError:
            return
        transport.write(wire.cancel_request(*self._key))
        await protocol.ended
        transport.close()

    def data_received(self, data: bytes) -> None:
        """Part of asyncio's protocol: take what came, message by message. Rows are dropped as they come."""
        if self._tls_answer is not None and not self._tls_answer.done():
            self._tls_answer.set_result(data)
            return
        at = min(self._skipped, len(data))
        self._skipped -= at
        if self._rest:
            data, self._rest = self._rest + data, b""
        end = len(data)
        while end - at >= 5:
            kind, length = _HEAD.unpack_from(data, at)
            following = at + 1 + length
            if kind in _PASSED and not (kind == _ROW and self._kept is not None):
                if following > end:
                    self._skipped = following - end
                    return
            elif following > end:
                break
            else:
                self._take(chr(kind), data[at + 5 : following])
            at = following
        self._rest = data[at:]

    def connection_lost(self, error: Exception | None) -> None:
        """Part of asyncio's protocol: whoever waits is told."""
        super().connection_lost(error)
        if self._tls_answer is not None and not self._tls_answer.done():
            self._tls_answer.set_exception(ConnectionLost(self._error or LOST))

    async def _open(self, settings: Mapping[str, str]) -> None:
        access = self._access
        transport = await self._connected(self)
        self._transport = transport
        if access.tls != "disable" and not access.host.startswith("/"):
            await self._start_tls(transport)
        given = {"user": access.user, "database": access.database, **settings}
        await sent(self, wire.startup(given))
        if self._error is not None:
            raise ConnectionLost(self._error)

    async def _connected(self, protocol: asyncio.Protocol) -> asyncio.Transport:
        loop, access = asyncio.get_running_loop(), self._access
        if access.host.startswith("/"):
            path = f"{access.host}/.s.PGSQL.{access.port}"
            made = await loop.create_unix_connection(lambda: protocol, path)
        else:
            made = await loop.create_connection(lambda: protocol, access.host, access.port)
        return made[0]

    async def _start_tls(self, transport: asyncio.Transport) -> None:
        loop, access = asyncio.get_running_loop(), self._access
        self._tls_answer = loop.create_future()
        transport.write(wire.SSL_REQUEST)
        answer = await self._tls_answer
        if answer == b"S":
            context = tls_context(access.tls, access.tls_root)
            upgraded = await loop.start_tls(transport, self, context, server_hostname=access.host)
            self._transport = upgraded
        elif answer != b"N":
            raise OSError("the server's answer to the request for TLS is wrong")
        elif access.tls != "prefer":
            raise OSError(f"tls: {access.tls!r} is asked for, and the server has no TLS")

    def _take(self, kind: str, body: bytes) -> None:
        if kind == "C":
            self._rows += wire.rows_of_tag(body)
        elif kind == "Z":
            self.status = chr(body[0])
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(Outcome(self._rows, self._error))
        elif kind == "E":
            fields = wire.fields_of_error(body)
            if self._error is None:
                self._error, self._message = fields.get("C", "XX000"), fields.get("M", "")
        elif kind == "D" and self._kept is not None:
            self._kept.append(wire.values_of_row(body))
        elif kind in "GW":
            self._write(wire.copy_fail()) if kind == "G" else self.abort()
        else:
            self._take_start(kind, body)

    def _take_start(self, kind: str, body: bytes) -> None:
        """The messages of a session's beginning; all others say nothing that a replay needs."""
        if kind == "S":
            name, _, value = body.rstrip(b"\0").partition(b"\0")
            self.parameters[name.decode()] = value.decode("utf-8", "replace")
        elif kind == "K":
            self._key = int.from_bytes(body[:4], "big"), body[4:]
        elif kind == "R":
            self._authenticate(int.from_bytes(body[:4], "big"), body[4:])

    def _authenticate(self, wanted: int, data: bytes) -> None:
        access = self._access
        try:
            if wanted == 3:
                self._write(wire.password(to_bytes(access.password) + b"\0"))
            elif wanted == 5:
                self._write(wire.password(wire.md5_password(access.user, access.password, data)))
            elif wanted == 10 and MECHANISM in data.split(b"\0"):
                self._scram = Scram(access.password)
                self._write(wire.sasl_first(MECHANISM, self._scram.first()))
            elif wanted == 11 and self._scram is not None:
                self._write(wire.password(self._scram.final(data)))
            elif wanted == 12 and self._scram is not None:
                self._scram.check(data)
            elif wanted != 0:
                raise ScramError(f"the server wants authentication {wanted}, which the replayer does not know")
        except (ScramError, ValueError) as error:
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_exception(ScramError(str(error)))


class _Quiet(asyncio.Protocol):
    """A connection of which only the end matters."""

    def __init__(self) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)
