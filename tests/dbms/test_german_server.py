"""A host and a server that speak German: what stopped a start is told by facts, not by the words of a message."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.dbms.postgresql.service import classify_start, restart_command, service_functions
from otterflow.dbms.target import Target
from otterflow.dbms.values import StartOutcome
from otterflow.remote.session import Completed, Session
from stack.host import DatabaseHost
from stack.sshd import PrivateSshd
from tests.dbms.stopping import stop_command
from tests.remote.conftest import client_of

pytestmark = pytest.mark.integration

GERMAN = "de_DE.UTF-8"

Restart = Callable[[Target], tuple[StartOutcome, str]]


@pytest.fixture(scope="module")
def german_sshd(db_host: DatabaseHost) -> Iterator[PrivateSshd]:
    """An sshd of the same user whose sessions, and the servers they start, find and want German."""
    folder = Path(tempfile.mkdtemp(prefix="otterflow-german-"))
    folder.chmod(0o755)
    subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", str(folder / GERMAN)], check=True)
    environment = {"LOCPATH": str(folder), "LC_ALL": GERMAN, "LANGUAGE": "de"}
    sshd = PrivateSshd(folder / "sshd", db_host.user, environment=environment)
    sshd.start()
    yield sshd
    sshd.stop()
    shutil.rmtree(folder)


@pytest.fixture
def run(german_sshd: PrivateSshd) -> Iterator[Callable[[str], Completed]]:
    with Session(lambda: client_of(german_sshd)) as session:
        yield lambda command: session.run(command, what="a test", timeout_s=60, check=False)


@pytest.fixture
def restart(
    run: Callable[[str], Completed], access: DatabaseAccess, clean_host: DatabaseHost, target: Target
) -> Restart:
    """Restarts the server, with German messages in its configuration; what became of it."""
    clean_host.user.write_file(clean_host.cluster.knobs_file, f"lc_messages = '{GERMAN}'\n")

    def once(changed: Target) -> tuple[StartOutcome, str]:
        done = run(restart_command(changed, access))
        return classify_start(done.exit_code, done.stderr), done.stderr

    assert once(target)[0] is StartOutcome.up
    assert run(stop_command(service_functions(target))).exit_code == 0
    return once


def test_a_refused_configuration_is_told_in_german_and_teaches_the_tuner(
    restart: Restart, target: Target, clean_host: DatabaseHost
) -> None:
    text = f"lc_messages = '{GERMAN}'\nshared_preload_libraries = 'no_such_library'\n"
    clean_host.user.write_file(clean_host.cluster.knobs_file, text)
    outcome, stderr = restart(target)
    assert outcome is StartOutcome.refused
    assert "konnte nicht auf Datei" in stderr


def test_a_taken_port_is_not_called_the_configurations_fault(
    restart: Restart, target: Target, access: DatabaseAccess
) -> None:
    with socket.create_server((access.host, access.port)):
        outcome, stderr = restart(target)
    assert outcome is StartOutcome.not_run
    assert f"otterflow sees: port {access.port} is taken by another process" in stderr
    assert "konnte IPv4-Adresse" in stderr


def test_wrong_permissions_are_not_called_the_configurations_fault(
    restart: Restart, target: Target, clean_host: DatabaseHost
) -> None:
    clean_host.cluster.data_dir.chmod(0o755)
    try:
        outcome, stderr = restart(target)
    finally:
        clean_host.cluster.data_dir.chmod(0o700)
    assert outcome is StartOutcome.not_run
    assert "has mode 755, and the server takes only 700 or 750" in stderr


@pytest.mark.parametrize(
    ("data_dir", "said"), [("/srv/nothing/here", "does not exist"), ("/tmp", "is not a database cluster")]
)
def test_a_wrong_data_directory_is_not_called_the_configurations_fault(
    restart: Restart, target: Target, data_dir: str, said: str
) -> None:
    outcome, stderr = restart(target.model_copy(update={"data_dir": data_dir}))
    assert outcome is StartOutcome.not_run
    assert f"otterflow sees: data_dir {data_dir} {said}" in stderr
