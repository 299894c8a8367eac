"""MariaDB under the faults: its data kept as a dump, with a database of the user's own beside them, and as a copy.

A copy is refused where the server holds anything else, so there the user's own is an account.
"""

from __future__ import annotations

import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from stack.mariadb import DATABASE, PrivateMariadb
from stack.mariadb_host import MariadbHost
from tests.bench.faults.system import ACCOUNTS, QUIET, Death, System

KNOB, OVERRIDING = "innodb_io_capacity", 777
LATER = "zzz-somebody.cnf"
"""An option file that is read after the knobs file."""
START_S, STOP_S = 5, 10
MEMORY_SHARE = 0.1
"""A small pool is there sooner."""


class Mariadb(System[MariadbHost]):
    """A server that the SSH user owns; overridden by a file that is read later, and by SET GLOBAL."""

    name = "mariadb"
    method = "dump"
    bad_knobs: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "8 TiB of buffer pool": {"innodb_buffer_pool_size": 2**43},
        "an enum value that does not exist": {"innodb_flush_method": "bogus"},
        "a pool smaller than the server's least": {"innodb_buffer_pool_size": 2 * 2**20},
        "a number where a word belongs": {"innodb_flush_method": 77},
    }
    bad_line = "no_such_option = 1"
    tuned_line = "sort_buffer_size = 77M"
    deaths = (
        Death("SIGKILLed", signal.SIGKILL, ("crashed",)),
        Death("ended by a fault of its own (SIGABRT)", signal.SIGABRT, ("crashed",)),
        Death("shut down by an administrator (SIGTERM)", signal.SIGTERM),
        Death("left hanging (SIGSTOP)", signal.SIGSTOP, ("crashed", "timed_out")),
    )
    recovers_by_itself = True
    session_ended = "a session is ended by KILL", frozenset({"failed"})
    quiet_workload: ClassVar[Mapping[str, Any]] = {
        "driver": "sysbench_scripts", "folder": QUIET, "scale": 1, "bytes_per_scale": 100_000, "scripts": {"pay": 1},
        "threads": 2, "load_parts": 1,
    }  # fmt: skip
    quiet_files: ClassVar[Mapping[str, str]] = {
        "load/10_accounts.sql": (
            "CREATE TABLE accounts (id int NOT NULL PRIMARY KEY, balance int NOT NULL) ENGINE = InnoDB;\n"
            "INSERT INTO accounts WITH RECURSIVE n AS (SELECT 1 AS id UNION ALL SELECT id + 1 FROM n WHERE id <"
            f" {ACCOUNTS}) SELECT id, 0 FROM n;\n"
        ),
        "scripts/pay.lua": (
            "return function(db, own)\n"
            '   db:run("UPDATE accounts SET balance = balance + 1 WHERE id = ?", sysbench.rand.uniform(1, '
            f"{ACCOUNTS}))\n"
            '   db:run("DO SLEEP(0.02)")\n'
            "end\n"
        ),
    }

    def make_host(self, folder: Path) -> MariadbHost:
        snapshot = {"dir": str(folder.resolve() / "snapshots"), "method": self.method}
        limits = {"start_timeout_s": START_S, "stop_timeout_s": STOP_S, "memory_share": MEMORY_SHARE}
        return MariadbHost(folder, fields={"snapshot": snapshot, **limits})

    def server(self, host: MariadbHost) -> PrivateMariadb:
        return host.mariadb

    def keep_something(self, host: MariadbHost) -> None:
        execute(host, "CREATE DATABASE keepsake")
        execute(host, "CREATE TABLE keepsake.letters (n int NOT NULL PRIMARY KEY, hash char(32)) ENGINE = InnoDB")
        execute(host, "INSERT INTO keepsake.letters SELECT seq, md5(seq) FROM keepsake.seq_1_to_1000")

    def check_what_is_kept(self, host: MariadbHost) -> None:
        (found,) = rows(host, "SELECT count(*) AS letters, max(n) AS newest FROM keepsake.letters")
        assert found == {"letters": 1000, "newest": 1000}

    def clean(self, host: MariadbHost) -> None:
        (host.mariadb.knobs_file.with_name(LATER)).unlink(missing_ok=True)
        data = host.mariadb.data_dir
        if not data.exists():
            Path(f"{data}.otterflow-old").rename(data)
        for aside in (f"{data}.otterflow-new", f"{data}.otterflow-old"):
            shutil.rmtree(aside, ignore_errors=True)

    def make_database_anew(self, host: MariadbHost) -> None:
        for name in (DATABASE, f"{DATABASE}_otterflow_new", f"{DATABASE}_otterflow_old"):
            execute(host, f"DROP DATABASE IF EXISTS {name}")
        execute(host, f"CREATE DATABASE {DATABASE}")

    def main_file(self, host: MariadbHost) -> Path:
        return host.mariadb.config_file

    def in_force(self, host: MariadbHost) -> dict[str, str]:
        found = rows(
            host, "SELECT LOWER(VARIABLE_NAME) AS name, GLOBAL_VALUE AS value FROM information_schema.SYSTEM_VARIABLES"
        )
        return {row["name"]: row["value"] for row in found}

    def as_shown(self, value: Any) -> str:
        if isinstance(value, bool):
            return "ON" if value else "OFF"
        return f"{value:.6f}" if isinstance(value, float) else str(value)

    def accounts(self, host: MariadbHost) -> int:
        return int(rows(host, f"SELECT count(*) AS n FROM {DATABASE}.accounts")[0]["n"])

    def rename_accounts(self, host: MariadbHost) -> None:
        execute(host, f"RENAME TABLE {DATABASE}.accounts TO {DATABASE}.gone")

    def is_measured(self, host: MariadbHost) -> bool:
        return len(self._at_work(host)) >= 2

    def is_being_restored(self, host: MariadbHost) -> bool:
        return (host.mariadb.data_dir / f"{DATABASE}_otterflow_new").exists()

    def end_a_session(self, host: MariadbHost) -> None:
        execute(host, f"KILL {self._at_work(host)[0]}")

    def override(self, host: MariadbHost) -> None:
        host.user.write_file(host.mariadb.knobs_file.with_name(LATER), f"[mysqld]\n{KNOB} = {OVERRIDING}\n", 0o644)

    def override_now(self, host: MariadbHost) -> None:
        execute(host, f"SET GLOBAL {KNOB} = {OVERRIDING}")

    def take_back(self, host: MariadbHost) -> None:
        host.mariadb.knobs_file.with_name(LATER).unlink(missing_ok=True)

    def set_password(self, host: MariadbHost, password: str) -> None:
        host.mariadb.sql(f"ALTER USER 'otterflow'@'%' IDENTIFIED BY '{password}'")

    def files_to_damage(self, host: MariadbHost) -> list[Path]:
        return list(host.snapshot_dir.rglob("*.sql.gz"))

    @staticmethod
    def _at_work(host: MariadbHost) -> list[int]:
        """The benchmark's sessions; those of otterflow's own run other statements."""
        found = rows(
            host,
            "SELECT ID AS id FROM information_schema.PROCESSLIST"
            f" WHERE DB = '{DATABASE}' AND (INFO LIKE 'UPDATE accounts%' OR INFO LIKE 'DO SLEEP%')",
        )
        return [int(row["id"]) for row in found]


class MariadbByCopy(Mariadb):
    """The same, with the data directory copied and put back as a whole."""

    name = "mariadb_copy"
    method = "copy"

    def keep_something(self, host: MariadbHost) -> None:
        execute(host, "CREATE USER keeper@localhost IDENTIFIED VIA unix_socket")

    def check_what_is_kept(self, host: MariadbHost) -> None:
        assert rows(host, "SELECT User FROM mysql.user WHERE User = 'keeper'"), "an account is gone"

    def is_being_restored(self, host: MariadbHost) -> bool:
        return Path(f"{host.mariadb.data_dir}.otterflow-new").exists()

    def files_to_damage(self, host: MariadbHost) -> list[Path]:
        return list(host.snapshot_dir.rglob("ibdata1"))


def execute(host: MariadbHost, statement: str) -> None:
    """Run a statement as an administrator would."""
    with host.mariadb.connect(None) as connection, connection.cursor() as cursor:
        cursor.execute(statement)


def rows(host: MariadbHost, statement: str) -> list[dict[str, Any]]:
    """What a statement gives."""
    with host.mariadb.connect(None) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())
