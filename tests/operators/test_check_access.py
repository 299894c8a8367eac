"""What stands between otterflow and a target, made so for real: each told before the first trial, by its setting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from otterflow.operators.connections import open_repository
from stack.host import SQL_CONN_ID, SSH_CONN_ID, DatabaseHost
from tests.operators.conftest import Refuse, change_connection
from tests.operators.harness import Dags

pytestmark = pytest.mark.integration


@pytest.fixture
def accepted(lab: DatabaseHost, dags: Dags, params: dict[str, Any]) -> Callable[[], None]:
    """Check the experiment and its target, which must be found in order."""

    def run() -> None:
        for task in ("check_experiment", "check_target"):
            done = dags.run_task("tuning_experiment", task, params)
            assert done.states[task] == "success", done.errors[task]
        open_repository().release_target(lab.name, params["experiment"])

    return run


def test_an_sshd_that_forwards_nothing_is_told_by_its_setting_and_the_targets(
    refused: Refuse, other_sshd: Callable[..., None]
) -> None:
    other_sshd({"AllowTcpForwarding": "no"})
    (message,) = refused().splitlines()
    assert message.startswith("private.yaml: sql_conn_id: ")
    assert "AllowTcpForwarding local" in message
    assert "sql_tunnel: false" in message


def test_a_login_that_greets_and_has_one_session_at_a_time_is_no_obstacle(
    accepted: Callable[[], None], other_sshd: Callable[..., None], lab: DatabaseHost
) -> None:
    home = lab.user.make_dir(lab.root / "greeting-home", 0o755)
    lab.user.write_file(home / ".bashrc", 'echo "Welcome to db1"\necho "Have a nice day" >&2\n')
    other_sshd({"MaxSessions": "1"}, {"HOME": str(home)})
    accepted()


@pytest.mark.parametrize("sql_tunnel", [True, False])
def test_a_bad_host_key_and_an_unknown_connection_are_told_once_and_together(
    refused: Refuse, retarget: Any, monkeypatch: pytest.MonkeyPatch, sql_tunnel: bool
) -> None:
    change_connection(monkeypatch, SSH_CONN_ID, extra={"host_key": "nonsense"})
    retarget(sql_conn_id="nowhere", sql_tunnel=sql_tunnel)
    lines = refused().splitlines()
    assert [line.partition(";")[0] for line in lines] == [
        f"connection '{SSH_CONN_ID}', host_key of its extra: 'nonsense' holds no key",
        "private.yaml: sql_conn_id: Airflow has no connection 'nowhere'",
    ]


def test_an_unknown_sql_connection_hides_nothing_of_the_host(refused: Refuse, retarget: Any) -> None:
    retarget(sql_conn_id="nowhere", log_file="/nowhere/server.log")
    lines = refused().splitlines()
    assert [line.partition(":")[0] for line in lines] == ["private.yaml", "log_file"]


def test_a_line_after_the_include_is_found_before_the_first_trial(refused: Refuse, lab: DatabaseHost) -> None:
    config = lab.cluster.data_dir / "postgresql.conf"
    before = config.read_text()
    lab.user.write_file(config, before + "work_mem = 5MB\n")
    try:
        message = refused()
    finally:
        lab.user.write_file(config, before)
    line = before.count("\n") + 1
    assert f"work_mem: is set to '5MB' in {config} line {line}, read after {lab.cluster.knobs_file}" in message
    assert f"move the line above the one that includes {lab.cluster.knobs_file}, or exclude the knob" in message
    assert len(message.splitlines()) == 1


def test_a_user_without_pg_monitor_is_told_what_to_grant(
    refused: Refuse, lab: DatabaseHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lab.cluster.connect("postgres") as connection:
        connection.execute("CREATE ROLE plain LOGIN CREATEDB PASSWORD 'plain'")
    change_connection(monkeypatch, SQL_CONN_ID, login="plain", password="plain", schema="postgres")
    try:
        message = refused()
    finally:
        with lab.cluster.connect("postgres") as connection:
            connection.execute("DROP ROLE plain")
    assert 'GRANT pg_monitor TO "plain"' in message
    assert "permission denied" not in message
    assert message.index("name one that is not there yet") < message.index("ALTER DATABASE")


@pytest.fixture
def configured(lab: DatabaseHost) -> Iterator[Callable[[str], None]]:
    """Restarts the server with more lines at the end of its configuration, which are none of a tuned knob."""
    config = lab.cluster.data_dir / "postgresql.conf"
    before = config.read_text()

    def restart(lines: str) -> None:
        lab.cluster.stop()
        lab.user.write_file(config, before + lines)
        lab.cluster._run("pg_ctl", "start", "-D", lab.cluster.data_dir, "-l", lab.cluster.log_file, "-w", "--silent")

    yield restart
    lab.cluster.stop()
    lab.user.write_file(config, before)


def test_a_server_on_another_address_is_up_and_not_called_crashed(
    accepted: Callable[[], None], configured: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    configured("listen_addresses = '127.0.0.2'\n")
    change_connection(monkeypatch, SQL_CONN_ID, host="127.0.0.2")
    accepted()


def test_a_server_on_a_socket_alone_is_up_and_not_called_crashed(
    accepted: Callable[[], None],
    retarget: Any,
    lab: DatabaseHost,
    configured: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configured("listen_addresses = ''\n")
    change_connection(monkeypatch, SQL_CONN_ID, host=str(lab.cluster.socket_dir))
    retarget(sql_tunnel=False)
    accepted()


def self_signed(name: str) -> tuple[str, str]:
    """A certificate for a host of that name, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(pem).decode(), private.decode()


def test_the_servers_certificate_is_checked_by_its_own_name_through_the_tunnel_and_on_the_target(
    accepted: Callable[[], None],
    refused: Refuse,
    lab: DatabaseHost,
    configured: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    certificate, key = self_signed("localhost")
    files = [lab.user.write_file(lab.root / name, text) for name, text in (("ca.pem", certificate), ("key.pem", key))]
    configured(f"ssl = on\nssl_cert_file = '{files[0]}'\nssl_key_file = '{files[1]}'\n")
    extra = {"sslmode": "verify-full", "sslrootcert": str(files[0])}
    change_connection(monkeypatch, SQL_CONN_ID, host="localhost", extra=extra)
    accepted()
    change_connection(monkeypatch, SQL_CONN_ID, host="127.0.0.1")
    (message,) = refused(experiment="another").splitlines()
    assert 'does not match host name "127.0.0.1"' in message
    assert "check sslmode, sslrootcert and the like in its extra" in message
    assert "credentials" not in message


def test_a_line_of_the_knobs_file_that_is_no_setting_hides_nothing_else(
    refused: Refuse, retarget: Any, lab: DatabaseHost
) -> None:
    lab.user.write_file(lab.cluster.knobs_file, "jit = on\nthis is; garbage\n")
    retarget(log_file="/nowhere/server.log")
    lines = refused().splitlines()
    assert f"{lab.cluster.knobs_file} line 2: 'this is; garbage' is no setting; write name = 'value'" in lines
    assert any(line.startswith("log_file: /nowhere/server.log is not there") for line in lines)
