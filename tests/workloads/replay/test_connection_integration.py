"""The replayer's own client against a real server: each way to log in, TLS, encodings, COPY, cancelling."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from otterflow.workloads.replay.replayer.answers import Access, CannotConnect, Outcome
from otterflow.workloads.replay.replayer.postgresql.connection import Connection
from stack.host import DatabaseHost
from stack.postgres import PrivateCluster
from tests.waiting import wait_until
from tests.workloads.replay.certificates import self_signed

pytestmark = pytest.mark.integration


@pytest.fixture
def cluster(clean_host: DatabaseHost) -> Iterator[PrivateCluster]:
    """The private server, whose pg_hba.conf is put back."""
    hba = clean_host.cluster.data_dir / "pg_hba.conf"
    before = hba.read_text()
    yield clean_host.cluster
    clean_host.cluster.user.write_file(hba, before)
    with clean_host.cluster.connect() as sql:
        sql.execute("SELECT pg_reload_conf()")


def _access(cluster: PrivateCluster, **changes: Any) -> Access:
    given: dict[str, Any] = {"host": cluster.host, "port": cluster.port, "user": "otterflow", "database": "bench"}
    return Access(**(given | {"password": cluster.password, "tls": "disable"} | changes))


def _reload(cluster: PrivateCluster, *settings: str) -> None:
    with cluster.connect() as sql:
        for setting in settings:
            sql.execute(f"ALTER SYSTEM SET {setting}")
        before = _loaded_at(cluster)
        sql.execute("SELECT pg_reload_conf()")
    wait_until(lambda: _loaded_at(cluster) != before, 60)


def _loaded_at(cluster: PrivateCluster) -> Any:
    """When the server read its files, as each new session has it."""
    with cluster.connect() as sql:
        return sql.execute("SELECT pg_conf_load_time()").fetchone()


async def _ask(access: Access, text: bytes, **settings: str) -> Outcome:
    connection = Connection(access)
    await connection.open(settings)
    try:
        return await connection.simple(text)
    finally:
        connection.close()


def _done(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 50))


@pytest.mark.parametrize("password", ["plain", "p ä:\\ß'\" €"])
@pytest.mark.parametrize("method", ["scram-sha-256", "md5", "password", "trust"])
def test_every_way_to_log_in(cluster: PrivateCluster, method: str, password: str) -> None:
    hba = cluster.data_dir / "pg_hba.conf"
    cluster.user.write_file(hba, f"host all someone all {method}\n" + hba.read_text())
    with cluster.connect() as sql:
        sql.execute(
            "SELECT set_config('password_encryption', %s, false)", ["md5" if method == "md5" else "scram-sha-256"]
        )
        sql.execute("DROP ROLE IF EXISTS someone")
        quoted = sql.execute("SELECT quote_literal(%s)", [password]).fetchone()
        sql.execute(f"CREATE ROLE someone LOGIN PASSWORD {quoted[0]}")  # type: ignore[index]
    _reload(cluster)
    try:
        access = _access(cluster, user="someone", password=password)
        assert _done(_ask(access, b"SELECT 1")) == Outcome(1, None)
        if method != "trust":
            with pytest.raises(CannotConnect) as refused:
                _done(_ask(_access(cluster, user="someone", password="wrong"), b"SELECT 1"))
            assert refused.value.sqlstate == "28P01"
    finally:
        with cluster.connect() as sql:
            sql.execute("DROP ROLE someone")


def test_over_a_socket(cluster: PrivateCluster) -> None:
    with pytest.raises(CannotConnect, match="No such file"):
        _done(_ask(_access(cluster, host="/nowhere"), b"SELECT 1"))
    assert _done(_ask(_access(cluster, host=str(cluster.socket_dir), tls="require"), b"SELECT 1")) == Outcome(1, None)


def test_tls(cluster: PrivateCluster, tmp_path: Path) -> None:
    key, certificate = self_signed("127.0.0.1")
    for name, text in (("server.key", key), ("server.crt", certificate)):
        cluster.user.write_file(cluster.config_dir / name, text)
        (cluster.config_dir / name).chmod(0o600)
    root, other = tmp_path / "root.crt", tmp_path / "other.crt"
    root.write_text(certificate)
    other.write_text(self_signed("127.0.0.1")[1])
    config = cluster.config_dir
    _reload(cluster, f"ssl_key_file = '{config}/server.key'", f"ssl_cert_file = '{config}/server.crt'", "ssl = on")
    is_safe = b"SELECT 1 FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl"
    loose, strict = [("disable", None, 0), ("prefer", None, 1), ("require", None, 1)], ("verify-ca", "verify-full")
    for tls, given, rows in [*loose, *((mode, root, 1) for mode in strict)]:
        access = _access(cluster, tls=tls, tls_root=given and str(given))
        assert _done(_ask(access, is_safe)) == Outcome(rows, None), tls
    with pytest.raises(CannotConnect, match="CERTIFICATE_VERIFY_FAILED"):
        _done(_ask(_access(cluster, tls="verify-full", tls_root=str(other)), is_safe))
    with pytest.raises(CannotConnect, match="CERTIFICATE_VERIFY_FAILED"):
        _done(_ask(_access(cluster, tls="verify-full", tls_root=str(root), host="localhost"), is_safe))


def test_bytes_of_another_encoding_arrive(cluster: PrivateCluster) -> None:
    with cluster.connect("postgres") as sql:
        sql.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    try:
        access = _access(cluster, database="latin")
        text = b"SELECT 1 WHERE ascii('\xe9') = 233"
        assert _done(_ask(access, text, client_encoding="LATIN1")) == Outcome(1, None)
    finally:
        with cluster.connect("postgres") as sql:
            sql.execute("DROP DATABASE latin")


def test_copying_hangs_nothing(cluster: PrivateCluster) -> None:
    assert _done(_ask(_access(cluster), b"CREATE TEMP TABLE t (a int); COPY t FROM STDIN")) == Outcome(0, "57014")
    assert _done(_ask(_access(cluster), b"COPY (SELECT generate_series(1, 5000)) TO STDOUT")) == Outcome(5000, None)


def test_cancelling(cluster: PrivateCluster) -> None:
    def is_under_way() -> bool:
        with cluster.connect() as sql:
            asked = "SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'"
            return sql.execute(asked).fetchone() == (1,)

    async def work() -> Outcome:
        connection = Connection(_access(cluster))
        await connection.open({})
        running = asyncio.ensure_future(connection.simple(b"SELECT pg_sleep(60)"))
        await asyncio.to_thread(wait_until, is_under_way, 40)
        await connection.cancel()
        outcome = await running
        connection.close()
        return outcome

    assert _done(work()) == Outcome(0, "57014")
