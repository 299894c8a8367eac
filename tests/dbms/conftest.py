from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.dbms.postgresql.rows import from_row
from otterflow.dbms.postgresql.settings import SETTINGS_SQL
from otterflow.dbms.postgresql.target import PostgresqlTarget
from otterflow.dbms.target import Target
from otterflow.knobs.setting import LiveSetting
from otterflow.remote.session import Completed, Session
from stack.host import DatabaseHost
from tests.captured_server import catalog, cluster, facts, live, live_values  # noqa: F401 fixtures
from tests.remote.conftest import client_of

Query = Callable[[str], list[dict[str, Any]]]

RECORD: dict[str, Any] = {
    "name": "staging",
    "ssh_conn_id": "ssh",
    "sql_conn_id": "sql",
    "service": {"kind": "pg_ctl"},
    "bin_dir": "/usr/lib/postgresql/15/bin",
    "data_dir": "/srv/it's; here/data",
    "log_file": "/srv/my log/*.log",
    "knobs_file": "/srv/conf/knobs.conf",
    "database": "bench",
    "snapshot": {"dir": "/srv/snap shots"},
}

SERVICES: dict[str, dict[str, Any]] = {
    "pg_ctl": {"kind": "pg_ctl"},
    "systemd": {"kind": "systemd", "unit": "postgresql@15-main"},
    "pg_ctlcluster": {"kind": "pg_ctlcluster", "version": "15", "cluster": "main"},
    "command": {"kind": "command", "start": "echo 'up' > /tmp/x; true", "stop": "true"},
}


def target_of(**changes: Any) -> Target:
    return PostgresqlTarget.model_validate(RECORD | changes)


def setting(name: str, value: str, **changes: Any) -> LiveSetting:
    """A setting as a server would report it: an integer from its knobs file unless told otherwise."""
    row: dict[str, Any] = {
        "name": name, "setting": value, "unit": None, "vartype": "integer", "min_val": "0", "max_val": "2147483647",
        "enumvals": None, "context": "user", "boot_val": "0", "reset_val": value, "source": "configuration file",
        "sourcefile": "/srv/conf/knobs.conf", "pending_restart": False, "category": "", "short_desc": "",
    }  # fmt: skip
    return from_row(row | changes)


def is_bash(script: str) -> bool:
    return subprocess.run(["bash", "-n", "-c", script], capture_output=True).returncode == 0


@pytest.fixture
def target(clean_host: DatabaseHost) -> Target:
    return clean_host.target


@pytest.fixture
def access(clean_host: DatabaseHost) -> DatabaseAccess:
    server = clean_host.cluster
    return DatabaseAccess.with_password(server.host, server.port, "otterflow", "bench", server.password)


@pytest.fixture
def session(clean_host: DatabaseHost) -> Iterator[Session]:
    with Session(lambda: client_of(clean_host.sshd)) as opened:
        yield opened


@pytest.fixture
def run(session: Session) -> Callable[[str], Completed]:
    """Runs a command on the host, whatever its exit code."""
    return lambda command: session.run(command, what="a test", timeout_s=120, check=False)


@pytest.fixture
def connect(clean_host: DatabaseHost) -> Iterator[Callable[[], Query]]:
    """Opens SQL in the benchmark's database, each time on a connection of its own."""
    opened: list[psycopg.Connection[dict[str, Any]]] = []

    def open_one() -> Query:
        connection = psycopg.connect(clean_host.cluster.dsn(), autocommit=True, row_factory=dict_row)
        opened.append(connection)

        def ask(sql: str) -> list[dict[str, Any]]:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

        return ask

    yield open_one
    for connection in opened:
        connection.close()


@pytest.fixture
def query(connect: Callable[[], Query]) -> Query:
    """SQL in the benchmark's database."""
    return connect()


def live_settings(query: Query) -> dict[str, LiveSetting]:
    return {row["name"]: from_row(row) for row in query(SETTINGS_SQL)}
