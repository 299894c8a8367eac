"""Mixes against a real server: what is drawn, what it leaves in a session, and that it ends when its time is over."""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.dbms.statement import Statement
from tests.workloads.replay.harness import at, mix_of

pytestmark = pytest.mark.integration

Rows = Callable[[str], list[Any]]
Mixed = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def table(sql: psycopg.Connection[Any]) -> None:
    sql.execute("DROP TABLE IF EXISTS t; CREATE TABLE t (id int, name text)")


@pytest.fixture
def mixed(database: DatabaseAccess, tmp_path: Path) -> Mixed:
    """Runs a mix of statements for two seconds by four clients, unless told otherwise."""

    def run(statements: Iterable[Statement], **changes: Any) -> dict[str, Any]:
        settings = {"duration_s": 2.0, "clients": 4, "most_own_lateness_ms": 30_000.0, **changes}
        return mix_of(database, tmp_path, statements, **settings)

    return run


def _pairs(number: int, sessions: int = 3) -> list[Statement]:
    """Transactions that insert a pair of rows each, of one value."""
    statements = []
    for place in range(number):
        made = [
            Statement(f"s{place % sessions}", place / 100 + step / 1000, text, place, values, name, 1.0)
            for step, (text, values, name) in enumerate(
                [
                    ("BEGIN", None, None),
                    ("INSERT INTO t VALUES ($1, 'a')", (str(place),), "s1"),
                    ("INSERT INTO t VALUES ($1, 'b')", (str(place),), "s2"),
                    ("COMMIT", None, None),
                ]
            )
        ]
        statements += made
    return sorted(statements, key=lambda each: each.at_s)


@pytest.mark.parametrize("processes", [1, 2])
def test_whole_transactions_with_their_own_values(mixed: Mixed, rows: Rows, processes: int) -> None:
    result = mixed(_pairs(40), processes=processes)
    assert result["errors"] == {}
    assert result["ended_by_replayer"] == 0
    done = result["transactions"]
    assert done > 40
    assert result["sample"]["repeated"] == result["sample"]["draws"] - 40
    (counted,) = rows("SELECT count(*) FILTER (WHERE name = 'a'), count(*) FILTER (WHERE name = 'b') FROM t")
    assert counted[0] == counted[1]
    assert done <= counted[0] <= done + 4, "what was running as the time was over ended after it"
    uneven = (
        "SELECT 1 FROM t GROUP BY id HAVING count(*) FILTER (WHERE name = 'a') <> count(*) FILTER (WHERE name = 'b')"
    )
    assert rows(uneven) == []
    (spread,) = rows("SELECT min(n), max(n), count(*) FROM (SELECT count(*) n FROM t GROUP BY id) o")
    assert spread[2] == 40
    assert processes > 1 or spread[1] - spread[0] <= 4, "each process goes through its own half"
    assert result["transactions_per_s"] == pytest.approx(done / result["seconds"], rel=0.01)
    assert result["covers"]["share"] == result["covers"]["drawn_share"] == 1.0
    assert len(result["replayer"]["processes"]) == processes


def test_kinds_are_drawn_as_often_as_they_were_recorded(mixed: Mixed) -> None:
    statements = [
        Statement(
            "a", place / 100, f"SELECT {place} /* x */" if place % 10 else f"SELECT now(), {place}", duration_ms=1.0
        )
        for place in range(200)
    ]
    result = mixed(statements)
    often, seldom = sorted((each["calls"] for each in result["classes"]), reverse=True)
    assert abs(seldom - (often + seldom) / 10) <= 5, "evenly spaced, but for what the four clients had begun at the end"


def test_at_a_rate(mixed: Mixed) -> None:
    result = mixed(_pairs(500), rate=30.0, duration_s=5.0, processes=2)
    stood_still_s = (result["replayer"]["timer_lag_ms"]["max"] + result["latency_ms"]["max"]) / 1000
    assert 0.8 * 30 * (5 - stood_still_s) < result["transactions"] < 1.2 * 30 * 5
    assert result["driven"], result["not_driven"]


def test_who_waits_for_a_rate_that_is_too_high_waits(mixed: Mixed) -> None:
    sleeping = [Statement("a", place / 10, "SELECT pg_sleep(0.05)", duration_ms=50.0) for place in range(10)]
    result = mixed(sleeping, rate=200.0, clients=2)
    assert result["transaction_ms"]["p95"] > 500
    assert result["transaction_ms"]["p50"] > 2 * result["latency_ms"]["p50"], (
        "a transaction's time is from when it was due"
    )


def test_a_session_is_set_up_as_it_was_and_left_as_it_was_found(mixed: Mixed, rows: Rows) -> None:
    text = "INSERT INTO t VALUES ($1, current_setting('a.b', true))"

    def put(session: str, value: str) -> list[Statement]:
        return at(*[text] * 20, session=session, start_s=0.1, parameters=(value,), prepared="p", duration_ms=1.0)

    statements = [
        *at("SET a.b = 'one'", session="a", duration_ms=1.0),
        *at("SELECT set_config('a.b', $1, false)", session="b", parameters=("two",), duration_ms=1.0),
        *put("a", "1"), *put("b", "2"), *put("c", "3"),
    ]  # fmt: skip
    result = mixed(statements)
    assert result["errors"] == {}
    assert rows("SELECT DISTINCT id, coalesce(name, '') FROM t ORDER BY 1") == [(1, "one"), (2, "two"), (3, "")]
    assert result["statements"]["set_up"] > 0
    assert result["covers"]["settings"] == 2


def test_what_a_session_holds_is_made_again_and_again(mixed: Mixed) -> None:
    statements = [
        *at("CREATE TEMP TABLE own (n int)", "INSERT INTO own VALUES (1)", "SELECT * FROM own", session="a"),
        *at("PREPARE p AS SELECT 1", "EXECUTE p", "SELECT pg_advisory_lock(7)", session="b"),
        *at("BEGIN", "DECLARE c CURSOR WITH HOLD FOR SELECT generate_series(1, 100)", "FETCH 4 FROM c", "COMMIT",
            session="c", transaction=1),
        *at("FETCH 5 FROM c", session="c", start_s=1),
        *at("BEGIN", "CREATE TEMP TABLE own ON COMMIT DROP AS SELECT 1", "SELECT * FROM own", "COMMIT", session="d",
            transaction=1),
        *at("BEGIN", "DECLARE c CURSOR FOR SELECT 1", "FETCH ALL FROM c", "COMMIT", session="e", transaction=1),
        *at("CREATE TABLE once (a int)", session="f"),
    ]  # fmt: skip
    result = mixed([each._replace(duration_ms=1.0) for each in sorted(statements)])
    assert result["errors"] == {}
    assert result["sample"]["repeated"] > 0
    assert list(result["covers"]["left_out"]) == ["changes the schema, which can be done but once"]
    assert result["covers"]["share"] == pytest.approx(19 / 20)


def test_after_an_error_a_client_goes_on(mixed: Mixed, rows: Rows) -> None:
    result = mixed(
        at("BEGIN", "INSERT INTO t VALUES (1)", "SELECT 1 / 0", "INSERT INTO t VALUES (2)", "COMMIT", transaction=1)
        + at("INSERT INTO t VALUES (3)", start_s=1)
        + at("BEGIN", "INSERT INTO t VALUES (4)", start_s=2, transaction=2)
    )
    assert set(result["errors"]) == {"22012"}
    assert result["statements"]["skipped_after_an_error"] > 0
    assert result["ended_by_replayer"] > 0
    assert rows("SELECT DISTINCT id FROM t") == [(3,)]


def test_a_client_whose_connection_the_server_ends_comes_again(mixed: Mixed, sql: psycopg.Connection[Any]) -> None:
    sql.execute(
        "CREATE OR REPLACE FUNCTION die() RETURNS bool LANGUAGE sql AS 'SELECT pg_terminate_backend(pg_backend_pid())'"
    )
    statements = [Statement("a", place / 100, "SELECT die()" if place == 5 else "SELECT 1") for place in range(40)]
    result = mixed(statements, clients=2)
    assert set(result["errors"]) == {"57P01"}
    assert result["statements"]["done"] > 40


def test_it_ends_when_its_time_is_over(mixed: Mixed, rows: Rows) -> None:
    begun_s = time.perf_counter()
    result = mixed(at("SELECT pg_sleep(120)", "SELECT 1", duration_ms=1.0), duration_s=0.5)
    assert time.perf_counter() - begun_s < 60
    assert result["statements"]["unfinished"] > 0
    assert result["errors"] == {}
    assert result["seconds"] == 0.5
    assert (
        rows("SELECT 1 FROM pg_stat_activity WHERE application_name = 'otterflow replay' AND query LIKE '%sleep%'")
        == []
    )


def test_locks_that_are_fought_for(mixed: Mixed, sql: psycopg.Connection[Any], rows: Rows) -> None:
    sql.execute("INSERT INTO t VALUES (1, ''), (2, '')")
    chance = random.Random(3)
    statements = at("SET deadlock_timeout = '10ms'", session="a")
    for number in range(100):
        first, second = chance.sample((1, 2), 2)
        statements += at(
            "BEGIN", f"UPDATE t SET name = name || 'x' WHERE id = {first}",
            f"UPDATE t SET name = name || 'x' WHERE id = {second}", "COMMIT", start_s=number + 1,
            transaction=number + 1,
        )  # fmt: skip
    result = mixed(statements, clients=8, duration_s=2.0, lock_timeout_ms=1000)
    assert set(result["errors"]) <= {"40P01", "55P03"}
    assert result["transactions"] > 0
    lengths = {length for (length,) in rows("SELECT length(name) FROM t")}
    assert len(lengths) == 1


def test_awkward_statements(mixed: Mixed) -> None:
    statements = [
        Statement("a", 0.0, f"SELECT length('{'x' * 10_000_000}')", duration_ms=10.0),
        Statement("a", 1.0, "SELECT 'é', E'\\\\x'", duration_ms=1.0),
        Statement("b", 2.0, "SELECT $1::text", parameters=("\udce9",), duration_ms=1.0),
        Statement("b", 3.0, "SELECT $1::text, $2::int", parameters=(None, "7"), prepared="p", duration_ms=1.0),
        Statement("c", 4.0, "SELECT 1; SELECT 2", duration_ms=1.0),
    ]
    result = mixed(statements, clients=1)
    assert set(result["errors"]) == {"22021"}, "a byte that is not of this database's encoding"
    assert result["sample"]["draws"] >= 5


def test_a_session_of_300_000_statements_in_bounded_memory(mixed: Mixed) -> None:
    def statements() -> Any:
        for number in range(300_000):
            text = "SELECT name FROM t WHERE id = $1"
            yield Statement("a", number / 10_000, text, None, (f"{number:0100d}",), "look", 0.1)

    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = mixed(statements(), sample=10_000, duration_s=2.0)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 150_000
    assert result["errors"] == {}
    assert result["sample"]["recorded"] == 300_000
    assert 7_000 < result["sample"]["kept"] <= 10_000
