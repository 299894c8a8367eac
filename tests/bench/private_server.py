"""What benches of whole loads share: a private PostgreSQL of their own, and jobs as a driver host runs them."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.errors import BenchmarkFailed
from otterflow.remote.script import JobScript
from stack.belongings import take_back
from stack.postgres import DATABASE, ROLE, PrivateCluster
from stack.users import server_user


@contextmanager
def private_cluster() -> Iterator[PrivateCluster]:
    """A running server that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="otterflow-bench-"))
    folder.chmod(0o755)  # the server's user has to pass
    cluster = PrivateCluster(folder / "pg", server_user())
    try:
        cluster.user.make_dir(folder / "pg", 0o755)
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder)
        take_back()


def access_to(cluster: PrivateCluster) -> DatabaseAccess:
    """How a job reaches the database `bench`."""
    pgpass = f"{cluster.host}:{cluster.port}:*:{ROLE}:{cluster.password}\n"
    return DatabaseAccess(cluster.host, cluster.port, ROLE, DATABASE, pgpass)


def restart(cluster: PrivateCluster, knobs: str) -> None:
    """The server anew, with these lines as its knobs file."""
    cluster.user.write_file(cluster.knobs_file, knobs)
    cluster.restart()


def run_job(job: JobScript) -> tuple[dict[str, str], str]:
    """A job as the driver host runs it: its results and its log. Raises BenchmarkFailed."""
    with tempfile.TemporaryDirectory(prefix="otterflow-bench-job-") as folder:
        for name, text in job.files.items():
            path = Path(folder) / name
            path.touch(0o600)
            assert isinstance(text, str)
            path.write_text(text)
        done = subprocess.run(
            ["bash", "-c", job.script], cwd=folder, capture_output=True, text=True, timeout=job.timeout_s, check=False
        )
        log = done.stdout + done.stderr
        if done.returncode != 0:
            raise BenchmarkFailed(f"a job ended with exit code {done.returncode}:\n{log[-2000:]}")
        found = [Path(folder) / name for name in job.results]
        return {path.name: path.read_text() for path in found if path.exists()}, log
