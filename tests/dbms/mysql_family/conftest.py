"""A private MariaDB for the whole test run, and target files that are checked and not used."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from otterflow.dbms.mariadb.target import MariadbTarget
from otterflow.dbms.mysql.target import MysqlTarget
from otterflow.dbms.mysql_family.database import beside, drop_sql
from otterflow.dbms.target import Target
from otterflow.remote.session import Completed, Session
from stack.mariadb import DATABASE, PrivateMariadb
from stack.mariadb_host import MariadbHost
from tests.remote.conftest import client_of

Query = Callable[..., list[dict[str, Any]]]

RECORD: dict[str, Any] = {
    "name": "staging",
    "dbms": "mariadb",
    "ssh_conn_id": "ssh",
    "sql_conn_id": "sql",
    "service": {"kind": "own_server", "config_file": "/srv/it's; here/my.cnf"},
    "bin_dir": "/usr/sbin",
    "data_dir": "/srv/it's; here/data",
    "log_file": "/srv/my log/*.err",
    "knobs_file": "/srv/conf/conf.d/zz-otterflow.cnf",
    "database": "bench",
    "snapshot": {"dir": "/srv/snap shots", "method": "copy"},
}

SERVICES: dict[str, dict[str, Any]] = {
    "own_server": {"kind": "own_server", "config_file": "/srv/it's; here/my.cnf"},
    "systemd": {"kind": "systemd", "unit": "mariadb"},
    "command": {"kind": "command", "start": "echo 'up' > /tmp/x; true", "stop": "true"},
}


def target_of(**changes: Any) -> Target:
    record = RECORD | changes
    return (MysqlTarget if record["dbms"] == "mysql" else MariadbTarget).model_validate(record)


@pytest.fixture(scope="session")
def mariadb_host() -> Iterator[MariadbHost]:
    """A running MariaDB behind a running sshd, one for the whole test run. Leave it as you found it."""
    folder = Path(tempfile.mkdtemp(prefix="otterflow-mariadb-"))
    folder.chmod(0o755)  # the server's user has to pass
    host = MariadbHost(folder)
    try:
        host.start()
        yield host
    finally:
        host.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def private_mariadb(mariadb_host: MariadbHost) -> PrivateMariadb:
    """Its server. `mariadb` puts it back after a test."""
    return mariadb_host.mariadb


@pytest.fixture
def mariadb(private_mariadb: PrivateMariadb) -> Iterator[PrivateMariadb]:
    """The server up and with no knobs file; afterwards it is put back so, whatever the test did to it."""
    _put_back(private_mariadb)
    yield private_mariadb
    _put_back(private_mariadb)


def _put_back(server: PrivateMariadb) -> None:
    if server.knobs_file.exists():
        server.knobs_file.unlink()
        server.stop()
    server.start()


def nothing_kept(host: MariadbHost) -> None:
    """Whatever a test before has loaded and kept is gone: the benchmark's database is new, and there is no snapshot."""
    host.mariadb.sql("".join(f"{drop_sql(name)};\n" for name in (DATABASE, *beside(DATABASE))))
    host.mariadb.sql(f"CREATE DATABASE {DATABASE};")
    shutil.rmtree(host.snapshot_dir, ignore_errors=True)
    host.user.make_dir(host.snapshot_dir)


@pytest.fixture
def query(mariadb: PrivateMariadb) -> Iterator[Query]:
    """SQL in the benchmark's database, as the tuning user."""
    with mariadb.connect() as connection, connection.cursor() as cursor:

        def ask(sql: str, parameters: Any = None) -> list[dict[str, Any]]:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall()) if cursor.description else []

        yield ask


@pytest.fixture
def clean_host(mariadb_host: MariadbHost, mariadb: PrivateMariadb) -> Iterator[MariadbHost]:
    """The host with its server as `mariadb` gives it, and with no lock on it."""
    mariadb_host.break_lock()
    yield mariadb_host
    mariadb_host.break_lock()


@pytest.fixture
def target(clean_host: MariadbHost) -> Target:
    record = yaml.safe_load((clean_host.targets_dir / "private.yaml").read_text())
    return MariadbTarget.model_validate(record)


@pytest.fixture
def session(clean_host: MariadbHost) -> Iterator[Session]:
    with Session(lambda: client_of(clean_host.sshd)) as opened:
        yield opened


@pytest.fixture
def run(session: Session) -> Callable[[str], Completed]:
    """Runs a command on the host, whatever its exit code."""
    return lambda command: session.run(command, what="a test", timeout_s=120, check=False)
