"""Logins that talk: what the host says around a command is not the command's output."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from otterflow.errors import AccessRefused
from otterflow.remote.files import missing_programs_command
from otterflow.remote.job import JobPaths, RemoteJob
from otterflow.remote.session import Session
from stack.sshd import PrivateSshd
from stack.users import server_user
from tests.remote.conftest import client_of

pytestmark = pytest.mark.integration

GREETING = 'echo "Welcome to db1"; echo "Have a nice day" >&2; trap "echo Goodbye" EXIT\n'

Serve = Callable[[str], Session]


@pytest.fixture
def login_with() -> Iterator[Serve]:
    """Starts an sshd with a banner, whose user has the given `.bashrc`; a session on it."""
    folder = Path(tempfile.mkdtemp(prefix="otterflow-greeting-"))
    folder.chmod(0o755)
    user = server_user()
    user.make_dir(folder / "home", 0o755)
    banner = user.write_file(folder / "banner", "Authorised users only\n", 0o644)
    settings = {"Banner": str(banner), "MaxSessions": "1"}
    sshd = PrivateSshd(folder / "sshd", user, settings=settings, environment={"HOME": str(folder / "home")})

    def serve(bashrc: str) -> Session:
        user.write_file(folder / "home" / ".bashrc", bashrc)
        sshd.start()
        return Session(lambda: client_of(sshd), host="ssh_conn_id 'db1'")

    yield serve
    sshd.stop()
    shutil.rmtree(folder)


def test_a_shell_that_greets_does_not_look_like_missing_programs(login_with: Serve) -> None:
    with login_with(GREETING) as session:
        command = missing_programs_command(["bash", "no-such-program"])
        done = session.run(command, what="looking", timeout_s=10)
        assert (done.stdout, done.stderr) == ("no-such-program\n", "")
        home = session.run("echo ~", what="home", timeout_s=10).stdout.strip()
        session.put_file(f"{home}/f", "12345")
        assert session.run(f"cat {home}/f", what="reading", timeout_s=10).stdout == "12345"
        with RemoteJob(lambda: session, JobPaths(home, "j")) as job:
            assert job.start_or_attach("echo result > out; echo said", {}, 10)
            end = job.wait(lambda line: None)
            assert (end.ok, end.log_tail, job.fetch(["out"])) == (True, "said\n", {"out": "result\n"})


def test_one_session_at_a_time_is_enough(login_with: Serve) -> None:
    with login_with("") as session:
        said = [session.run(f"echo {n}", what="a test", timeout_s=10).stdout for n in range(30)]
    assert said == [f"{n}\n" for n in range(30)]


def test_a_login_that_runs_nothing_is_told_with_what_it_said(login_with: Serve) -> None:
    with login_with("echo This account is closed; exit 3\n") as session:
        with pytest.raises(AccessRefused, match=r"db1'.*exit code 3.*This account is closed.*/bin/bash.*\.bashrc"):
            session.run("true", what="a test", timeout_s=10)
