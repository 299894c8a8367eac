"""The server's own times of a replay, against a server with pg_stat_statements and one without."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.workloads.replay.replayer.postgresql.server_times import ABSENT, OFF
from stack.host import DatabaseHost
from tests.workloads.replay.harness import Replay, at, connect

pytestmark = pytest.mark.integration


@pytest.fixture
def extension(db_host: DatabaseHost, database: DatabaseAccess) -> Iterator[None]:
    """pg_stat_statements, in a schema that is on nobody's search path."""
    if not db_host.cluster.preloads_statements:
        pytest.skip("pg_stat_statements is not installed (Debian: postgresql-contrib)")
    with connect(database) as sql:
        sql.execute("DROP EXTENSION IF EXISTS pg_stat_statements")
        sql.execute("CREATE SCHEMA stat; CREATE EXTENSION pg_stat_statements SCHEMA stat")
        yield
        sql.execute("DROP EXTENSION pg_stat_statements; DROP SCHEMA stat")


def test_without_the_statistics_it_says_so(replayed: Replay, database: DatabaseAccess) -> None:
    with connect(database) as sql:
        sql.execute("DROP EXTENSION IF EXISTS pg_stat_statements")
    result = replayed(at("SELECT 1"))
    assert (result["server_times"]["read"], result["server_times"]["why_not"]) == (False, ABSENT)
    assert [each["server"] for each in result["classes"]] == [None]


@pytest.mark.usefixtures("extension")
def test_the_servers_own_times(database: DatabaseAccess, replayed: Replay) -> None:
    with connect(database) as sql:
        sql.execute("CREATE TABLE t (id int, name text)")
        sql.execute("SELECT 0 FROM pg_sleep(0.01)")
    result = replayed(
        [
            *at(*(f"SELECT {number} FROM pg_sleep(0.01)" for number in range(20)), session="a"),
            *at(*["SELECT name FROM t WHERE id = $1 OR name = 'x'"] * 50, session="b", parameters=("5",)),
            *at("SELECT 1 / 0", session="c"),
        ]
    )
    times = result["server_times"]
    assert (times["read"], times["classes"], times["evicted"], times["ambiguous"]) == (True, 2, 0, 0)
    slow, quick, failed = result["classes"]
    assert (slow["server"]["calls"], quick["server"]["calls"], failed["server"]) == (20, 50, None)
    assert 10 < slow["server"]["mean_ms"] < slow["latency_ms"]["mean"]
    assert 0 < quick["server"]["mean_ms"] < quick["latency_ms"]["mean"]


@pytest.mark.usefixtures("extension")
def test_where_nothing_is_counted_it_says_so(database: DatabaseAccess, replayed: Replay) -> None:
    with connect(database) as sql:
        sql.execute(f"ALTER DATABASE {database.database} SET pg_stat_statements.track = 'none'")
        result = replayed(at("SELECT 1"))
        sql.execute(f"ALTER DATABASE {database.database} RESET pg_stat_statements.track")
    assert result["server_times"]["why_not"] == OFF
