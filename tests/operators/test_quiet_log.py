"""A role with the privileges that the guide asks for leaves no errors in a company's server log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from otterflow.operators.connections import open_repository
from stack.host import SQL_CONN_ID, DatabaseHost
from tests.operators.conftest import change_connection
from tests.operators.harness import SUCCESS, Dags
from tests.operators.test_experiment_in_process import explain

pytestmark = pytest.mark.integration

LOUD = ("permission denied", "must be ", "WARNING:", "only superuser", "only roles with")


@pytest.fixture
def tuner(lab: DatabaseHost, monkeypatch: pytest.MonkeyPatch) -> Iterator[DatabaseHost]:
    """The host, tuned by a role that has what docs/your_server.md grants and no more."""
    with lab.cluster.connect("postgres") as connection:
        connection.execute("CREATE ROLE tuner LOGIN CREATEDB PASSWORD 'seen'")
        connection.execute("GRANT pg_monitor, pg_signal_backend TO tuner")
        connection.execute("DROP DATABASE bench")
        connection.execute("CREATE DATABASE bench OWNER tuner TEMPLATE template0")
    change_connection(monkeypatch, SQL_CONN_ID, login="tuner", password="seen")
    yield lab
    with lab.cluster.connect("postgres") as connection:
        connection.execute("DROP DATABASE IF EXISTS bench")
        connection.execute("DROP OWNED BY tuner")
        connection.execute("DROP ROLE tuner")
        connection.execute("CREATE DATABASE bench")


def test_an_experiment_with_restores_leaves_no_permission_errors_in_the_servers_log(
    tuner: DatabaseHost, dags: Dags, params: dict[str, Any]
) -> None:
    log = tuner.cluster.log_file
    begun = log.stat().st_size
    form = {**params, "benchmark": "pgbench_tpcb", "iterations": 2, "restore_every": 1, "warmup_s": 0, "duration_s": 1}
    runs = dags.follow("tuning_experiment", form)
    assert all(r.state == SUCCESS for r in runs), explain(runs)
    assert runs[2].states["restore"] == SUCCESS
    assert [t.state for t in open_repository().trials("in-process")] == ["ok", "ok"]
    with log.open() as file:
        file.seek(begun)
        loud = [line for line in file if any(word in line for word in LOUD)]
    assert not loud, loud
