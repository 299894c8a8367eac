"""Fixtures for workloads: real outputs, a database of their own on the private server, and a runner for job scripts."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.remote.script import JobScript
from stack.host import DatabaseHost

OUTPUTS = Path(__file__).parent / "outputs"


@pytest.fixture
def output() -> Callable[[str], str]:
    """The text of a captured output by its file name."""
    return lambda name: (OUTPUTS / name).read_text()


@dataclass(frozen=True)
class Ran:
    """How a job script ended."""

    exit_code: int
    log: str
    results: dict[str, str]
    left: set[str]


@pytest.fixture
def run_job(tmp_path: Path) -> Callable[[JobScript], Ran]:
    """Runs a job script with bash in a folder of its own, as the driver host would, in an empty environment."""

    def run(job: JobScript) -> Ran:
        folder = tmp_path / f"job-{uuid.uuid4().hex[:8]}"
        folder.mkdir()
        for name, text in job.files.items():
            assert isinstance(text, str)
            (folder / name).write_text(text)
            (folder / name).chmod(0o600)
        done = subprocess.run(
            ["bash", "-c", job.script],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=job.timeout_s,
            check=False,
        )
        results = {name: (folder / name).read_text() for name in job.results if (folder / name).exists()}
        return Ran(done.returncode, done.stdout + done.stderr, results, {path.name for path in folder.iterdir()})

    return run


@pytest.fixture(scope="module")
def database(db_host: DatabaseHost) -> Iterator[DatabaseAccess]:
    """An empty database on the private server, reached over TCP with a password; dropped afterwards."""
    cluster = db_host.cluster
    name = f"workloads_{uuid.uuid4().hex[:8]}"
    with cluster.connect("postgres") as connection:
        connection.execute(f"CREATE DATABASE {name}")
    pgpass = f"{cluster.host}:{cluster.port}:*:otterflow:{cluster.password}\n"
    yield DatabaseAccess(cluster.host, cluster.port, "otterflow", name, pgpass)
    with cluster.connect("postgres") as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def bin_dir(db_host: DatabaseHost) -> str:
    """Where the client programs are."""
    return str(db_host.cluster.bin_dir)
