"""What a connection makes of a server's packets, in whatever pieces they come."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from otterflow.workloads.replay.replayer.answers import Access, CannotConnect, ConnectionLost, Outcome
from otterflow.workloads.replay.replayer.mysql_family import wire
from otterflow.workloads.replay.replayer.mysql_family.connection import Connection
from otterflow.workloads.replay.replayer.mysql_family.login import Login
from otterflow.workloads.replay.replayer.mysql_family.passwords import caching_sha2, native

ACCESS = Access("h", 1, "u", "d", "secret", "prefer")
IN_BLOCK, IDLE = b"\x03\x00", b"\x02\x00"
SIZES = (1, 2, 5, 6, 700, 1005, 5000, 2**20)


def packet(body: bytes, number: int = 1) -> bytes:
    return wire.packets(body, number)


def ok(status: bytes = IDLE, rows: int = 0, head: bytes = b"\0") -> bytes:
    return packet(head + bytes([rows, 0]) + status + b"\0\0")


def error(number: int, sqlstate: str) -> bytes:
    return packet(b"\xff" + number.to_bytes(2, "little") + f"#{sqlstate}no".encode())


def rows(*bodies: bytes, columns: int = 1, with_ok: bool = True, status: bytes = IDLE) -> bytes:
    """An answer of rows."""
    definition = packet(b"\x03def" + b"\0" * 30)
    between = b"" if with_ok else packet(b"\xfe\0\0" + status)
    end = ok(status, head=b"\xfe") if with_ok else packet(b"\xfe\0\0" + status)
    return packet(bytes([columns])) + definition * columns + between + b"".join(map(packet, bodies)) + end


class Wire(asyncio.Transport):
    """What was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.is_aborted = False

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def abort(self) -> None:
        self.is_aborted = True

    def close(self) -> None:
        """Nothing is held."""


def opened(with_ok: bool = True) -> tuple[Connection, Wire]:
    connection, transport = Connection(ACCESS), Wire()
    connection._transport = transport
    connection._capabilities = wire.ENDS_WITH_OK if with_ok else 0
    return connection, transport


async def answered(connection: Connection, *streams: bytes, size: int = 2**20) -> Outcome:
    """The outcome of a statement that is answered so."""
    waiter: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    connection.send(wire.query(b"SELECT 1"), waiter)
    for stream in streams:
        for place in range(0, len(stream), size):
            connection.data_received(stream[place : place + size])
    return await asyncio.wait_for(waiter, 10)


def done(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


@pytest.mark.parametrize("with_ok", [True, False])
@pytest.mark.parametrize("size", SIZES)
def test_rows_are_passed_over_in_any_pieces(size: int, with_ok: bool) -> None:
    """Whatever is in them: NULL, nothing, what looks like packets."""
    inside = b"\xfc\xe8\x03" + (packet(b"\xff\x15\x04#28000no") * 70)[:1000]
    bodies = (inside, b"\xfb\x01x", b"\0\xfb", b"\xfb", b"\0", inside)
    stream = rows(*bodies, columns=2, with_ok=with_ok, status=IN_BLOCK)

    async def work() -> None:
        connection, _ = opened(with_ok)
        for _ in range(2):
            assert await answered(connection, stream, size=size) == Outcome(6, None)
            assert connection.status == "T"
            assert connection._rest == b""

    done(work())


@pytest.mark.parametrize("with_ok", [True, False])
@pytest.mark.parametrize("more", [-1, 0, 1, 2**24])
def test_rows_of_several_packets(more: int, with_ok: bool) -> None:
    """One begins with what else would be the end, another goes on with it."""
    value = wire.FULL + more - 9
    body = b"\xfe" + value.to_bytes(8, "little") + b"\xfe\0\0\0\0\0\0" * (value // 7) + b"x" * (value % 7)
    assert len(body) == wire.FULL + more
    if len(body) < wire.FULL:
        body = b"\xfd" + body[1:4] + body[9:]
    stream = rows(body, b"\x01x", body, with_ok=with_ok)

    async def work() -> None:
        connection, _ = opened(with_ok)
        for size in (99_991, 2**18, 2**26):
            assert await answered(connection, stream, size=size) == Outcome(3, None)
        connection._kept = []
        assert await answered(connection, stream, size=2**20) == Outcome(3, None)
        assert ["x"] in connection._kept

    done(work())


@pytest.mark.parametrize("size", SIZES)
def test_several_answers_to_one_statement(size: int) -> None:
    more = b"\x0a\x00"
    stream = rows(b"\x01a", b"\x01b", status=more) + rows(b"\x01c", status=more) + ok(rows=4)

    async def work() -> None:
        connection, _ = opened()
        assert await answered(connection, stream, size=size) == Outcome(7, None)
        assert await answered(connection, rows(b"\x01a", status=more) + error(1146, "42S02"), ok()) == Outcome(
            1, "42S02"
        )

    done(work())


def test_rows_to_keep() -> None:
    stream = rows(b"\x01a\xfb", b"\0\x02\xc3\xa4", b"\xfb\x01\xe9", columns=2)

    async def work() -> None:
        connection, _ = opened()
        asked = asyncio.ensure_future(connection.rows(b"SELECT"))
        await asyncio.sleep(0)
        for place in range(len(stream)):
            connection.data_received(stream[place : place + 1])
        assert await asked == ([["a", None], ["", "ä"], [None, "\udce9"]], None)

    done(work())


@pytest.mark.parametrize(("after", "status"), [(IN_BLOCK, "T"), (IDLE, "I")])
def test_after_an_error_the_server_says_what_it_left_of_the_transaction(after: bytes, status: str) -> None:
    async def work() -> None:
        connection, transport = opened()
        assert await answered(connection, ok(IN_BLOCK, 3)) == Outcome(3, None)
        assert (connection.status, connection.error_number) == ("T", None)
        assert await answered(connection, error(1213, "40001"), ok(after)) == Outcome(0, "40001")
        assert (connection.status, connection.error_number) == (status, 1213)
        assert transport.written[-1] == b"\x01\0\0\0\x0e"
        assert await answered(connection, ok(after)) == Outcome(0, None)
        assert connection.error_number is None

    done(work())


def test_an_error_instead_of_the_status_leaves_it() -> None:
    async def work() -> None:
        connection, _ = opened()
        await answered(connection, ok(IN_BLOCK))
        assert await answered(connection, error(1054, "42S22"), error(1317, "70100")) == Outcome(0, "42S22")
        assert (connection.status, connection.error_number) == ("T", 1054)

    done(work())


def test_an_error_in_mid_answer_ends_it() -> None:
    async def work() -> None:
        connection, _ = opened()
        begun = rows(b"\x01a", b"\x01b")[: -len(ok())]
        assert await answered(connection, begun + error(1317, "70100"), ok()) == Outcome(2, "70100")

    done(work())


def test_a_file_of_the_clients_is_not_given() -> None:
    async def work() -> None:
        connection, transport = opened()
        assert await answered(connection, packet(b"\xfb/etc/passwd"), error(1148, "42000"), ok()) == Outcome(0, "42000")
        assert transport.written[1] == b"\0\0\0\x02"

    done(work())


def test_a_server_that_ends_says_why() -> None:
    async def work() -> None:
        connection, transport = opened()
        await answered(connection, error(1054, "42S22"), ok())
        connection.data_received(error(4031, "08S01"))
        assert transport.is_aborted
        with pytest.raises(ConnectionLost, match="08S01"):
            await connection.simple(b"SELECT 1")

    done(work())


@pytest.mark.parametrize(("said", "sqlstate"), [(b"", "08006"), (error(1053, "08S01"), "08S01")])
def test_a_server_that_goes_in_mid_statement(said: bytes, sqlstate: str) -> None:
    async def work() -> None:
        connection, _ = opened()
        asked = asyncio.ensure_future(connection.simple(b"SELECT 1"))
        await asyncio.sleep(0)
        connection.data_received(said)
        connection.connection_lost(None)
        with pytest.raises(ConnectionLost, match=sqlstate):
            await asked
        with pytest.raises(ConnectionLost):
            await connection.simple(b"SELECT 1")

    done(work())


def test_recorded_bytes_come_back_and_values_are_in_the_text() -> None:
    connection, _ = opened()
    assert connection.message("SELECT '\udce9ä'", None, None) == b"\r\0\0\0\x03SELECT '\xe9\xc3\xa4'"
    for parameters, prepared in ([], None), (["1"], None), (None, "s"):
        with pytest.raises(ValueError, match="in its text"):
            connection.message("SELECT ?", parameters, prepared)


SCRAMBLE = b"abcdefghijklmnopqrst"


def greeting(plugin: str = "mysql_native_password", version: str = "10.11.6-MariaDB", more: int = 0) -> bytes:
    capabilities = 0x81FF_F7FE | more
    low, high = (capabilities & 0xFFFF).to_bytes(2, "little"), (capabilities >> 16).to_bytes(2, "little")
    head = b"\x0a" + version.encode() + b"\0\x2a\0\0\0" + SCRAMBLE[:8] + b"\0" + low + b"\x2d\x02\0" + high + b"\x15"
    return head + b"\0" * 10 + SCRAMBLE[8:] + b"\0" + plugin.encode() + b"\0"


def logged_in(*bodies: bytes, access: Access = ACCESS) -> list[bytes]:
    """What is written to a server that says this."""

    async def work() -> list[bytes]:
        transport = Wire()
        login = Login(access, asyncio.Protocol())
        for number, body in enumerate(bodies):
            login.take(2 * number, body)
        await asyncio.wait_for(login.run(transport), 10)
        return transport.written

    written: list[bytes] = done(work())
    return written


OK = b"\0\0\0\x02\0\0\0"


def test_logging_in() -> None:
    (sent,) = logged_in(greeting(), OK)
    assert sent[3] == 1
    assert int.from_bytes(sent[4:8], "little") == 0x011A_A209
    assert sent[12] == 45
    assert sent[13:36] == b"\0" * 23
    assert sent[36:].startswith(b"u\0\x14" + native(b"secret", SCRAMBLE) + b"d\0mysql_native_password\0")
    assert b"\x0cprogram_name\x10otterflow replay" in sent
    (without,) = logged_in(greeting(), OK, access=Access("h", 1, "u", "", "secret"))
    assert b"d\0mysql" not in without
    assert not without[4] & 8
    heads = []
    for database in (b"d", b""):
        server = wire.read_greeting(greeting(more=wire.TLS))
        asked = wire.tls_request(server, database)
        heads.append(asked[4:])
        assert wire.login(server, 2, b"u", database, "x", b"", wire.TLS)[4:].startswith(asked[4:])
    assert heads[0] != heads[1]


def test_each_product_has_its_own_collation() -> None:
    assert logged_in(greeting(version="8.4.3", more=1), OK)[0][12] == 255
    assert logged_in(greeting(version="5.7.44", more=1), OK)[0][12] == 45
    assert logged_in(greeting(version="5.5.5-10.11.6-MariaDB"), OK)[0][12] == 45
    assert logged_in(greeting(version="11.8.2-MariaDB"), OK)[0][12] == 45
    assert logged_in(greeting(version="of ours", more=1), OK)[0][12] == 45
    assert wire.read_greeting(greeting(version="5.5.5-10.11.6-MariaDB")).version == "10.11.6-MariaDB"


def test_another_plugin_is_switched_to() -> None:
    switch = b"\xfemysql_native_password\0" + SCRAMBLE[::-1] + b"\0"
    first, second = logged_in(greeting("caching_sha2_password"), switch, OK)
    assert b"\x20" + caching_sha2(b"secret", SCRAMBLE) in first
    assert second == b"\x14\0\0\x03" + native(b"secret", SCRAMBLE[::-1])
    first, second = logged_in(greeting("auth_gssapi_client"), switch, OK)
    assert native(b"secret", SCRAMBLE) + b"d\0mysql_native_password\0" in first


def test_caching_sha2() -> None:
    assert len(logged_in(greeting("caching_sha2_password"), b"\x01\x03", OK)) == 1
    with pytest.raises(CannotConnect, match="over TLS or a socket only") as refused:
        logged_in(greeting("caching_sha2_password"), b"\x01\x04", OK)
    assert refused.value.sqlstate == "28000"
    at_socket = Access("/run/s", 1, "u", "d", "secret")
    sent = logged_in(greeting("caching_sha2_password"), b"\x01\x04", OK, access=at_socket)
    assert sent[1] == b"\x07\0\0\x03secret\0"


@pytest.mark.parametrize(
    ("bodies", "sqlstate", "message"),
    [
        ([b"\xff\x10\x04Too many connections"], "08004", "Too many connections"),
        ([b"\xff\x69\x04Host 'h' is blocked"], "08004", "blocked"),
        ([greeting(), b"\xff\x15\x04#28000Access denied"], "28000", "Access denied"),
        ([greeting(), b"\xfedialog\0\0"], "28000", "plugin 'dialog', which the replayer lacks"),
        ([greeting(), b"\xfe"], "28000", "'mysql_old_password'"),
        ([greeting(), b"\x01\x04"], "28000", "as the replayer does not know it"),
        ([b"\x09old\0"], "08001", "version 9"),
        ([b"\x0a8.0\0x"], "08001", "cut short"),
    ],
)
def test_a_login_that_is_refused(bodies: list[bytes], sqlstate: str, message: str) -> None:
    with pytest.raises(CannotConnect, match=message) as refused:
        logged_in(*bodies)
    assert refused.value.sqlstate == sqlstate


def test_tls_that_is_not_there() -> None:
    for tls in ("require", "verify-ca", "verify-full"):
        with pytest.raises(OSError, match="the server has no TLS"):
            logged_in(greeting(), OK, access=Access("h", 1, "u", "d", tls=tls))
