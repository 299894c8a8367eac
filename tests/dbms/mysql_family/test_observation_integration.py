"""A server with users observed for real, with times and without, on MariaDB and MySQL 9: hand-counted statements."""

from __future__ import annotations

import re
import shlex
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otterflow.dbms.mysql_family.access import DatabaseAccess
from otterflow.dbms.mysql_family.observation_output import NOT_COUNTED
from otterflow.dbms.registry import dbms_named
from otterflow.workloads.definition import RunPlan
from otterflow.workloads.live.settings import LiveSettings
from otterflow.workloads.live.workload import LiveWorkload
from stack.mariadb import USER, PrivateMariadb
from tests.dbms.mysql_family.servers import THIS_MACHINES, Server, running

pytestmark = pytest.mark.integration

PAUSE_S = 0.6


@pytest.fixture(scope="module", params=[THIS_MACHINES, "mysql-9"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with running(request.param) as found:
        found.private.knobs_file.parent.mkdir(exist_ok=True)
        found.private.user.write_file(found.private.knobs_file, "[mysqld]\nperformance_schema = ON\n", 0o644)
        found.private.restart()
        found.query("CREATE DATABASE IF NOT EXISTS bench")
        found.query("CREATE DATABASE IF NOT EXISTS others")
        yield found


def access_to(server: Server) -> tuple[DatabaseAccess, str]:
    private = server.private
    if isinstance(private, PrivateMariadb):
        client = server.dbms.product.client
        return DatabaseAccess(private.host, private.port, USER, "bench", private.password, {}, client), ""
    private.link_programs()
    return DatabaseAccess(str(private.socket), 3306, "root", "bench", "", {}, "mysql"), str(private.bin_dir)


def observe(server: Server, scope: Any, folder: Path, *, counted: bool) -> tuple[LiveWorkload, dict[str, str], str]:
    """Watch for two seconds, in which somebody else runs four statements in one database and one in another."""
    settings = LiveSettings(driver="live", scope=scope, least_transactions=1)
    workload = LiveWorkload(settings, dbms_named(server.dbms.product.name).observation, run_timeout_s=60)
    access, bin_dir = access_to(server)
    job = workload.run(access, RunPlan(duration_s=2), bin_dir or None)
    for name, text in job.files.items():
        path = folder / name
        path.touch(0o600)
        path.write_text(text)
    if not counted:
        (folder / "counted.sql").write_text("SELECT 0;\n")

    def users() -> None:
        time.sleep(PAUSE_S)
        with server.private.connect() as connection, connection.cursor() as cursor:
            cursor.execute("USE bench")
            for statement in (f"DO SLEEP({PAUSE_S})", "SELECT 1 AS of_users", "SELECT 2 AS of_users", "SELECT nothing"):
                try:
                    cursor.execute(statement)
                except Exception as error:
                    assert "Unknown column" in str(error)  # noqa: PT017 one of them fails on purpose
            cursor.execute("USE others")
            cursor.execute("SELECT 'elsewhere' AS of_users")

    load = threading.Thread(target=users)
    load.start()
    command = ["bash", "-c", f"cd {shlex.quote(str(folder))}\n{job.script}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    load.join()
    assert done.returncode == 0, done.stderr
    return workload, {name: (folder / name).read_text() for name in job.results}, done.stdout


@pytest.mark.parametrize("scope", ["database", "server"])
def test_statements_are_counted_with_their_times(server: Server, scope: str, tmp_path: Path) -> None:
    workload, results, said = observe(server, scope, tmp_path, counted=True)
    assert [line for line in map(workload.progress, said.splitlines()) if line], said
    result = workload.parse(results, said)
    assert 1.5 <= result.seconds < 10
    of_one = scope == "database" and server.dbms.product.name == "mysql"
    least = 4 if of_one else 5
    assert least <= result.transactions <= least + 6, results  # USE, and what the client library asks
    assert result.errors == 1
    assert result.latency_ms["mean"] * result.transactions == pytest.approx(1000 * PAUSE_S, rel=0.4)


def test_without_the_performance_schema_all_statements_are_counted(server: Server, tmp_path: Path) -> None:
    workload, results, said = observe(server, "database", tmp_path, counted=False)
    result = workload.parse(results, said)
    assert 5 <= result.transactions <= 12, results
    assert result.absent == {"latency_mean": NOT_COUNTED}


@pytest.mark.parametrize("prepared", ["auto", "disable"])
def test_a_load_of_sysbench_is_counted_whole_whether_it_prepares_or_not(
    server: Server, prepared: str, tmp_path: Path
) -> None:
    """Most drivers prepare by the protocol, and MariaDB's digests have none of that."""
    access, _ = access_to(server)
    at = ["--mysql-socket=" + access.host] if access.host.startswith("/") else [f"--mysql-port={access.port}"]
    secret = ["--config-file=password.cnf"] if access.password else []
    (tmp_path / "password.cnf").write_text(f"mysql-password={access.password}\n")
    base = [
        "sysbench", *secret, "oltp_read_write", "--db-driver=mysql", "--mysql-host=127.0.0.1", *at,
        f"--mysql-user={access.user}", "--mysql-db=bench", "--tables=1", "--table-size=1000", "--threads=1",
    ]  # fmt: skip
    for step in ("cleanup", "prepare"):
        subprocess.run([*base, step], cwd=tmp_path, check=True, capture_output=True)
    load = subprocess.Popen(
        [*base, f"--db-ps-mode={prepared}", "--events=0", "--time=6", "--report-interval=1", "run"],
        cwd=tmp_path, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    time.sleep(1)
    workload, results, said = observe(server, "database", tmp_path, counted=True)
    told, _ = load.communicate(timeout=60)
    result = workload.parse(results, said)
    rates = [float(rate) for rate in re.findall(r"^\[ \d+s ].* qps: ([\d.]+) ", told, re.MULTILINE)]
    assert len(rates) >= 4, told  # of single seconds: on a busy machine they differ by several times
    assert 0.7 * min(rates) < result.throughput < 1.3 * max(rates), told
    assert result.latency_ms["mean"] > 0
