"""One connection to a MariaDB or a MySQL: a statement is sent, its rows are read and dropped, its outcome comes back.

What a server says of an error holds no word on the transaction. A deadlock ends all of it; a lock that was waited for
too long ends the statement alone or, by innodb_rollback_on_timeout, all; a CREATE TABLE that fails has committed what
was before it; a CALL may have begun one. So after each error the server is asked (COM_PING, whose answer has its
status), and the outcome is told when it has said so.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping, Sequence

from otterflow.workloads.replay.replayer.answers import (
    CONNECT_TIMEOUT_S,
    IDLE,
    IN_BLOCK,
    Access,
    CannotConnect,
    ConnectionLost,
    Outcome,
    Talk,
    Waiter,
    sent,
    to_bytes,
)
from otterflow.workloads.replay.replayer.mysql_family import wire
from otterflow.workloads.replay.replayer.mysql_family.login import Login

_NOTHING, _ANSWER, _ROWS, _STATUS = range(4)
"""What is expected: nothing, the beginning of an answer, rows up to their end, or the status after an error."""
_head = struct.Struct("<I").unpack_from
_FULL, _END = wire.FULL, wire.END


class Connection(Talk):
    """A connection. `status` is its transaction's: idle or in a block; `parameters` has the server's version.

    `error_number` is the number of the error in the last answer, whose SQLSTATE its outcome has.
    """

    ROLLBACK, QUIT = wire.query(b"ROLLBACK"), wire.QUIT

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self._login: Login | None = None
        self._expected = _NOTHING
        self._definitions = 0
        self._is_continued = False
        self._capabilities = 0
        self._id: int | None = None
        self._beginning = b""

    async def open(self, settings: Mapping[str, str]) -> None:
        """Connect, by TLS where it is wanted, log in, and set variables of the session.

        Raises CannotConnect, and ValueError for settings that cannot be written.
        """
        self._beginning = wire.set_session(settings)
        try:
            await asyncio.wait_for(self._open(), CONNECT_TIMEOUT_S)
        except asyncio.TimeoutError:
            self.abort()
            raise CannotConnect(f"no answer within {CONNECT_TIMEOUT_S:g} s") from None
        except OSError as error:
            self.abort()
            raise CannotConnect(str(error)) from None
        except CannotConnect:
            self.abort()
            raise
        except ConnectionLost as lost:
            raise CannotConnect("the server closed the connection", lost.sqlstate) from None

    def message(self, text: str, parameters: Sequence[str | None] | None, prepared: str | None) -> bytes:
        """A recorded statement, to send. Raises ValueError for one whose values are apart: no recording has any."""
        if parameters is not None or prepared:
            raise ValueError("a statement of MariaDB and MySQL has its values in its text")
        return wire.query(to_bytes(text))

    def send(self, message: bytes, waiter: Waiter) -> None:
        """Send a message to whose answer somebody waits. Raises ConnectionLost."""
        super().send(message, waiter)
        self._expected = _ANSWER

    async def simple(self, text: bytes) -> Outcome:
        """Send a text, and wait. A row of 16 MB or more is not kept. Raises ConnectionLost."""
        return await sent(self, wire.query(text))

    def heed(self, text: str, parameters: Sequence[str | None] | None, prepared: str | None, error: str | None) -> None:
        """Take note of what became of a statement: nothing is kept here from one to the next."""

    def settings_back(self) -> Sequence[bytes]:
        """Messages that put the session's settings back to those that it began with. More goes with them: see there."""
        return self.all_back()

    def all_back(self) -> Sequence[bytes]:
        """Messages after which the session is as at its beginning.

        What alone resets all settings (COM_RESET_CONNECTION) ends the transaction, temporary tables and prepared
        statements as well, and takes the server's own character set.
        """
        database = to_bytes(self._access.database)
        return (wire.RESET, *([wire.use(database)] if database else []), wire.query(self._beginning))

    async def cancel(self) -> None:
        """Have the server give up the statement that is running, over another connection, which it may refuse."""
        if self._id is None or self.is_lost or self._expected == _NOTHING:
            return
        other = Connection(self._access)
        try:
            await other.open({})
            await other.simple(b"KILL QUERY %d" % self._id)
        except (CannotConnect, ConnectionLost):
            return
        other.close()

    def data_received(self, data: bytes) -> None:
        """Part of asyncio's protocol: take what came, packet by packet. Rows are dropped as they come."""
        at = min(self._skipped, len(data))
        self._skipped -= at
        if self._rest:
            data, self._rest = self._rest + data, b""
        end = len(data)
        while end - at >= 5:
            if self._expected == _ROWS:
                at = self._pass(data, at, end)
                if at > end:
                    self._skipped = at - end
                    return
                if end - at < 5:
                    break
            following = at + 4 + (_head(data, at)[0] & _FULL)
            if following > end:
                break
            self._take(data[at + 4 : following], data[at + 3])
            at = following
        self._rest = data[at:]

    def connection_lost(self, error: Exception | None) -> None:
        """Part of asyncio's protocol: whoever waits is told."""
        if self._login is not None:
            self._login.end()
        super().connection_lost(error)

    def _pass(self, data: bytes, at: int, end: int) -> int:
        """Count rows and pass over them, and over the definitions before them, as far as they have come.

        Returns where something else begins, or what has not come: `end` or a place near it, or one beyond it.
        """
        definitions, rows, is_continued = self._definitions, self._rows, self._is_continued
        are_dropped = self._kept is None
        while end - at >= 5:
            length = _head(data, at)[0] & _FULL
            if definitions:
                definitions -= 1
            elif is_continued:
                is_continued = length == _FULL
            elif length == _FULL or (are_dropped and data[at + 4] < _END):
                rows += 1
                is_continued = length == _FULL
            else:
                break
            at += 4 + length
        self._definitions, self._rows, self._is_continued = definitions, rows, is_continued
        return at

    def _take(self, body: bytes, number: int) -> None:
        kind, expected = body[0], self._expected
        if self._login is not None:
            self._login.take(number, body)
        elif kind == wire.ERROR:
            self._take_error(wire.read_error(body))
        elif expected == _ROWS:
            self._take_of_rows(kind, body)
        elif expected == _NOTHING:
            self.abort()
        elif kind == wire.OK:
            rows, status = wire.read_ok(body)
            self._rows += rows
            self._end(status)
        elif kind == wire.LOCAL_FILE:
            self._write(wire.packets(b"", number + 1))
        else:
            announced = wire.read_number(body)[0]
            self._definitions = announced if self._capabilities & wire.ENDS_WITH_OK else announced + 1
            self._expected = _ROWS

    def _take_of_rows(self, kind: int, body: bytes) -> None:
        """The end of rows, or one to keep."""
        if kind == _END:
            self._end(wire.read_end(body, self._capabilities))
        elif self._kept is not None:
            self._rows += 1
            self._kept.append(wire.values_of_row(body))

    def _take_error(self, error: wire.ServerError) -> None:
        expected = self._expected
        if expected == _STATUS:  # the error before it is the answer; the status stays as it was known
            self._answer()
            return
        self.error_number, self._error, self._message = error
        if expected == _NOTHING:  # why it ends the connection
            self.is_lost = True
            self.abort()
        else:
            self._expected = _STATUS
            self._write(wire.PING)

    def _end(self, status: int) -> None:
        """The end of an answer, or of one of several."""
        if status & wire.MORE_RESULTS and self._expected != _STATUS:
            self._expected = _ANSWER
            return
        self.status = IN_BLOCK if status & wire.IN_TRANSACTION else IDLE
        self._answer()

    def _answer(self) -> None:
        outcome = Outcome(self._rows, self._error)
        self._expected, self._error = _NOTHING, None
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(outcome)

    async def _open(self) -> None:
        self._login = login = Login(self._access, self)
        transport = self._transport = await login.connect()
        self._transport, greeting = await login.run(transport)
        self._login = None
        self._capabilities, self._id = greeting.capabilities, greeting.connection
        self.parameters["server_version"] = greeting.version
        outcome = await self.simple(self._beginning)
        if outcome.error is not None:
            raise CannotConnect(self._message, outcome.error)
