"""The replayer's own client against real servers: each way to log in, TLS, big rows and statements, errors, the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from otterflow.workloads.replay.replayer.answers import Access, CannotConnect, ConnectionLost, Outcome
from otterflow.workloads.replay.replayer.mysql_family.connection import Connection
from tests.waiting import wait_until
from tests.workloads.replay.certificates import self_signed
from tests.workloads.replay.mysql_family.conftest import PASSWORD, Place, place

pytestmark = pytest.mark.integration

MB = 2**20
FULL = 0xFFFFFF


def done(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 50))


async def opened(access: Access, **settings: str) -> Connection:
    connection = Connection(access)
    await connection.open(settings)
    return connection


async def _ask(access: Access, *texts: bytes, **settings: str) -> Outcome:
    """The outcome of the last text."""
    connection = await opened(access, **settings)
    try:
        for text in texts:
            outcome = await connection.simple(text)
        return outcome
    finally:
        connection.close()


def ask(access: Access, *texts: bytes, **settings: str) -> Outcome:
    outcome: Outcome = done(_ask(access, *texts, **settings))
    return outcome


def refused(access: Access, **settings: str) -> CannotConnect:
    with pytest.raises(CannotConnect) as found:
        ask(access, b"SELECT 1", **settings)
    return found.value


def _plugins(server: Place) -> list[str]:
    if server.is_mysql:
        return ["caching_sha2_password"]
    if server.name != "mariadb-10":  # the package that has it is not fetched
        return ["mysql_native_password"]
    if not server.sql("SELECT 1 FROM information_schema.PLUGINS WHERE PLUGIN_NAME = 'ed25519'"):
        server.sql("INSTALL SONAME 'auth_ed25519'")
    return ["mysql_native_password", "ed25519"]


@pytest.mark.parametrize("password", ["plain", PASSWORD, ""])
@pytest.mark.parametrize("tls", ["disable", "prefer"])
def test_every_way_to_log_in(server: Place, tls: str, password: str) -> None:
    for plugin in _plugins(server):
        if plugin == "ed25519" and not password:
            continue  # the server has nobody log in so
        server.user("someone", plugin, password)
        access = server.access(user="someone", password=password, tls=tls)
        if server.is_mysql:
            ask(server.access(user="someone", password=password), b"SELECT 1")  # the server keeps the password
        assert ask(access, b"SELECT 1") == Outcome(1, None)
        at_socket = server.access(user="someone", password=password, host=server.socket, tls="require")
        assert ask(at_socket, b"SELECT 1") == Outcome(1, None)
        wrong = refused(server.access(user="someone", password="wrong"))
        assert (wrong.sqlstate, "Access denied" in str(wrong)) == ("28000", True)
    assert refused(server.access(user="nobody", tls=tls)).sqlstate == "28000"


def test_where_nobody_listens(server: Place) -> None:
    assert refused(server.access(host="/nowhere")).sqlstate == "08001"
    assert refused(server.access(port=1)).sqlstate == "08001"
    assert refused(server.access(database="absent")).sqlstate == "42000"
    assert ask(server.access(database=""), b"SELECT 1") == Outcome(1, None)


def test_the_password_itself_is_not_sent_in_clear(server: Place) -> None:
    if not server.is_mysql:
        pytest.skip("no such plugin")
    server.user("other", "caching_sha2_password", "secret")
    access = server.access(user="other", password="secret", tls="disable")
    assert "over TLS or a socket only" in str(refused(access))
    assert ask(server.access(user="other", password="secret", tls="require"), b"SELECT 1") == Outcome(1, None)
    assert ask(access, b"SELECT 1") == Outcome(1, None)
    server.sql("FLUSH PRIVILEGES")
    assert "over TLS or a socket only" in str(refused(access))
    at_socket = server.access(user="other", password="secret", host=server.socket)
    assert ask(at_socket, b"SELECT 1") == Outcome(1, None)
    server.user("other", "sha256_password", "secret")
    assert "plugin 'sha256_password', which the replayer lacks" in str(refused(access))


def test_settings_of_the_session(server: Place) -> None:
    async def work() -> None:
        settings = {"lock_wait_timeout": "7", "time_zone": "+03:00", "sql_mode": "ANSI_QUOTES"}
        connection = await opened(server.access(), **settings)
        asked = b"SELECT @@lock_wait_timeout, @@session.time_zone, @@sql_mode, @@character_set_client, NULL"
        assert await connection.rows(asked) == ([["7", "+03:00", "ANSI_QUOTES", "utf8mb4", None]], None)
        assert connection.parameters["server_version"].split("-")[0] == server.variable("version").split("-")[0]
        own = {"mariadb-10": "general", "mariadb-11": "uca1400_ai", "mysql-9": "0900_ai"}[server.name]
        assert await connection.rows(b"SELECT @@collation_connection") == ([[f"utf8mb4_{own}_ci"]], None)
        connection.close()

    done(work())
    wrong = refused(server.access(), no_such="1")
    assert (wrong.sqlstate, "no_such" in str(wrong)) == ("HY000", True)
    with pytest.raises(ValueError, match="no variable of a session"):
        ask(server.access(), b"SELECT 1", **{"a b": "1"})


def test_a_session_is_put_back(server: Place) -> None:
    asked = b"""SELECT @@lock_wait_timeout, @@autocommit, @@sql_mode = @@global.sql_mode, @a, DATABASE(),
        @@character_set_client, @@character_set_results, @@collation_connection"""

    async def work() -> None:
        connection = await opened(server.access(), lock_wait_timeout="7")
        before = await connection.rows(asked)
        assert before[1] is None
        for back in (connection.all_back(), connection.settings_back()):
            for text in (
                b"SET NAMES latin1", b"SET @a = 1, lock_wait_timeout = 9, autocommit = 0, sql_mode = ''", b"USE mysql",
                b"CREATE TEMPORARY TABLE test_wire.mine (a INT)", b"SELECT * FROM test_wire.t",
            ):  # fmt: skip
                assert (await connection.simple(text)).error is None
            assert connection.status == "T"
            for message in back:
                waiter: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
                connection.send(message, waiter)
                assert await waiter == Outcome(0, None)
            assert connection.status == "I"
            assert await connection.rows(asked) == before
            assert (await connection.simple(b"SELECT * FROM mine")).error == "42S02"
        connection.close()

    done(work())


@pytest.fixture
def with_certificate(server: Place, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The server has a certificate; the path of what signed it, and of another."""
    key, certificate = self_signed("127.0.0.1")
    private = server.server.private
    folder = private.knobs_file.parent
    for name, text in (("server.key", key), ("server.crt", certificate)):
        private.user.write_file(folder / name, text)
    root, other = tmp_path / "root.crt", tmp_path / "other.crt"
    root.write_text(certificate)
    other.write_text(self_signed("127.0.0.1")[1])
    server.restart(ssl_cert=folder / "server.crt", ssl_key=folder / "server.key")
    yield str(root), str(other)
    server.restart()


def test_tls(server: Place, with_certificate: tuple[str, str]) -> None:
    root, other = with_certificate
    ask(server.access(tls="require"), b"SELECT 1")
    of = b"performance_schema.session_status" if server.is_mysql else b"information_schema.SESSION_STATUS"
    is_safe = b"SELECT 1 FROM %s WHERE VARIABLE_NAME = 'Ssl_cipher' AND VARIABLE_VALUE <> ''" % of
    loose, strict = [("disable", None, 0), ("prefer", None, 1), ("require", None, 1)], ("verify-ca", "verify-full")
    for tls, given, rows in [*loose, *((mode, root, 1) for mode in strict)]:
        assert ask(server.access(tls=tls, tls_root=given), is_safe) == Outcome(rows, None), tls
    assert "CERTIFICATE_VERIFY_FAILED" in str(refused(server.access(tls="verify-full", tls_root=other)))
    strict_name = server.access(tls="verify-full", tls_root=root, host="localhost")
    assert "CERTIFICATE_VERIFY_FAILED" in str(refused(strict_name))


def test_a_server_without_tls(server: Place) -> None:
    if server.name == "mariadb-10":
        assert ask(server.access(tls="prefer"), b"SELECT 1") == Outcome(1, None)
        assert "the server has no TLS" in str(refused(server.access(tls="require")))
    else:
        assert ask(server.access(tls="require"), b"SELECT 1") == Outcome(1, None)
        assert "CERTIFICATE_VERIFY_FAILED" in str(refused(server.access(tls="verify-ca")))


@pytest.mark.parametrize("tls", ["disable", "prefer"])
def test_rows_of_many_bytes(server: Place, tls: str) -> None:
    ask(server.access(), b"SELECT 1")
    for length in (20 * MB, FULL - 5, FULL - 4, FULL - 3, 2 * FULL - 9, 40 * MB):
        row = b"SELECT REPEAT(_binary'\xfe', %d)" % length
        text = b" UNION ALL ".join([row, b"SELECT 'x'", row.replace(b"\xfe", b"y")])
        assert ask(server.access(tls=tls), text) == Outcome(3, None), length


def test_they_are_not_kept_in_memory(server: Place) -> None:
    async def work() -> int:
        connection = await opened(server.access())
        before = psutil.Process().memory_info().rss
        most = 0

        async def look() -> None:
            nonlocal most
            while True:
                most = max(most, psutil.Process().memory_info().rss - before)
                await asyncio.sleep(0.002)

        looking = asyncio.ensure_future(look())
        assert await connection.simple(b"SELECT REPEAT('x', 64 * 1024 * 1024)") == Outcome(1, None)
        looking.cancel()
        connection.close()
        return most

    assert done(work()) < 16 * MB


def test_statements_of_many_bytes(server: Place) -> None:
    for length in (20 * MB, *range(FULL - 30, FULL - 14)):
        text = b"SELECT LENGTH('%s')" % (b"x" * length)
        assert ask(server.access(), text) == Outcome(1, None)
    too_long = b"SELECT LENGTH('%s')" % (b"x" * 130 * MB)
    with pytest.raises(ConnectionLost) as lost:
        ask(server.access(), too_long)
    assert lost.value.sqlstate in {"08S01", "08006"}


def test_bytes_that_are_no_utf8_arrive(server: Place) -> None:
    async def work() -> None:
        connection = await opened(server.access())
        waiter: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        text = "SELECT 1 FROM DUAL WHERE HEX(_binary'\udce9\udcffä') = 'E9FFC3A4'"
        connection.send(connection.message(text, None, None), waiter)
        assert await waiter == Outcome(1, None)
        assert await connection.rows(b"SELECT _binary'\xe9\xff', 'x'") == (
            [["\udce9\udcff", "x"]], None,
        )  # fmt: skip
        connection.close()

    done(work())


def test_rows_that_were_touched(server: Place) -> None:
    async def work() -> None:
        connection = await opened(server.access())
        for text, rows in (
            (b"CREATE TEMPORARY TABLE n (a INT)", 0), (b"INSERT INTO n VALUES (1), (2), (3)", 3),
            (b"UPDATE n SET a = 3 WHERE a > 1", 1), (b"SELECT * FROM n", 3), (b"SELECT * FROM n WHERE a = 9", 0),
            (b"DELETE FROM n", 3), (b"SET @a = 1", 0), (b"SHOW DATABASES LIKE 'test_wire'", 1),
            (b"PREPARE s FROM 'SELECT ? UNION ALL SELECT ?'", 0), (b"EXECUTE s USING @a, @a", 2),
        ):  # fmt: skip
            assert await connection.simple(text) == Outcome(rows, None), text
        connection.close()

    done(work())


def test_an_error_and_what_comes_after_it(server: Place) -> None:
    async def work() -> None:
        connection = await opened(server.access())
        for text, number, sqlstate in (
            (b"SELECT nothing", 1054, "42S22"), (b"SELEC", 1064, "42000"), (b"", 1065, "42000"),
            (b"INSERT INTO t VALUES (1, 'a')", 1062, "23000"), (b"SELECT 1; SELECT 2", 1064, "42000"),
            (b"SELECT (SELECT 1 UNION SELECT 2) FROM t", 1242, "21000"),
        ):  # fmt: skip
            assert await connection.simple(text) == Outcome(0, sqlstate), text
            assert connection.error_number == number
            assert connection.status == "I"
            assert await connection.simple(b"SELECT id FROM t") == Outcome(3, None)
            assert connection.error_number is None
        connection.close()

    done(work())


async def statuses(connection: Connection, *steps: tuple[bytes, str]) -> None:
    for text, status in steps:
        outcome = await connection.simple(text)
        assert connection.status == status, (text, outcome)


def test_the_status_of_the_transaction(server: Place) -> None:
    async def work() -> None:
        connection = await opened(server.access())
        await statuses(
            connection,
            (b"SELECT * FROM t", "I"), (b"BEGIN", "T"), (b"SELECT nothing", "T"), (b"SELECT * FROM t", "T"),
            (b"COMMIT", "I"), (b"START TRANSACTION", "T"), (b"CREATE TABLE t (a INT)", "I"),
            (b"SET autocommit = 0", "I"), (b"SET @a = 1", "I"), (b"SELECT * FROM t", "T"), (b"ROLLBACK", "I"),
            (b"SELECT nothing", "I"), (b"INSERT INTO t VALUES (1, 'a')", "T"), (b"ROLLBACK AND CHAIN", "T"),
            (b"SET autocommit = 1", "I"),
            (b"XA START 'a'", "T"), (b"ROLLBACK", "T"), (b"XA END 'a'", "T"), (b"XA ROLLBACK 'a'", "I"),
        )  # fmt: skip
        connection.close()

    done(work())


def test_procedures(server: Place) -> None:
    async def work() -> None:
        connection = await opened(server.access())
        for text in (
            b"DROP PROCEDURE IF EXISTS two", b"DROP PROCEDURE IF EXISTS broken", b"DROP PROCEDURE IF EXISTS begins",
            b"CREATE PROCEDURE two() BEGIN SELECT id FROM t; SELECT 1; DELETE FROM t WHERE id > 9; END",
            b"CREATE PROCEDURE broken() BEGIN SELECT id FROM t; SELECT 1; SELECT nothing; END",
            b"CREATE PROCEDURE begins() BEGIN START TRANSACTION; SELECT id FROM t; SELECT nothing; END",
        ):  # fmt: skip
            assert (await connection.simple(text)).error is None
        assert await connection.simple(b"CALL two()") == Outcome(4, None)
        assert await connection.simple(b"CALL broken()") == Outcome(4, "42S22")
        assert await connection.simple(b"CALL two()") == Outcome(4, None)
        await statuses(connection, (b"CALL begins()", "T"), (b"CALL two()", "T"), (b"ROLLBACK", "I"))
        connection.close()

    done(work())


def test_a_deadlock_ends_the_transaction_and_a_long_wait_does_not(server: Place) -> None:
    async def work() -> None:
        one, other = [await opened(server.access(), innodb_lock_wait_timeout="2") for _ in range(2)]
        for connection, mine in ((one, b"1"), (other, b"2")):
            await connection.simple(b"BEGIN")
            assert await connection.simple(b"UPDATE t SET v = 'x' WHERE id = " + mine) == Outcome(1, None)
        assert await one.simple(b"UPDATE t SET v = 'x' WHERE id = 2") == Outcome(0, "HY000")
        assert (one.error_number, one.status) == (1205, "T")
        waits = asyncio.ensure_future(one.simple(b"UPDATE t SET v = 'y' WHERE id = 2"))
        await asyncio.sleep(0.5)
        ends = await other.simple(b"UPDATE t SET v = 'y' WHERE id = 1")
        outcomes = {one: await waits, other: ends}
        for connection, outcome in outcomes.items():
            assert outcome in {Outcome(0, "40001"), Outcome(1, None)}
            assert connection.status == ("I" if outcome.error else "T")
            assert connection.error_number == (1213 if outcome.error else None)
            assert await connection.simple(Connection.ROLLBACK[5:]) == Outcome(0, None)
            connection.close()
        assert sorted(outcome.rows for outcome in outcomes.values()) == [0, 1]

    done(work())


def test_a_long_wait_ends_the_transaction_where_the_server_is_set_so(server: Place) -> None:
    async def work() -> None:
        one, other = [await opened(server.access(), innodb_lock_wait_timeout="1") for _ in range(2)]
        await one.simple(b"BEGIN")
        await one.simple(b"UPDATE t SET v = 'x' WHERE id = 1")
        await other.simple(b"BEGIN")
        await other.simple(b"UPDATE t SET v = 'x' WHERE id = 2")
        assert await other.simple(b"UPDATE t SET v = 'x' WHERE id = 1") == Outcome(0, "HY000")
        assert (other.error_number, other.status) == (1205, "I")
        await one.simple(b"ROLLBACK")

    server.restart(innodb_rollback_on_timeout="ON")
    try:
        ask(server.access(), b"SELECT 1")
        done(work())
    finally:
        server.restart()


def test_what_was_changed_meanwhile(server: Place) -> None:
    """MariaDB's snapshot isolation, from 11.6 on as it is by itself: error 1020."""

    async def work() -> None:
        one, other = [await opened(server.access()) for _ in range(2)]
        await statuses(one, (b"BEGIN", "T"), (b"SELECT * FROM t", "T"))
        await other.simple(b"UPDATE t SET v = 'z' WHERE id = 3")
        outcome = await one.simple(b"UPDATE t SET v = 'w' WHERE id = 3")
        found = (outcome.error, one.error_number, one.status)
        assert found == (("HY000", 1020, "I") if server.name == "mariadb-11" else (None, None, "T"))
        said = one.status
        await one.simple(b"UPDATE t SET v = 'own' WHERE id = 1")
        await one.simple(b"ROLLBACK")
        kept = await one.rows(b"SELECT v FROM t WHERE id = 1")
        assert (kept[0] == [["own"]]) == (said == "I"), "it was in no transaction any more"
        one.close()
        other.close()

    done(work())


def test_cancelling(server: Place) -> None:
    slow = b"SELECT SLEEP(60) FROM (SELECT 1 UNION SELECT 2) AS x"

    def is_under_way() -> bool:
        return bool(server.sql("SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO = %s", [slow.decode()]))

    async def work() -> None:
        connection = await opened(server.access())
        await connection.cancel()  # nothing is running
        await connection.simple(b"BEGIN")
        running = asyncio.ensure_future(connection.simple(slow))
        await asyncio.to_thread(wait_until, is_under_way, 40)
        began = time.monotonic()
        await connection.cancel()
        outcome = await running
        assert time.monotonic() - began < 5
        assert (outcome.error, connection.error_number, connection.status) == ("70100", 1317, "T")
        assert await connection.simple(b"SELECT 1") == Outcome(1, None)
        connection.close()

    done(work())


def test_a_connection_that_is_killed(server: Place) -> None:
    async def work() -> list[str]:
        found = []
        for text in (b"SELECT SLEEP(60)", None):
            connection = await opened(server.access())
            mine = (await connection.rows(b"SELECT CONNECTION_ID()"))[0][0][0]
            running = asyncio.ensure_future(connection.simple(text)) if text else None
            await asyncio.sleep(0.5)
            await asyncio.to_thread(server.sql, f"KILL {mine}")
            await asyncio.sleep(0.5)
            assert connection.is_lost
            with pytest.raises(ConnectionLost) as lost:
                await (running or connection.simple(b"SELECT 1"))
            found.append(lost.value.sqlstate)
        return found

    assert set(done(work())) <= {"08006", "08S01", "70100"}


def test_too_many_connections(server: Place) -> None:
    plugin = "caching_sha2_password" if server.is_mysql else "mysql_native_password"
    server.user("plain", plugin, "plain")
    server.sql("REVOKE ALL PRIVILEGES ON *.* FROM 'plain'@'%'")
    server.sql("GRANT SELECT ON test_wire.* TO 'plain'@'%'")
    before = server.variable("global.max_connections")
    server.sql("SET GLOBAL max_connections = 10")

    async def work() -> CannotConnect:
        connections = []

        async def twelve() -> None:
            for _ in range(12):
                connections.append(await opened(server.access(user="plain", password="plain")))

        try:
            with pytest.raises(CannotConnect) as found:
                await twelve()
            return found.value
        finally:
            for connection in connections:
                connection.close()

    try:
        refusal = done(work())
        assert (refusal.sqlstate, "Too many connections" in str(refusal)) == ("08004", True)
    finally:
        wait_until(lambda: server.sql(f"SET GLOBAL max_connections = {before}") == [])


def test_a_file_of_the_clients_is_not_given(server: Place) -> None:
    outcome = ask(server.access(), b"LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t")
    assert outcome.error in {"42000", "HY000"}
    assert ask(server.access(), b"SELECT * FROM t") == Outcome(3, None)


def test_a_server_that_is_killed_in_mid_statement() -> None:
    with place("mariadb-10") as server:

        async def work() -> None:
            connection = await opened(server.access())
            running = asyncio.ensure_future(connection.simple(b"SELECT SLEEP(60)"))
            await asyncio.sleep(0.5)
            psutil.Process(server.server.private.pid).kill()
            with pytest.raises(ConnectionLost, match="08006"):
                await running
            assert connection.is_lost

        done(work())
