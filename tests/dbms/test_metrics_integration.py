from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest

from otterflow.dbms.postgresql.metrics import MetricSnapshot, snapshot, window
from otterflow.dbms.values import MetricWindow
from stack.host import DatabaseHost
from tests.dbms.conftest import Query

pytestmark = pytest.mark.integration


@pytest.fixture
def data(query: Query, connect: Callable[[], Query]) -> Iterator[Query]:
    query('DROP SCHEMA IF EXISTS "my ""schema" CASCADE')
    query('CREATE SCHEMA "my ""schema"')
    query('CREATE TABLE "my ""schema".t AS SELECT a, md5(a::text) b FROM generate_series(1, 10000) a')
    query('CREATE INDEX "my index" ON "my ""schema".t (a)')
    query("SELECT pg_stat_force_next_flush()")
    yield query
    connect()('DROP SCHEMA "my ""schema" CASCADE')


def worked(query: Query, connect: Callable[[], Query], work: Callable[[Query], object]) -> MetricWindow:
    """The window around some work, done by a session that is over before the second snapshot."""
    before = snapshot(query)
    session = connect()
    work(session)
    session("SELECT pg_stat_force_next_flush()")
    time.sleep(0.2)
    return window(before, MetricSnapshot.from_dict(json.loads(json.dumps(snapshot(query).as_dict()))))


def test_the_window_counts_what_was_done_in_it(data: Query, connect: Callable[[], Query]) -> None:
    def work(session: Query) -> None:
        for _ in range(5):
            session('SELECT count(b) FROM "my ""schema".t')
        session('UPDATE "my ""schema".t SET b = b WHERE a <= 100')

    found = worked(data, connect, work)
    per_window = {name: value * found.seconds for name, value in found.metrics.items()}
    assert per_window["pg_stat_user_tables.seq_tup_read"] >= 5 * 10_000
    assert per_window["pg_stat_user_tables.n_tup_upd"] == pytest.approx(100)
    assert per_window["pg_stat_database.xact_commit"] >= 6
    assert per_window["pg_stat_database_all.xact_commit"] >= per_window["pg_stat_database.xact_commit"]
    assert found.metrics["pg_stat_user_tables.n_live_tup"] >= 10_000
    assert found.metrics["pg_database.size_bytes"] > 1_000_000
    assert per_window["pg_wal.lsn_bytes"] > 0
    assert found.metrics["pg_locks.granted"] > 0
    assert found.reset == []
    assert 'pg_stat_user_tables[my "schema.t]' in found.objects
    assert not [name for name in found.metrics if name.endswith(("relid", "datid", "stats_reset", "pid"))]


def test_statements_are_collected_where_the_extension_is(data: Query, connect: Callable[[], Query]) -> None:
    if not data("SELECT 1 AS x FROM pg_extension WHERE extname = 'pg_stat_statements'"):
        data("CREATE EXTENSION pg_stat_statements")
    data("SELECT pg_stat_statements_reset()")  # of the busiest alone there are texts, and other tests were busy here
    found = worked(data, connect, lambda session: session("SELECT 'a mark', sum(a) FROM generate_series(1, 300000) a"))
    texts = [text for text in found.queries.values() if "generate_series" in text]
    assert len(texts) == 1
    assert found.metrics["pg_stat_statements.calls"] > 0
    assert found.metrics["pg_stat_statements.total_exec_time"] > 0


@pytest.mark.parametrize(
    ("reset", "named"),
    [
        ("SELECT pg_stat_reset_shared('bgwriter')", {"pg_stat_bgwriter"}),
        ("SELECT pg_stat_reset_shared('wal')", {"pg_stat_wal"}),
        ("SELECT pg_stat_reset()", {"pg_stat_database", "pg_stat_database_all"}),
        ("SELECT pg_stat_statements_reset()", {"pg_stat_statements_info"}),
    ],
)
def test_a_reset_within_the_window_is_noticed(
    data: Query, connect: Callable[[], Query], reset: str, named: set[str]
) -> None:
    found = worked(data, connect, lambda session: session(reset))
    assert named <= set(found.reset)
    assert all(value >= 0 for value in found.metrics.values())
    for name in named:
        assert f"{name}.xact_commit" not in found.metrics


def test_a_restart_within_the_window_is_noticed(
    clean_host: DatabaseHost, query: Query, connect: Callable[[], Query]
) -> None:
    before = snapshot(query)
    clean_host.cluster.restart()
    assert "server" in window(before, snapshot(connect())).reset
