from __future__ import annotations

import base64
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko
import pytest

from otterflow.remote.job import JobPaths, RemoteJob
from otterflow.remote.session import Session
from stack.sshd import PrivateSshd
from stack.users import server_user
from tests.remote.relay import Relay


@pytest.fixture(scope="session")
def sshd() -> Iterator[PrivateSshd]:
    """A running sshd without a database behind it."""
    folder = Path(tempfile.mkdtemp(prefix="otterflow-sshd-"))
    folder.chmod(0o755)
    server = PrivateSshd(folder, server_user())
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture
def relay(sshd: PrivateSshd) -> Iterator[Relay]:
    between = Relay(sshd.host, sshd.port)
    yield between
    between.close()


def client_of(sshd: PrivateSshd, *, port: int | None = None, host_key: str | None = None) -> paramiko.SSHClient:
    """A connected client that checks the host's key, as the provider's hook does."""
    port = port or sshd.port
    client = paramiko.SSHClient()
    kind, key = (host_key or sshd.host_key).split()
    client.get_host_keys().add(
        f"[{sshd.host}]:{port}", kind, paramiko.PKey.from_type_string(kind, base64.b64decode(key))
    )
    client.connect(
        sshd.host, port, sshd.user.name, key_filename=str(sshd.key_file), look_for_keys=False, allow_agent=False,
        timeout=10,
    )  # fmt: skip
    return client


@pytest.fixture
def session(sshd: PrivateSshd) -> Iterator[Session]:
    with Session(lambda: client_of(sshd), host="ssh_conn_id 'test'") as opened:
        yield opened


@pytest.fixture
def relayed(sshd: PrivateSshd, relay: Relay) -> Callable[[], Session]:
    """Makes sessions that reach the sshd through the relay."""
    return lambda: Session(lambda: client_of(sshd, port=relay.port), host="ssh_conn_id 'test'")


@pytest.fixture
def work_dir(sshd: PrivateSshd) -> Iterator[str]:
    """A work folder of the SSH user, with a hostile name."""
    parent = Path(tempfile.mkdtemp(prefix="otterflow-work-"))
    parent.chmod(0o755)
    sshd.user.make_dir(parent / "it's; here $HOME")
    yield str(parent / "it's; here $HOME")
    shutil.rmtree(parent)


@pytest.fixture
def job(sshd: PrivateSshd, work_dir: str) -> Iterator[RemoteJob]:
    """A job that is ended and removed after the test, whatever the test did."""
    with RemoteJob(lambda: Session(lambda: client_of(sshd)), JobPaths(work_dir, "demo-0001_benchmark.1")) as one:
        yield one
        one.kill()
