"""An exported file and exported SQL on a real PostgreSQL: in force, and taken back."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

import psycopg
import pytest

from otterflow.dbms.postgresql import export
from otterflow.dbms.postgresql.settings import read_back
from otterflow.knobs.space import Value
from stack.host import DatabaseHost
from tests.dbms.bundles import HOSTILE, order_of
from tests.dbms.conftest import Query, live_settings

pytestmark = pytest.mark.integration

CONFIG: dict[str, Value] = {
    "shared_buffers": 12288,
    "work_mem": 5000,
    "random_page_cost": 1.1,
    "jit": False,
    "wal_compression": "pglz",
    "autovacuum_work_mem": 65536,
    "deadlock_timeout": 1500,
}


def psql(host: DatabaseHost, text: str) -> None:
    """Run a script as its head says."""
    told = psycopg.conninfo.conninfo_to_dict(host.cluster.dsn("postgres"))
    names = {"host": "PGHOST", "port": "PGPORT", "dbname": "PGDATABASE", "user": "PGUSER", "password": "PGPASSWORD"}
    environment = {variable: str(told[name]) for name, variable in names.items()}
    done = subprocess.run(
        ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-"],
        env={**os.environ, **environment}, input=text, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_file_puts_all_of_it_in_force(clean_host: DatabaseHost, query: Query, connect: Callable[[], Query]) -> None:
    bundle = export.bundle(order_of(live_settings(query), CONFIG, clean_host.cluster.major, because=HOSTILE))
    knobs_file = clean_host.cluster.knobs_file
    clean_host.user.write_file(knobs_file, bundle.files["knobs.conf"])
    clean_host.cluster.restart()
    assert read_back(CONFIG, live_settings(connect()), str(knobs_file)) == []


def test_the_sql_puts_all_of_it_in_force_and_takes_it_back(
    clean_host: DatabaseHost, query: Query, connect: Callable[[], Query]
) -> None:
    psql(clean_host, "ALTER SYSTEM SET deadlock_timeout = '1200ms'; SELECT pg_reload_conf();")
    clean_host.cluster.restart()
    before = live_settings(connect())
    assert before["deadlock_timeout"].value == 1200
    bundle = export.bundle(order_of(before, CONFIG, clean_host.cluster.major, because=HOSTILE))

    psql(clean_host, bundle.files["alter_system.sql"])
    clean_host.cluster.restart()
    assert read_back(CONFIG, live_settings(connect()), "") == []

    psql(clean_host, bundle.files["alter_system_undo.sql"])
    clean_host.cluster.restart()
    after = live_settings(connect())
    assert {name: after[name].value for name in CONFIG} == {name: before[name].value for name in CONFIG}
    kept = (clean_host.cluster.data_dir / "postgresql.auto.conf").read_text()
    assert [line for line in kept.splitlines() if "=" in line] == ["deadlock_timeout = '1200ms'"]
