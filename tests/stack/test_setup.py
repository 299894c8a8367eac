"""setup.sh and Debian's policy-rc.d: no service is started meanwhile, and the machine is as it was afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from stack.checkout import PROJECT
from tests.waiting import wait_until

THEIRS = "#!/bin/sh\nexit 104\n"


def setup(policy: Path, command: str) -> subprocess.Popen[str]:
    """Runs a command of setup.sh that needs no root, with `policy` in the place of /usr/sbin/policy-rc.d."""
    script = f'source stack/setup.sh; as_root() {{ "$@"; }}; POLICY={policy}; {command}'
    return subprocess.Popen(
        ["bash", "-c", script], cwd=PROJECT, text=True, stdout=subprocess.PIPE, start_new_session=True
    )


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    return tmp_path / "policy-rc.d"


@pytest.mark.parametrize("exit_code", [0, 100])
def test_services_are_refused_while_packages_are_installed_and_not_afterwards(policy: Path, exit_code: int) -> None:
    running = setup(policy, f"install() {{ $POLICY || echo $?; return {exit_code}; }}; without_services install")
    assert running.communicate()[0] == "101\n"
    assert running.returncode == exit_code
    assert not policy.exists()


def test_somebody_elses_policy_is_kept(policy: Path) -> None:
    policy.write_text(THEIRS)
    running = setup(policy, "without_services cat $POLICY; remove_left_policy")
    assert running.communicate()[0] == THEIRS
    assert policy.read_text() == THEIRS


def test_an_interrupted_setup_leaves_no_policy(policy: Path) -> None:
    running = setup(policy, "without_services sleep 60")
    wait_until(policy.exists)
    os.killpg(running.pid, signal.SIGTERM)
    running.communicate()
    assert not policy.exists()


def test_what_a_killed_setup_has_left_is_removed_by_the_next(policy: Path) -> None:
    running = setup(policy, "without_services sleep 60")
    wait_until(lambda: policy.exists() and os.access(policy, os.X_OK))
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    assert policy.exists()
    assert setup(policy, "remove_left_policy").wait() == 0
    assert not policy.exists()


@pytest.mark.slow
def test_the_first_of_two_to_end_takes_no_policy_from_the_other(policy: Path, tmp_path: Path) -> None:
    first = setup(policy, f"without_services bash -c 'while [[ ! -e {tmp_path}/go ]]; do sleep 0.05; done'")
    wait_until(policy.exists)
    second = setup(policy, "without_services cat $POLICY")
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(timeout=0.5)
    (tmp_path / "go").touch()
    assert first.wait() == 0
    assert "exit 101" in second.communicate()[0]
    assert second.returncode == 0
    assert not policy.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "dbms", "wanted"),
    [("dev", "", True), ("run", "mariadb", True), ("run", "postgresql", False), ("run", "", False)],
)
def test_mariadb_is_asked_for_by_tests_and_by_its_demo_alone(policy: Path, kind: str, dbms: str, wanted: bool) -> None:
    running = setup(policy, f"has_mariadb() {{ false; }}; DBMS={dbms} missing_packages {kind}")
    assert ("mariadb-server" in running.communicate()[0].split()) == wanted


@pytest.mark.slow
def test_a_mariadb_that_is_there_is_not_installed(policy: Path) -> None:
    running = setup(policy, "has_mariadb() { true; }; DBMS=mariadb missing_packages dev")
    assert "mariadb-server" not in running.communicate()[0].split()
