"""The private database host: it comes up, it is what its target file says, and it leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from otterflow.dbms.registry import load_target
from stack.host import DatabaseHost
from stack.processes import StackError, belonging_to, free_port, is_alive
from stack.users import ServerUser
from tests.stack.listening import listening

pytestmark = pytest.mark.integration


def ssh(host: DatabaseHost, command: str, host_key: str | None = None) -> subprocess.CompletedProcess[str]:
    known_hosts = host.root / "known_hosts_of_test"
    known_hosts.write_text(f"[{host.sshd.host}]:{host.sshd.port} {host_key or host.sshd.host_key}\n")
    options = [f"UserKnownHostsFile={known_hosts}", "StrictHostKeyChecking=yes", "BatchMode=yes"]
    return subprocess.run(
        ["ssh", "-F", "none", "-p", str(host.sshd.port), "-i", str(host.sshd.key_file)]
        + [word for option in options for word in ("-o", option)]
        + [f"{host.user.name}@{host.sshd.host}", command],
        check=False, capture_output=True, text=True, timeout=30,
    )  # fmt: skip


@pytest.fixture
def own_host() -> Iterator[DatabaseHost]:
    folder = Path(tempfile.mkdtemp(prefix="otterflow-own-"))
    folder.chmod(0o755)
    host = DatabaseHost(folder, name="own")
    yield host
    host.stop()
    shutil.rmtree(folder)


def test_target_file_describes_the_running_server(db_host: DatabaseHost) -> None:
    target = load_target(db_host.targets_dir / "private.yaml")
    with db_host.cluster.connect() as connection:
        settings = dict(connection.execute("SELECT name, setting FROM pg_settings").fetchall())
    assert target == db_host.target
    assert settings["data_directory"] == target.data_dir
    assert settings["listen_addresses"] == "127.0.0.1"
    assert Path(target.bin_dir or "", "pg_ctl").exists()


def test_servers_do_not_run_as_root(db_host: DatabaseHost) -> None:
    owners = {process.uids().effective for process in belonging_to(db_host.root)}
    assert owners == {db_host.user.uid}
    assert 0 not in owners


def test_nothing_but_loopback_is_listened_on(db_host: DatabaseHost) -> None:
    expected = {("127.0.0.1", db_host.cluster.port), (db_host.sshd.host, db_host.sshd.port)}
    assert listening(db_host.root) == expected


def test_knobs_file_is_included_last_and_wins(clean_host: DatabaseHost) -> None:
    clean_host.user.write_file(clean_host.cluster.knobs_file, "work_mem = '12345kB'\n")
    clean_host.cluster.restart()
    with clean_host.cluster.connect() as connection:
        row = connection.execute("SELECT setting, sourcefile FROM pg_settings WHERE name = 'work_mem'").fetchone()
    assert row == ("12345", str(clean_host.cluster.knobs_file))


def test_sql_needs_the_password_over_tcp(db_host: DatabaseHost) -> None:
    wrong = psycopg.conninfo.make_conninfo(db_host.cluster.dsn(), password="wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_wrong_host_key_is_refused(db_host: DatabaseHost) -> None:
    user_key = db_host.sshd.key_file.with_suffix(".pub").read_text().strip()
    done = ssh(db_host, "true", host_key=user_key)
    assert done.returncode == 255
    assert "Host key verification failed" in done.stderr


def test_secrets_are_readable_by_their_owner_alone(db_host: DatabaseHost) -> None:
    cluster, sshd = db_host.cluster, db_host.sshd
    for path in (cluster.password_file, sshd.key_file, sshd.host_key_file):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert db_host.cluster.password not in (db_host.targets_dir / "private.yaml").read_text()


def test_start_and_stop_twice_and_nothing_is_left(own_host: DatabaseHost) -> None:
    ports = []
    for _ in range(2):
        own_host.start()
        own_host.start()
        ports.append((own_host.cluster.port, own_host.sshd.port))
        assert own_host.cluster.is_running
        assert own_host.sshd.is_running
        own_host.stop()
        own_host.stop()
        assert belonging_to(own_host.root) == []
    assert ports[0] == ports[1], "a second start keeps the ports, so that connections stay true"


def test_stop_ends_what_was_started_over_ssh(own_host: DatabaseHost) -> None:
    own_host.start()
    cluster = own_host.cluster
    before = cluster.pid
    restart = f"{cluster.bin_dir}/pg_ctl restart -s -w -D {cluster.data_dir} -l {cluster.log_file}"
    assert ssh(own_host, restart).returncode == 0
    assert cluster.pid not in (None, before)
    assert ssh(own_host, "cd /; nohup setsid sleep 600 >/dev/null 2>&1 </dev/null &").returncode == 0
    jobs = [process for process in belonging_to(own_host.root) if process.name() == "sleep"]
    assert len(jobs) == 1
    own_host.stop()
    assert not is_alive(jobs[0])
    assert not cluster.is_running


def test_a_server_that_cannot_start_says_why(own_host: DatabaseHost) -> None:
    own_host.start()
    own_host.cluster.stop()
    own_host.user.write_file(own_host.cluster.knobs_file, "shared_buffers = 'plenty'\n")
    with pytest.raises(StackError, match='invalid value for parameter "shared_buffers": "plenty"'):
        own_host.cluster.start()
    own_host.cluster.knobs_file.unlink()
    own_host.cluster.start()


def test_a_folder_the_server_user_may_not_enter_is_refused(db_host: DatabaseHost, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o000)
    nobody = ServerUser("nobody", 65534, 65534, borrowed=os.geteuid() == 0)
    with pytest.raises(StackError, match=f"may not enter {closed}"):
        DatabaseHost(closed / "inner", user=nobody).start()
    closed.chmod(0o700)


def test_free_port_is_free() -> None:
    assert 1024 < free_port() < 65536
