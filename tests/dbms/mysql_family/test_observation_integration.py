"""A server with users observed for real, with times and without, on MariaDB and MySQL 9: hand-counted statements."""

from __future__ import annotations

import re
import shlex
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otterflow.dbms.mysql_family.access import DatabaseAccess
from otterflow.dbms.mysql_family.observation_output import NOT_COUNTED
from otterflow.dbms.mysql_family.observation_sql import AFTER
from otterflow.dbms.registry import dbms_named
from otterflow.workloads.definition import RunPlan
from otterflow.workloads.live.settings import LiveSettings
from otterflow.workloads.live.workload import LiveWorkload
from stack.mariadb import USER, PrivateMariadb
from tests.dbms.mysql_family.servers import THIS_MACHINES, Server, running
from tests.waiting import wait_until

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
    """Watch for two seconds or more, in which somebody else runs four statements in one database and one in another."""
    settings = LiveSettings(driver="live", scope=scope, least_transactions=1)
    workload = LiveWorkload(settings, dbms_named(server.dbms.product.name).observation, run_timeout_s=60)
    access, bin_dir = access_to(server)
    job = workload.run(access, RunPlan(duration_s=2), bin_dir or None)
    before = folder / job.results[0]
    for name, text in job.files.items():
        path = folder / name
        path.touch(0o600)
        assert isinstance(text, str)
        path.write_text(text)
    if not counted:
        (folder / "counted.sql").write_text("SELECT 0;\n")

    def users() -> None:
        wait_until(lambda: before.exists() and before.read_text(), 40)
        with server.private.connect() as connection, connection.cursor() as cursor:
            cursor.execute("USE bench")
            for statement in (f"DO SLEEP({PAUSE_S})", "SELECT 1 AS of_users", "SELECT 2 AS of_users", "SELECT nothing"):
                try:
                    cursor.execute(statement)
                except Exception as error:
                    assert "Unknown column" in str(error)  # noqa: PT017 one of them fails on purpose
            cursor.execute("USE others")
            cursor.execute("SELECT 'elsewhere' AS of_users")

    def until_ended() -> None:
        try:
            users()
        finally:
            (folder / "users.ended").touch()

    load = threading.Thread(target=until_ended)
    load.start()
    wait = "until test -e users.ended; do sleep 0.1; done"
    script = job.script.replace(f'cat "{AFTER}_', f'{wait}; cat "{AFTER}_')
    assert wait in script
    command = ["bash", "-c", f"cd {shlex.quote(str(folder))}\n{script}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    load.join()
    assert done.returncode == 0, done.stderr
    return workload, {name: (folder / name).read_text() for name in job.results}, done.stdout


@pytest.mark.parametrize("scope", ["database", "server"])
def test_statements_are_counted_with_their_times(server: Server, scope: str, tmp_path: Path) -> None:
    workload, results, said = observe(server, scope, tmp_path, counted=True)
    assert [line for line in map(workload.progress, said.splitlines()) if line], said
    result = workload.parse(results, said)
    assert 1.5 <= result.seconds
    of_one = scope == "database" and server.dbms.product.name == "mysql"
    least = 4 if of_one else 5
    assert least <= result.transactions <= least + 6, results  # USE, and what the client library asks
    assert result.errors == 1
    of_all_ms = result.latency_ms["mean"] * result.transactions
    assert 950 * PAUSE_S < of_all_ms < 1000 * result.seconds, "one session of users, which sleeps once"


def test_without_the_performance_schema_all_statements_are_counted(server: Server, tmp_path: Path) -> None:
    workload, results, said = observe(server, "database", tmp_path, counted=False)
    result = workload.parse(results, said)
    assert 5 <= result.transactions <= 12, results
    assert result.absent == {"latency_mean": NOT_COUNTED}


def rates(told: Path) -> list[float]:
    """Statements a second, of each second that sysbench has told of."""
    return [float(rate) for rate in re.findall(r"^\[ \d+s ].* qps: ([\d.]+) ", told.read_text(), re.MULTILINE)]


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
    told = tmp_path / "told"
    with told.open("w") as file:
        without_end = ["--events=0", "--time=0", "--report-interval=1", f"--db-ps-mode={prepared}", "run"]
        load = subprocess.Popen(["stdbuf", "-oL", *base, *without_end], cwd=tmp_path, stdout=file)
        try:
            wait_until(lambda: rates(told), 60)
            workload, results, said = observe(server, "database", tmp_path, counted=True)
            seen = len(rates(told))
            wait_until(lambda: len(rates(told)) > seen, 60)  # of the second in which the window ended, too
        finally:
            load.kill()
            load.wait()
    result = workload.parse(results, said)
    assert result.throughput is not None
    of_seconds = rates(told)  # on a busy machine single seconds differ by several times
    assert 0.7 * min(of_seconds) < result.throughput < 1.3 * max(of_seconds), of_seconds
    assert result.latency_ms["mean"] > 0
