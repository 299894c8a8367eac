"""Replays against a real server: what was sent arrives as it was, and nothing that the server does hangs a replay."""

from __future__ import annotations

import hashlib
import random
import resource
import threading
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.dbms.postgresql.statements import replaying
from otterflow.dbms.statement import Statement
from otterflow.dbms.statements import judging
from otterflow.workloads.replay.replayer.running import CannotReplay
from tests.waiting import wait_until
from tests.workloads.recording.samples import ORIGIN
from tests.workloads.replay.harness import Replay, at, replay_of

pytestmark = pytest.mark.integration

Rows = Callable[[str], list[Any]]


@pytest.fixture(autouse=True)
def table(sql: psycopg.Connection[Any]) -> None:
    sql.execute("DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY, name text, data bytea)")


def test_values_arrive_as_they_were(replayed: Replay, rows: Rows) -> None:
    insert = "INSERT INTO t VALUES ($1, $2, $3)"
    awkward = 'it\'s\na "test" \\ é $1'
    result = replayed(
        [
            Statement("a", 0.0, insert, parameters=("1", awkward, "\\x00ff")),
            Statement("a", 0.1, insert, parameters=("2", None, None), prepared="put"),
            Statement("a", 0.2, insert, parameters=("3", "", None), prepared="put"),
            Statement("a", 0.3, "INSERT INTO t VALUES (4, 'simple')"),
            Statement("a", 0.4, "SELECT 5; INSERT INTO t VALUES (5); SELECT 6"),
            Statement("a", 0.5, "SELECT count(*) FROM t", parameters=()),
        ]
    )
    assert result["errors"] == {}
    assert rows("SELECT id, name, data FROM t ORDER BY id") == [
        (1, awkward, b"\x00\xff"), (2, None, None), (3, "", None), (4, "simple", None), (5, None, None),
    ]  # fmt: skip
    assert result["statements"]["done"] == 6
    assert sum(each["rows"] for each in result["classes"]) == 4 + 3 + 1


def test_a_statement_of_ten_megabytes_arrives_whole(replayed: Replay, rows: Rows) -> None:
    long = "é" * 5_000_000
    result = replayed(
        [
            Statement("a", 0.0, f"INSERT INTO t VALUES (1, '{long}')"),
            Statement("a", 0.1, "INSERT INTO t VALUES ($1, $2)", parameters=("2", long)),
        ]
    )
    assert result["errors"] == {}
    assert rows("SELECT id, octet_length(name), md5(name) FROM t ORDER BY id") == [
        (number, 10_000_000, hashlib.md5(long.encode()).hexdigest()) for number in (1, 2)
    ]


def test_prepared_statements_that_change_fail_or_are_given_up(replayed: Replay) -> None:
    def prepared(text: str, *values: str) -> Statement:
        return Statement("a", 0.0, text, parameters=values, prepared="p")

    result = replayed(
        [
            prepared("SELECT $1::int", "1"),
            prepared("SELECT $1::int", "no number"),
            prepared("SELECT $1::int", "2"),
            prepared("SELECT $1::text", "x"),
            prepared("SELEKT $1", "x"),
            prepared("SELECT $1::text", "y"),
            Statement("a", 0.0, "DEALLOCATE ALL"),
            prepared("SELECT $1::text", "z"),
            Statement("a", 0.0, "DISCARD ALL"),
            prepared("SELECT $1::text", "z"),
        ]
    )
    assert result["errors"] == {"22P02": 1, "42601": 1}
    assert result["latency_ms"].keys() == {"mean", "max", "p50", "p95", "p99"}


def test_after_an_error_a_session_goes_on_at_its_transactions_end(replayed: Replay, rows: Rows) -> None:
    result = replayed(
        at("BEGIN", "INSERT INTO t VALUES (1)", "SELECT 1 / 0", "INSERT INTO t VALUES (2)", "COMMIT", transaction=1)
        + at("INSERT INTO t VALUES (3)", "SELECT 1 / 0", "INSERT INTO t VALUES (4)", start_s=1)
        + at("BEGIN", "SAVEPOINT s", "SELECT 1 / 0", "ROLLBACK TO s", "INSERT INTO t VALUES (5)", "COMMIT",
             start_s=2, transaction=2)
    )  # fmt: skip
    assert result["errors"] == {"22012": 3}
    assert result["statements"]["skipped_after_an_error"] == 1
    assert rows("SELECT id FROM t ORDER BY id") == [(3,), (4,), (5,)]


def test_a_transaction_that_the_recording_does_not_end_is_rolled_back(replayed: Replay, rows: Rows) -> None:
    result = replayed(
        at("BEGIN", "INSERT INTO t VALUES (1)", transaction=1)
        + at("BEGIN", "INSERT INTO t VALUES (2)", "COMMIT", start_s=1, transaction=2)
        + at("BEGIN", "SELECT 1 / 0", start_s=2, transaction=3)
        + at("INSERT INTO t VALUES (3)", start_s=3)
        + at("BEGIN", "INSERT INTO t VALUES (4)", start_s=4, transaction=4)
    )
    assert rows("SELECT id FROM t ORDER BY id") == [(2,), (3,)]
    assert result["ended_by_replayer"] == 2
    assert result["errors"] == {"22012": 1}


def test_cursors_and_temporary_tables_are_a_sessions_own(replayed: Replay) -> None:
    texts = (
        "CREATE TEMP TABLE own (n int)", "INSERT INTO own SELECT generate_series(1, 10)", "BEGIN",
        "DECLARE c CURSOR FOR SELECT n FROM own", "FETCH 4 FROM c", "FETCH ALL FROM c", "CLOSE c", "COMMIT",
    )  # fmt: skip
    result = replayed(at(*texts, session="a") + at(*texts, session="b"))
    assert result["errors"] == {}
    assert result["statements"]["told"] == {judging.TEMPORARY: 2}
    fetched = {each["class"]: each["rows"] for each in result["classes"]}
    assert sum(fetched.values()) == 2 * (10 + 4 + 6)


def test_what_is_not_to_be_sent_is_left_out_by_reason(replayed: Replay, rows: Rows) -> None:
    result = replayed(
        at(
            "COPY t FROM STDIN", "LISTEN x", "VACUUM", "SELECT pg_terminate_backend(pg_backend_pid())",
            "SET statement_timeout = 0", "SELECT $1", "INSERT INTO t VALUES (1)",
            "CREATE TABLE IF NOT EXISTS t (a int)",
        )
    )  # fmt: skip
    statements = result["statements"]
    assert statements["left_out"] == {
        replaying.COPY: 1, replaying.NOTIFICATION: 1, judging.ADMINISTRATION: 2, judging.LIMITS: 1,
        judging.VALUES: 1,
    }  # fmt: skip
    assert statements["told"] == {judging.DDL: 1}
    assert statements["done"] == 2
    assert rows("SELECT id FROM t") == [(1,)]


def test_a_lock_wait_ends_and_is_an_error(replayed: Replay, sql: psycopg.Connection[Any]) -> None:
    sql.execute("INSERT INTO t VALUES (1)")
    with sql.transaction():
        sql.execute("UPDATE t SET name = 'held'")
        result = replayed(at("UPDATE t SET name = 'x'", "SELECT 1"), lock_timeout_ms=200)
    assert result["errors"] == {"55P03": 1}
    assert result["statements"]["done"] == 2


def test_a_statement_has_its_time(replayed: Replay) -> None:
    result = replayed(at("SELECT pg_sleep(50)", "SELECT 1"), statement_timeout_ms=200)
    assert result["errors"] == {"57014": 1}
    assert result["seconds"] < 40


def test_a_holder_of_a_lock_is_never_kept_from_letting_it_go(replayed: Replay, rows: Rows) -> None:
    """Sixteen sessions that fight for two rows, in both orders: waits, deadlocks, and each comes to its end."""
    chance = random.Random(3)
    statements = []
    for session in range(16):
        statements += at("SET deadlock_timeout = '10ms'", session=f"s{session}")
        for number in range(20):
            first, second = chance.sample((1, 2), 2)
            statements += at(
                "BEGIN", f"UPDATE t SET name = name || 'x' WHERE id = {first}",
                f"UPDATE t SET name = name || 'x' WHERE id = {second}", "COMMIT",
                session=f"s{session}", start_s=0.01 + number / 100, transaction=number + 1,
            )  # fmt: skip
    prepare = at("INSERT INTO t VALUES (1, ''), (2, '')", session="s0", start_s=0)
    result = replayed(prepare + [each._replace(at_s=each.at_s + 0.5) for each in statements], schedule="clock")
    assert result["cut"] is None
    assert set(result["errors"]) <= {"40P01", "55P03"}
    done, skipped = result["statements"]["done"], result["statements"]["skipped_after_an_error"]
    assert done + skipped == len(statements) + 1
    assert result["statements"]["not_sent"] == 0
    whole = 320 - sum(result["errors"].values())
    assert rows("SELECT length(name) FROM t") == [(whole,), (whole,)]


def test_one_deadline_for_all(replayed: Replay, rows: Rows) -> None:
    sleeping = at("SELECT pg_sleep(50)", "SELECT 1", "SELECT 2", session="a") + at("SELECT pg_sleep(50)", session="b")
    late = at("SELECT 3", session="c", start_s=3000)
    result = replayed(sleeping + late, deadline_s=1, schedule="clock")
    assert result["cut"] == "the deadline"
    assert result["errors"] == {"deadline": 2}
    assert result["statements"]["not_sent"] == 3
    assert result["seconds"] < 40
    wait_until(lambda: rows("SELECT 1 FROM pg_stat_activity WHERE application_name = 'otterflow replay'") == [], 40)


def test_sessions_that_the_server_ends_are_counted(replayed: Replay, sql: psycopg.Connection[Any]) -> None:
    def end_it() -> None:
        ended = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'otterflow replay' AND query LIKE '%sleep%'"
        )
        wait_until(lambda: sql.execute(ended).fetchall(), 60)

    thread = threading.Thread(target=end_it)
    thread.start()
    result = replayed(at("SELECT pg_sleep(50)", "SELECT 1", session="a") + at("SELECT 2", session="b"))
    thread.join()
    assert result["errors"] == {"57P01": 1}
    assert result["statements"]["done"] == 2
    assert result["statements"]["not_sent"] == 1


def test_a_sample_of_the_transactions_is_an_open_stream(
    database: DatabaseAccess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What lay between two of a session's transactions is not known: a slow one does not put off the others."""
    drawn = [Statement("a", 0.0, "SELECT pg_sleep(1)", duration_ms=0.0), Statement("a", 0.4, "SELECT 1")]
    late_ms, took_s = {}, {}
    for name, origin in (("open", replace(ORIGIN, method="transaction_sample", share=0.2)), ("closed", ORIGIN)):
        folder = tmp_path / name
        folder.mkdir()
        result = replay_of(database, folder, drawn, origin, schedule="think", most_own_lateness_ms=30_000)
        assert result["open_stream"] is (name == "open")
        late_ms[name], took_s[name] = result["lateness_ms"]["max"], result["seconds"]
    assert "a sample of the transactions, share 0.2: each begins at its recorded time" in capsys.readouterr().out
    assert late_ms["open"] >= 500, "due 0.4 s after the begin, and sent when the session was free"
    assert took_s["closed"] >= 1.4, "due 0.4 s after the answer"


def test_schedules(replayed: Replay, database: DatabaseAccess, tmp_path: Path) -> None:
    """Each is told from the others by minutes, which a machine that stands still for seconds does not make up for."""

    def played(schedule: str, *recorded: tuple[float, str, float], factor: float = 1.0) -> dict[str, Any]:
        folder = tmp_path / f"{schedule}-{factor}"
        folder.mkdir()
        statements = [Statement("a", at_s, text, duration_ms=duration_ms) for at_s, text, duration_ms in recorded]
        changes: dict[str, Any] = {"schedule": schedule, "factor": factor, "most_own_lateness_ms": 30_000}
        result = replay_of(database, folder, statements, **changes)
        assert result["driven"], result["not_driven"]
        assert result["statements"]["done"] == len(recorded)
        return result

    slow = (0.0, "SELECT pg_sleep(0.4)", 1.0)
    as_recorded = played("clock", slow, (0.1, "SELECT 1", 1.0), (0.8, "SELECT 2", 1.0))
    assert as_recorded["seconds"] >= 0.8
    assert as_recorded["lateness_ms"]["max"] >= 290, "the second was due while the first was still under way"
    assert 0.8 <= played("clock", slow, (80.0, "SELECT 1", 1.0), factor=100.0)["seconds"] < 40
    thought = played("think", (0.0, "SELECT pg_sleep(0.2)", 59_900.0), (60.3, "SELECT 1", 1.0), (60.6, "SELECT 2", 1.0))
    assert 0.899 <= thought["seconds"] < 40, "0.2 s slept, 0.4 s and 0.299 s thought"
    assert 0.4 <= played("fast", slow, (60.0, "SELECT 1", 1.0))["seconds"] < 40


def test_a_hundred_thousand_statements_in_bounded_memory(replayed: Replay, capsys: pytest.CaptureFixture[str]) -> None:
    def statements() -> Any:
        for number in range(100_000):
            text = "SELECT name FROM t WHERE id = $1"
            yield Statement(f"s{number % 8}", number / 10_000, text, None, (str(number),), "look", 0.1)

    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = replayed(statements(), deadline_s=550)
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    with capsys.disabled():
        print(
            f"\n{result['statements_per_s']:.0f} statements/s, {result['replayer']['cpu_share']:.2f} of a core", end=""
        )
    assert result["statements"]["done"] == 100_000
    assert result["errors"] == {}
    assert result["connections"] == 8
    (one,) = result["classes"]
    assert one["calls"] == 100_000
    assert one["compared"]
    assert grown_kb < 120_000, "the recording's writer may hold 64 MiB, the replay a piece a session"


def test_large_results_are_drained_and_not_kept(replayed: Replay) -> None:
    tracemalloc.start()
    result = replayed(at("SELECT repeat('x', 200000000)", "SELECT repeat('y', 1000) FROM generate_series(1, 50000)"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert result["errors"] == {}
    assert sum(each["rows"] for each in result["classes"]) == 50_001
    assert peak < 80_000_000, "a manifest is read with a limit of 64 MiB"


def test_a_password_that_is_wrong_is_told_before_anything(replayed: Replay, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("not it\n")
    with pytest.raises(CannotReplay, match=r"28P01.*password_file"):
        replayed(at("SELECT 1"), password_file=str(wrong))


def test_a_server_that_is_not_there_is_told(replayed: Replay) -> None:
    with pytest.raises(CannotReplay, match="08001"):
        replayed(at("SELECT 1"), port=1)


def test_a_server_without_tls_that_must_have_it_is_told(replayed: Replay) -> None:
    with pytest.raises(CannotReplay, match="tls: 'require' is asked for"):
        replayed(at("SELECT 1"), tls="require")


def test_too_few_connections_make_sessions_wait(replayed: Replay) -> None:
    statements = [each for number in range(6) for each in at("SELECT pg_sleep(0.05)", session=f"s{number}")]
    result = replayed(statements, connections=2)
    assert result["statements"]["done"] == 6
    assert result["seconds"] > 0.14
