"""A Debian cluster driven with pg_ctlcluster, by an ordinary user and with its configuration in a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from otterflow.dbms.postgresql.service import (
    classify_start,
    restart_command,
    service_functions,
    start_command,
)
from otterflow.dbms.target import Target
from otterflow.dbms.values import StartOutcome
from stack.processes import free_port
from stack.programs import find_bin_dir
from stack.users import server_user
from tests.dbms.conftest import target_of
from tests.dbms.stopping import stop_command

pytestmark = pytest.mark.integration

Bash = Callable[[str], subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="otterflow-cluster-"))
    server_user().make_dir(folder)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def bash(root: Path) -> Bash:
    """Runs a command as the cluster's user, who sees the clusters of `root` alone."""
    environment = {"PG_CLUSTER_CONF_ROOT": str(root / "etc"), "PATH": "/usr/bin:/bin:/usr/sbin"}
    return lambda command: subprocess.run(
        server_user().command("bash", "-c", command, **environment), capture_output=True, text=True, cwd="/"
    )


@pytest.fixture(scope="module")
def cluster(root: Path, bash: Bash) -> Iterator[Target]:
    version = find_bin_dir().parent.name
    log_file, knobs_file = root / "server.log", root / "knobs.conf"
    made = bash(
        f"mkdir {root}/etc {root}/run && pg_createcluster {version} tuned -d {root}/data -l {log_file} -s {root}/run "
        f"-p {free_port()} && echo \"include_if_exists '{knobs_file}'\" >> {root}/etc/{version}/tuned/postgresql.conf"
    )
    assert made.returncode == 0, made.stderr
    target = target_of(
        service={"kind": "pg_ctlcluster", "version": version, "cluster": "tuned", "sudo": False},
        bin_dir=None, data_dir=str(root / "data"), log_file=str(log_file), knobs_file=str(knobs_file),
        work_dir=str(root / "work"),
    )  # fmt: skip
    yield target
    assert bash(stop_command(service_functions(target))).returncode == 0


def restart(bash: Bash, target: Target, knobs: str) -> tuple[StartOutcome, str]:
    server_user().write_file(Path(target.knobs_file), knobs)
    done = bash(restart_command(target))
    return classify_start(done.returncode, done.stderr), done.stderr


def test_stop_and_start_are_what_they_say_however_often(bash: Bash, cluster: Target) -> None:
    starts, stops = [start_command(cluster)] * 2, [stop_command(service_functions(cluster))] * 2
    for command in starts + stops:
        done = bash(command)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ("work_mem = banana\n", 'invalid value for parameter "work_mem"'),
        ("shared_buffers = 900GB\n", "could not map anonymous shared memory"),
        ("garbage here now\n", "invalid line 1 in"),
    ],
)
def test_a_refused_configuration(bash: Bash, cluster: Target, knobs: str, said: str) -> None:
    outcome, stderr = restart(bash, cluster, knobs)
    assert outcome is StartOutcome.refused
    assert said in stderr
    assert restart(bash, cluster, "work_mem = 5MB\n")[0] is StartOutcome.up


def test_a_killed_postmaster_does_not_stop_the_next_start(bash: Bash, cluster: Target) -> None:
    assert restart(bash, cluster, "")[0] is StartOutcome.up
    os.kill(int(Path(cluster.data_dir, "postmaster.pid").read_text().split("\n", 1)[0]), signal.SIGKILL)
    outcome, stderr = restart(bash, cluster, "")
    assert outcome is StartOutcome.up, stderr


def test_an_unknown_cluster_is_not_the_configurations_fault(bash: Bash, cluster: Target) -> None:
    service = cluster.service.model_copy(update={"cluster": "none"})
    assert restart(bash, cluster.model_copy(update={"service": service}), "")[0] is StartOutcome.not_run
