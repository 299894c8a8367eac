from __future__ import annotations

import logging
import stat
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import paramiko
import psutil
import pytest

from otterflow.errors import AccessRefused, CommandFailed, CommandTimedOut, ConnectionFault
from otterflow.remote import session as session_module
from otterflow.remote.session import Session
from stack.processes import free_port
from stack.sshd import PrivateSshd
from tests.remote.conftest import client_of
from tests.remote.relay import Relay
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

HOSTILE = 'it\'s; rm -rf "$HOME" `id` $(id)\n\\ *.conf'


def test_a_command_gives_its_exit_code_and_both_outputs(session: Session) -> None:
    done = session.run("echo out; echo err >&2; exit 3", what="a test", timeout_s=10, check=False)
    assert (done.exit_code, done.stdout, done.stderr, done.truncated) == (3, "out\n", "err\n", False)


def test_a_failed_command_is_an_error_with_the_end_of_stderr(session: Session) -> None:
    with pytest.raises(CommandFailed, match=r"^restart failed with exit code 3: no such unit$") as caught:
        session.run("echo no such unit >&2; exit 3", what="restart", timeout_s=10)
    assert caught.value.exit_code == 3


def test_bash_reads_the_command_whatever_the_login_shell(session: Session) -> None:
    assert session.run('echo "${BASH_VERSION:+bash}"', what="a test", timeout_s=10).stdout == "bash\n"


def test_standard_input_and_both_outputs_do_not_block_each_other(session: Session) -> None:
    text = "0123456789abcdef" * 2**16 * 4
    done = session.run("tee /dev/stderr", what="an echo", timeout_s=30, stdin=text)
    assert done.stdout == text
    assert done.stderr == text[-session_module.MAX_STDERR_BYTES :]


def test_a_command_may_ignore_its_standard_input(session: Session) -> None:
    done = session.run("exec 0<&-; echo done", what="a test", timeout_s=10, stdin="x" * 2**22)
    assert done.stdout == "done\n"


def test_a_command_may_end_between_the_look_at_its_channel_and_the_write(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ready_once_closed(channel: paramiko.Channel) -> bool:
        deadline = time.monotonic() + 10
        while not channel.closed and time.monotonic() < deadline:
            time.sleep(0.01)
        return True

    monkeypatch.setattr(paramiko.Channel, "send_ready", ready_once_closed)
    done = session.run("echo done; exit 3", what="a test", timeout_s=10, stdin="not read", check=False)
    assert (done.exit_code, done.stdout) == (3, "done\n")


def test_output_beyond_the_limit_is_dropped_and_said_so(session: Session) -> None:
    done = session.run("yes | head -c 1000000", what="a test", timeout_s=10, max_stdout_bytes=1000)
    assert (len(done.stdout), done.truncated) == (1000, True)


@pytest.mark.parametrize(
    "noise", ["sleep 90", "while :; do echo noise; sleep 0.05; done", "yes", "trap '' TERM; sleep 90"]
)
def test_the_limit_holds_for_silent_and_chatty_commands(session: Session, noise: str) -> None:
    started = time.monotonic()
    with pytest.raises(CommandTimedOut, match=r"^a long one did not end within 1 s"):
        session.run(noise, what="a long one", timeout_s=1)
    assert time.monotonic() - started < 40, "it was left to itself"
    assert session.run("echo still here", what="a test", timeout_s=10).stdout == "still here\n"


def test_the_limit_ends_the_command_on_the_host(session: Session) -> None:
    with pytest.raises(CommandTimedOut):
        session.run("sleep 314.159 & sleep 314.159", what="a long one", timeout_s=0.5)
    wait_until(lambda: subprocess.run(["pgrep", "-f", "^sleep 314.159"], capture_output=True).stdout == b"", 60)


def test_a_daemon_that_keeps_stdout_open_does_not_hold_the_command(session: Session) -> None:
    up, pid = session.run("setsid sleep 60 & echo up; echo $!", what="a start", timeout_s=30).stdout.split()
    assert up == "up"
    daemon = psutil.Process(int(pid))
    assert daemon.is_running(), "it was waited for"
    daemon.kill()


def test_a_silent_host_is_a_connection_fault(
    relayed: Callable[[], Session], relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "KILL_AFTER_S", 1)
    monkeypatch.setattr(session_module, "GRACE_S", 1)
    with relayed() as session:
        session.run("true", what="a test", timeout_s=10)
        relay.freeze()
        started = time.monotonic()
        with pytest.raises(ConnectionFault, match=r"of a test|during a test"):
            session.run("true", what="a test", timeout_s=1)
        assert time.monotonic() - started < 40


def test_a_dropped_connection_is_a_fault_and_the_next_command_connects_again(
    relayed: Callable[[], Session], relay: Relay
) -> None:
    with relayed() as session:
        session.run("true", what="a test", timeout_s=10)
        threading.Timer(0.5, relay.cut).start()
        with pytest.raises(ConnectionFault, match=r"ssh_conn_id 'test'.*lost"):
            session.run("sleep 30", what="a long one", timeout_s=60)
        assert session.run("echo back", what="a test", timeout_s=10).stdout == "back\n"


def test_a_refused_connection_names_the_connection() -> None:
    def connect() -> paramiko.SSHClient:
        client = paramiko.SSHClient()
        client.connect("127.0.0.1", free_port(), "nobody", timeout=5)
        return client

    with Session(connect, host="ssh_conn_id 'db'") as session, pytest.raises(ConnectionFault, match="ssh_conn_id 'db'"):
        session.run("true", what="a test", timeout_s=5)


def test_another_host_key_is_refused_with_the_setting_to_change(sshd: PrivateSshd, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True)
    other = " ".join((tmp_path / "other.pub").read_text().split()[:2])
    with Session(lambda: client_of(sshd, host_key=other)) as session:
        with pytest.raises(AccessRefused, match=r"shows another key.*host_key"):
            session.run("true", what="a test", timeout_s=5)


def test_an_unknown_host_is_refused_with_the_setting_to_change(sshd: PrivateSshd) -> None:
    def connect() -> paramiko.SSHClient:
        client = paramiko.SSHClient()
        client.connect(sshd.host, sshd.port, sshd.user.name, key_filename=str(sshd.key_file), timeout=5)
        return client

    with Session(connect) as session, pytest.raises(AccessRefused, match=r"is not known.*host_key"):
        session.run("true", what="a test", timeout_s=5)


def test_another_key_of_the_user_is_refused(sshd: PrivateSshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True)
    monkeypatch.setattr(sshd, "key_file", tmp_path / "other")
    with Session(lambda: client_of(sshd)) as session, pytest.raises(AccessRefused, match="did not accept the user"):
        session.run("true", what="a test", timeout_s=5)


def test_a_file_is_written_whole_with_its_mode_and_read_back(session: Session, work_dir: str) -> None:
    path = f"{work_dir}/knobs 'x'.conf"
    session.put_file(path, HOSTILE, 0o640)
    session.put_file(path, HOSTILE * 2, 0o640)
    assert Path(path).read_text() == HOSTILE * 2
    assert stat.S_IMODE(Path(path).stat().st_mode) == 0o640
    assert list(Path(work_dir).iterdir()) == [Path(path)]


def test_a_link_stays_a_link(session: Session, work_dir: str) -> None:
    session.put_file(f"{work_dir}/real", "old")
    (Path(work_dir) / "link").symlink_to("real")
    session.put_file(f"{work_dir}/link", "new")
    assert (Path(work_dir) / "link").is_symlink()
    assert (Path(work_dir) / "real").read_text() == "new"


def test_half_a_file_never_replaces_the_whole(session: Session, work_dir: str) -> None:
    path = f"{work_dir}/knobs.conf"
    session.put_file(path, "old")
    with pytest.raises(CommandFailed, match="only 4 of 9 bytes arrived"):
        session.run(session_module.put_command(path, 9, 0o600), what="writing", timeout_s=10, stdin="half")
    assert (Path(path).read_text(), len(list(Path(work_dir).iterdir()))) == ("old", 1)


def test_a_file_in_a_folder_that_is_not_there_is_an_error(session: Session, work_dir: str) -> None:
    with pytest.raises(CommandFailed, match=r"^writing .*/absent/f failed"):
        session.put_file(f"{work_dir}/absent/f", "x")


def test_standard_input_is_never_logged(session: Session, work_dir: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    session.put_file(f"{work_dir}/pgpass", "s3cret-word")
    with pytest.raises(CommandFailed) as caught:
        session.put_file(f"{work_dir}/absent/pgpass", "s3cret-word")
    assert "s3cret-word" not in caplog.text + str(caught.value)
