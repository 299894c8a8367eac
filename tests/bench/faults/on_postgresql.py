"""PostgreSQL under the faults: its data are kept as a dump, and a database of the user's own lies beside them."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import psycopg

from stack.host import DatabaseHost
from stack.postgres import ROLE, PrivateCluster
from tests.bench.faults.system import ACCOUNTS, QUIET, Death, System
from tests.operators.test_experiment_in_process import as_shown, in_force_on


class Postgresql(System[DatabaseHost]):
    """A private cluster; overridden by ALTER SYSTEM."""

    name = "postgresql"
    bad_knobs: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "8 TiB of shared memory": {"shared_buffers": 2**30 - 1},
        "an enum value that does not exist": {"wal_compression": "bogus"},
        "a number below the server's least": {"shared_buffers": 1},
        "a number where a word belongs": {"wal_compression": 7},
    }
    bad_line = "work_mem = many"
    tuned_line = "work_mem = '77MB'"
    deaths = (
        Death("SIGKILLed", signal.SIGKILL, ("crashed",)),
        Death("stopped at once (SIGQUIT)", signal.SIGQUIT, ("crashed",)),
        Death("shut down by an administrator (SIGINT)", signal.SIGINT),
    )
    recovers_by_itself = False
    session_ended = "a backend is SIGKILLed (out of memory)", frozenset({"crashed", "failed"})
    quiet_workload: ClassVar[Mapping[str, Any]] = {
        "driver": "pgbench_scripts", "sql": QUIET, "scale": 1, "bytes_per_scale": 100_000, "scripts": {"pay": 1},
        "clients": 2, "threads": 1, "pause_ms": 20,
    }  # fmt: skip
    quiet_files: ClassVar[Mapping[str, str]] = {
        "load/10_accounts.sql": (
            f"CREATE TABLE accounts AS SELECT n AS id, 0 AS balance FROM generate_series(1, {ACCOUNTS}) n;\n"
        ),
        "scripts/pay.sql": (
            f"\\set id random(1, {ACCOUNTS})\nUPDATE accounts SET balance = balance + 1 WHERE id = :id;\n"
        ),
    }

    def make_host(self, folder: Path) -> DatabaseHost:
        return DatabaseHost(folder)

    def server(self, host: DatabaseHost) -> PrivateCluster:
        return host.cluster

    def keep_something(self, host: DatabaseHost) -> None:
        execute(host, "CREATE DATABASE keepsake")
        execute(host, "CREATE TABLE letters AS SELECT n, md5(n::text) FROM generate_series(1, 1000) AS n", "keepsake")

    def check_what_is_kept(self, host: DatabaseHost) -> None:
        with contextlib.closing(psycopg.connect(host.cluster.dsn("keepsake"))) as connection:
            assert connection.execute("SELECT count(*), max(n) FROM letters").fetchone() == (1000, 1000)

    def clean(self, host: DatabaseHost) -> None:
        host.user.write_file(host.cluster.data_dir / "postgresql.auto.conf", "")

    def make_database_anew(self, host: DatabaseHost) -> None:
        execute(host, "DROP DATABASE IF EXISTS bench")
        execute(host, "CREATE DATABASE bench")

    def main_file(self, host: DatabaseHost) -> Path:
        return host.cluster.data_dir / "postgresql.conf"

    def in_force(self, host: DatabaseHost) -> dict[str, str]:
        return in_force_on(host)

    def as_shown(self, value: Any) -> str:
        return as_shown(value)

    def accounts(self, host: DatabaseHost) -> int:
        count: int = one(host, "SELECT count(*) FROM accounts", "bench")
        return count

    def rename_accounts(self, host: DatabaseHost) -> None:
        execute(host, "ALTER TABLE accounts RENAME TO gone", "bench")

    def is_measured(self, host: DatabaseHost) -> bool:
        found = one(
            host,
            "SELECT count(*) FROM pg_stat_activity WHERE datname = 'bench' AND application_name LIKE 'pgbench%'"
            " OR (datname = 'bench' AND application_name = 'otterflow' AND backend_type = 'client backend')",
        )
        return found >= 2 and host.cluster.pid is not None

    def is_being_restored(self, host: DatabaseHost) -> bool:
        return bool(one(host, r"SELECT count(*) FROM pg_database WHERE datname LIKE 'bench\_%'") > 0)

    def end_a_session(self, host: DatabaseHost) -> None:
        """What the kernel does when memory runs out: one backend gets SIGKILL, and the server restarts itself."""
        found = one(host, "SELECT max(pid) FROM pg_stat_activity WHERE datname = 'bench'")
        assert found, "no backend is at work"
        os.kill(found, signal.SIGKILL)

    def override(self, host: DatabaseHost) -> None:
        execute(host, "ALTER SYSTEM SET work_mem = '1234kB'")

    def override_now(self, host: DatabaseHost) -> None:
        self.override(host)
        execute(host, "SELECT pg_reload_conf()")

    def take_back(self, host: DatabaseHost) -> None:
        execute(host, "ALTER SYSTEM RESET work_mem")

    def set_password(self, host: DatabaseHost, password: str) -> None:
        """Over the socket, which trusts."""
        cluster = host.cluster
        dsn = psycopg.conninfo.make_conninfo(
            host=str(cluster.socket_dir), port=cluster.port, dbname="postgres", user=ROLE
        )
        with psycopg.connect(dsn, autocommit=True) as connection:
            words = psycopg.sql.Identifier(ROLE), psycopg.sql.Literal(password)
            connection.execute(psycopg.sql.SQL("ALTER ROLE {} PASSWORD {}").format(*words))

    def files_to_damage(self, host: DatabaseHost) -> list[Path]:
        return list(host.snapshot_dir.rglob("toc.dat"))


def execute(host: DatabaseHost, statement: str, database: str = "postgres") -> None:
    """Run a statement as an administrator would."""
    with host.cluster.connect(database) as connection:
        connection.execute(statement)


def one(host: DatabaseHost, statement: str, database: str = "postgres") -> Any:
    """The one value that a statement gives."""
    with host.cluster.connect(database) as connection:
        row = connection.execute(statement).fetchone()
    assert row is not None, statement
    return row[0]
