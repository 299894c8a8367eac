"""Airflow's connections as people fill them in, on a real sshd and a real PostgreSQL: taken, or refused by name."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from otterflow.errors import AccessRefused, ConnectionFault, InvalidInput
from otterflow.operators.connections import database_access, sql_query, ssh_hook, ssh_session
from stack.host import SQL_CONN_ID, SSH_CONN_ID, DatabaseHost
from tests.operators.conftest import change_connection

pytestmark = pytest.mark.integration

Change = Callable[..., None]


@pytest.fixture
def change(db_host: DatabaseHost, host_environment: Any, monkeypatch: pytest.MonkeyPatch) -> Change:
    """Changes fields of the SSH connection's extra."""
    return lambda **extra: change_connection(monkeypatch, SSH_CONN_ID, extra=extra)


def said() -> str:
    with ssh_session(ssh_hook(SSH_CONN_ID, "ssh_conn_id")) as session:
        return session.run("echo in", what="a test", timeout_s=10).stdout


def test_packets_are_sent_at_once(db_host: DatabaseHost, host_environment: Any) -> None:
    """A command is several small packets; each waited for the answer to the one before, and that was half its time."""
    hook = ssh_hook(SSH_CONN_ID, "ssh_conn_id")
    with ssh_session(hook) as session:
        session.run("true", what="a test", timeout_s=10)
        transport = hook.get_conn().get_transport()
        assert transport is not None
        assert cast("socket.socket", transport.sock).getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize(
    "shape",
    [
        "{key} root@db1",
        "[127.0.0.1]:2222 {key}",
        "# 127.0.0.1:2222 SSH-2.0-OpenSSH_9.2\n[127.0.0.1]:2222 ssh-rsa {rsa}\n[127.0.0.1]:2222 {key}\n",
        "{bare}",
        "  {key}\n",
    ],
    ids=["comment", "keyscan", "keyscan of several keys", "without type", "line break"],
)
def test_a_host_key_is_taken_as_it_is_pasted(change: Change, db_host: DatabaseHost, tmp_path: Path, shape: str) -> None:
    rsa = ""
    if "{rsa}" in shape:
        made = str(tmp_path / "rsa")
        subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", made], check=True)
        rsa = Path(f"{made}.pub").read_text().split()[1]
    key = db_host.sshd.host_key
    change(host_key=shape.format(key=key, rsa=rsa, bare=key.split()[1]))
    assert said() == "in\n"


@pytest.mark.parametrize(
    ("host_key", "advice"),
    [
        ("SHA256:n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg", "is a fingerprint"),
        ("ssh-ed25519", "holds no key; give the host's line of `ssh-keyscan`"),
        ("ssh-ed25519 AAAA!", "holds no key"),
    ],
)
def test_a_host_key_that_is_none_names_the_connection_and_the_field(change: Change, host_key: str, advice: str) -> None:
    change(host_key=host_key)
    with pytest.raises(InvalidInput, match=f"connection '{SSH_CONN_ID}', host_key of its extra: .*{advice}"):
        ssh_hook(SSH_CONN_ID, "ssh_conn_id")


@pytest.fixture
def encrypted(db_host: DatabaseHost, tmp_path: Path) -> Path:
    """The user's key in a file of its own, under a passphrase."""
    copy = tmp_path / "encrypted"
    copy.write_text(db_host.sshd.key_file.read_text())
    copy.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "open sesame", "-f", str(copy)], check=True)
    return copy


def test_a_key_file_with_a_passphrase_opens_with_it(change: Change, encrypted: Path) -> None:
    change(key_file=str(encrypted), private_key_passphrase="open sesame")
    assert said() == "in\n"


@pytest.mark.parametrize(
    ("passphrase", "advice"),
    [(None, "is encrypted; set private_key_passphrase"), ("wrong", "does not open with private_key_passphrase")],
)
def test_a_key_file_that_does_not_open_is_told_with_the_field(
    change: Change, encrypted: Path, passphrase: str | None, advice: str
) -> None:
    change(key_file=str(encrypted), private_key_passphrase=passphrase)
    with pytest.raises(InvalidInput, match=f"connection '{SSH_CONN_ID}', key_file of its extra: {advice}"):
        ssh_hook(SSH_CONN_ID, "ssh_conn_id")


def test_a_key_file_that_is_not_there_is_told_with_its_path(change: Change) -> None:
    change(key_file="/nowhere/key")
    with pytest.raises(InvalidInput, match="key_file of its extra: '/nowhere/key' cannot be read on the machine"):
        ssh_hook(SSH_CONN_ID, "ssh_conn_id")


@pytest.mark.parametrize("line_break", ["\n", "\\n", "\r\n"])
def test_a_private_key_is_taken_with_escaped_line_breaks(
    change: Change, db_host: DatabaseHost, line_break: str
) -> None:
    text = db_host.sshd.key_file.read_text().strip().replace("\n", line_break)
    change(key_file=None, private_key=text)
    assert said() == "in\n"


def test_a_private_key_that_is_none_is_told_and_never_shown(change: Change) -> None:
    change(key_file=None, private_key="-----BEGIN s3cret")
    with pytest.raises(InvalidInput, match="private_key of its extra: is no private key; give the whole") as caught:
        ssh_hook(SSH_CONN_ID, "ssh_conn_id")
    assert "s3cret" not in str(caught.value)


def test_whatever_else_the_provider_refuses_names_the_connection(change: Change) -> None:
    change(no_host_key_check=True)
    with pytest.raises(InvalidInput, match=f"connection '{SSH_CONN_ID}': Must check host key when provided"):
        ssh_hook(SSH_CONN_ID, "ssh_conn_id")


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ("{not json", "f: AIRFLOW_CONN_ODD cannot be read as connection 'odd'"),
        ('{"conn_type": "ssh", "host": "h", "port": "abc"}', "f: AIRFLOW_CONN_ODD cannot be read as connection 'odd'"),
        ('{"conn_type": "ssh", "host": "h", "extra": "{nope"}', "connection 'odd': its extra is no JSON object"),
        ('{"conn_type": "ssh", "host": "h", "extra": "[1]"}', "connection 'odd': its extra is no JSON object"),
        ('{"conn_type": "ssh"}', "connection 'odd': Missing required param: remote_host"),
    ],
)
def test_a_connection_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch, record: str, said: str) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ODD", record)
    with pytest.raises(InvalidInput) as caught:
        ssh_hook("odd", "f")
    assert str(caught.value).startswith(said)


def asked(host: DatabaseHost) -> Any:
    with sql_query(host.target, ssh_hook(SSH_CONN_ID, "ssh_conn_id")) as query:
        return query("SELECT 1 AS one")[0]["one"]


@pytest.mark.parametrize("settings", [{"AllowTcpForwarding": "no"}, {"PermitOpen": "127.0.0.1:1"}], ids=str)
def test_an_sshd_that_forwards_nothing_is_told_with_its_setting_and_the_targets(
    other_sshd: Callable[..., None], db_host: DatabaseHost, settings: dict[str, str]
) -> None:
    other_sshd(settings)
    with pytest.raises(AccessRefused) as caught:
        asked(db_host)
    for part in (f"127.0.0.1:{db_host.cluster.port}", "AllowTcpForwarding local", "PermitOpen", "sql_tunnel: false"):
        assert part in str(caught.value)


def test_a_port_that_nobody_listens_on_is_the_servers_and_not_the_tunnels(
    db_host: DatabaseHost, host_environment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_connection(monkeypatch, SQL_CONN_ID, port=1)
    with pytest.raises(ConnectionFault, match=r"nothing answers at 127\.0\.0\.1:1 as that host sees it"):
        asked(db_host)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"password": "not-this-one"}, AccessRefused),
        ({"login": "nobody-at-all"}, AccessRefused),
        ({"schema": "no_such_database"}, AccessRefused),
        ({"extra": {"sslmode": "require"}}, None),
    ],
    ids=str,
)
def test_a_refusal_is_told_by_what_the_server_answers_and_not_by_its_words(
    db_host: DatabaseHost,
    host_environment: Any,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    kind: type[Exception] | None,
) -> None:
    change_connection(monkeypatch, SQL_CONN_ID, **changes)
    with pytest.raises(kind or (AccessRefused, ConnectionFault)) as caught:
        asked(db_host)
    assert f"PostgreSQL at 127.0.0.1:{db_host.cluster.port} (connection '{SQL_CONN_ID}')" in str(caught.value)
    if kind is None:
        assert "SSL" in str(caught.value)


def test_commands_on_the_hosts_take_the_connections_host_and_extra(
    db_host: DatabaseHost, host_environment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca = "/etc/ssl/ca.pem"
    extra = {"sslmode": "verify-full", "sslrootcert": ca, "cursor": "dictcursor"}
    change_connection(monkeypatch, SQL_CONN_ID, host="10.0.0.5", extra=extra)
    local = database_access(db_host.target, from_driver=False).environment()
    assert (local["PGHOST"], local["PGSSLMODE"], local["PGSSLROOTCERT"]) == (
        "10.0.0.5",
        "verify-full",
        extra["sslrootcert"],
    )
    assert database_access(db_host.target, from_driver=True).host == "10.0.0.5"
    elsewhere = db_host.target.model_copy(update={"driver_host": "db.internal"})
    assert database_access(elsewhere, from_driver=True).host == "db.internal"


def test_a_sockets_folder_is_no_place_for_a_tunnel(
    db_host: DatabaseHost, host_environment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_connection(monkeypatch, SQL_CONN_ID, host=str(db_host.cluster.socket_dir))
    with pytest.raises(InvalidInput, match=f"connection '{SQL_CONN_ID}': host: .*sql_tunnel: false"):
        asked(db_host)
    with sql_query(db_host.target, None) as query:
        assert json.dumps(query("SELECT 1 AS one")) == '[{"one": 1}]'


def test_a_database_without_an_encoding_answers_with_text(db_host: DatabaseHost, host_environment: Any) -> None:
    """initdb makes SQL_ASCII databases where the machine has no locale."""
    with db_host.cluster.connect("postgres") as connection:
        connection.execute("CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0")
    try:
        with sql_query(db_host.target, ssh_hook(SSH_CONN_ID, "ssh_conn_id"), database="ascii") as query:
            assert query("SELECT name, setting FROM pg_settings WHERE name = 'server_encoding'") == [
                {"name": "server_encoding", "setting": "SQL_ASCII"}
            ]
    finally:
        with db_host.cluster.connect("postgres") as connection:
            connection.execute("DROP DATABASE ascii WITH (FORCE)")
