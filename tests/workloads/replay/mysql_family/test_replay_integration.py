"""Recordings replayed and mixed against real servers of the family: errors, deadlocks, transactions, limits."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from otterflow.dbms.mysql_family.statements import replaying
from otterflow.dbms.statement import Statement
from otterflow.dbms.statements import judging
from otterflow.errors import InvalidInput
from otterflow.workloads.replay.replayer.mix.units import VARIABLE
from otterflow.workloads.replay.replayer.mysql_family.server_times import OFF
from otterflow.workloads.replay.replayer.programs import mix, replay
from otterflow.workloads.replay.replayer.settings import MixSettings, ReplaySettings
from otterflow.workloads.replay.shipping import replayer_archive
from tests.workloads.recording.samples import ORIGIN
from tests.workloads.replay.harness import at, record
from tests.workloads.replay.mysql_family.conftest import PASSWORD, Place

pytestmark = pytest.mark.integration

Result = dict[str, Any]
Play = Callable[..., Result]


def _settings(server: Place, folder: Path, **changes: Any) -> dict[str, Any]:
    password = folder / "password"
    password.write_text(PASSWORD + "\n")
    access = server.access()
    return {
        "recording": str(folder / "recording"), "result_file": str(folder / "result.json"), "host": access.host,
        "port": access.port, "user": access.user, "database": access.database, "password_file": str(password),
        "deadline_s": 60, "dbms": _dbms(server), **changes,
    }  # fmt: skip


def _recorded(server: Place, folder: Path, statements: Iterable[Statement]) -> None:
    by_time = sorted(statements, key=lambda each: each.at_s)
    record(folder, by_time, replace(ORIGIN, dbms=_dbms(server)))


def _dbms(server: Place) -> str:
    return "mysql" if server.is_mysql else "mariadb"


@pytest.fixture
def table(server: Place) -> Place:
    """The server with a table of four rows."""
    server.sql("DROP TABLE IF EXISTS test_wire.stock")
    server.sql("CREATE TABLE test_wire.stock (id INT PRIMARY KEY, n INT NOT NULL) ENGINE=InnoDB")
    server.sql("INSERT INTO test_wire.stock VALUES (1, 10), (2, 20), (3, 30), (4, 40)")
    return server


@pytest.fixture
def replayed(table: Place, tmp_path: Path) -> Play:
    """Replays statements as fast as possible, unless told otherwise, and gives the result."""

    def run(statements: Iterable[Statement], **changes: Any) -> Result:
        _recorded(table, tmp_path, statements)
        replay(ReplaySettings(**{"schedule": "fast", **_settings(table, tmp_path, **changes)}))
        result: Result = json.loads((tmp_path / "result.json").read_text())
        return result

    return run


def _rows(server: Place) -> list[tuple[int, int]]:
    return [(row["id"], row["n"]) for row in server.sql("SELECT id, n FROM test_wire.stock ORDER BY id")]


def test_after_most_errors_a_transaction_goes_on(table: Place, replayed: Play) -> None:
    result = replayed(
        [
            *at(
                "BEGIN", "INSERT INTO stock VALUES (1, 0)", "UPDATE stock SET n = 11 WHERE id = 1", "COMMIT",
                transaction=1,
            ),
            *at("SELECT * FROM absent", "SELECT `n` FROM stock WHERE id > 1", session="b", start_s=0.1),
        ]
    )  # fmt: skip
    assert result["errors"] == {"23000": 1, "42S02": 1}
    assert result["statements"]["done"] == 6
    assert result["statements"]["skipped_after_an_error"] == 0
    assert (result["transactions"], result["ended_by_replayer"]) == (2, 0)
    assert _rows(table)[0] == (1, 11)
    assert sum(each["rows"] for each in result["classes"]) == 1 + 3


def test_what_a_deadlock_has_rolled_back_is_not_gone_on_with(table: Place, replayed: Play) -> None:
    def session(name: str, first: int, second: int) -> list[Statement]:
        texts = [
            "BEGIN", f"UPDATE stock SET n = n + 1 WHERE id = {first}",
            f"UPDATE stock SET n = n + 1 WHERE id = {second}", f"INSERT INTO stock VALUES ({100 + first}, 1)", "COMMIT",
            f"INSERT INTO stock VALUES ({200 + first}, 1)",
        ]  # fmt: skip
        times = [0.0, 0.05, 0.6, 0.8, 0.85, 0.9]
        numbers = [1, 1, 1, 1, 1, None]
        return [Statement(name, *each) for each in zip(times, texts, numbers, strict=True)]

    result = replayed([*session("a", 1, 2), *session("b", 2, 1)], schedule="clock", processes=1)
    assert result["errors"] == {"40001": 1}
    assert result["statements"]["skipped_after_an_error"] == 1
    assert result["ended_by_replayer"] == 0
    assert result["transactions"] == 3, "one was done, two statements were one each; the COMMIT of nothing is none"
    rows = dict(_rows(table))
    assert (rows[1], rows[2]) == (11, 21)
    assert len({101, 102} & rows.keys()) == 1
    assert {201, 202} < rows.keys()


def test_a_lock_that_is_waited_for_too_long_ends_the_statement_only(table: Place, replayed: Play) -> None:
    statements = [
        *at("BEGIN", "UPDATE stock SET n = 0 WHERE id = 1", transaction=1),
        *at("SELECT SLEEP(2.5)", "ROLLBACK", transaction=1, start_s=0.01),
        *at("BEGIN", "UPDATE stock SET n = 5 WHERE id = 3", session="b", transaction=1, start_s=0.3),
        *at("UPDATE stock SET n = 5 WHERE id = 1", "COMMIT", session="b", transaction=1, start_s=0.4),
    ]
    result = replayed(statements, schedule="clock", lock_timeout_ms=1000)
    assert result["errors"] == {"HY000 (1205)": 1}
    assert result["statements"]["done"] == len(statements)
    assert _rows(table)[:3] == [(1, 10), (2, 20), (3, 5)]


def test_limits_outlast_what_the_recording_sets(table: Place, replayed: Play) -> None:
    left_out = ["SET SESSION innodb_lock_wait_timeout = 500", "SET SESSION max_statement_time = 0", "FLUSH STATUS"]
    result = replayed(
        at(*left_out, "SET SESSION sql_mode = 'ANSI'", "# administrator command: Quit", "SELECT COUNT(*) FROM"
           " information_schema.columns a, information_schema.columns b, information_schema.columns c"),
        statement_timeout_ms=300,
    )  # fmt: skip
    assert result["statements"]["left_out"] == {
        judging.LIMITS: 2, judging.ADMINISTRATION: 1, replaying.PROTOCOL: 1,
    }  # fmt: skip
    assert result["errors"] == ({"HY000 (3024)": 1} if table.is_mysql else {"70100": 1})


def test_other_databases_stay_as_they_are(table: Place, replayed: Play) -> None:
    table.sql("DROP DATABASE IF EXISTS shop")
    table.sql("CREATE DATABASE shop")
    table.sql("CREATE TABLE shop.orders AS SELECT * FROM test_wire.stock")
    named = ["DELETE FROM shop.orders", "UPDATE stock s, `shop` . `orders` o SET o.n = 0", "DROP TABLE shop.orders"]
    result = replayed(
        at(
            *named, "UPDATE test_wire.stock s SET s.n = 0 WHERE s.id = 1",
            "SELECT s.n, t.table_name FROM stock s, INFORMATION_SCHEMA.TABLES t LIMIT 5",
        )
    )  # fmt: skip
    assert result["statements"]["left_out"] == {replaying.NAMES_ANOTHER: len(named)}
    assert result["errors"] == {}
    assert [row["n"] for row in table.sql("SELECT n FROM shop.orders ORDER BY id")] == [10, 20, 30, 40]
    assert _rows(table)[0] == (1, 0)


def test_what_a_statement_commits_itself_is_not_rolled_back(table: Place, replayed: Play) -> None:
    result = replayed(
        [
            *at("BEGIN", "INSERT INTO stock VALUES (5, 1)", transaction=1),
            *at("BEGIN", "INSERT INTO stock VALUES (6, 1)", transaction=2, start_s=0.1),
            *at("ROLLBACK", transaction=2, start_s=0.15),
            *at("BEGIN", "INSERT INTO stock VALUES (7, 1)", transaction=3, start_s=0.2),
            *at("SELECT 1", start_s=0.3),
        ]
    )
    assert [id for id, _ in _rows(table)] == [1, 2, 3, 4, 5]
    assert result["ended_by_replayer"] == 1
    assert result["errors"] == {}


def test_sessions_without_autocommit(table: Place, replayed: Play) -> None:
    result = replayed(
        [
            *at("SET autocommit = 0"),
            *at("UPDATE stock SET n = 1 WHERE id = 1", "COMMIT", transaction=1, start_s=0.1),
            *at("UPDATE stock SET n = 2 WHERE id = 2", "ROLLBACK", transaction=2, start_s=0.2),
        ]
    )
    assert _rows(table)[:2] == [(1, 1), (2, 20)]
    assert (result["errors"], result["ended_by_replayer"]) == ({}, 0)


def test_texts_arrive_as_they_were(table: Place, replayed: Play) -> None:
    table.sql("DROP TABLE IF EXISTS test_wire.words")
    table.sql("CREATE TABLE test_wire.words (id INT PRIMARY KEY, v VARBINARY(50), w VARCHAR(50) CHARACTER SET utf8mb4)")
    result = replayed(
        at(
            "INSERT INTO words VALUES (1, _binary'a\udcff\\0\\'', 'ä€𝄞')",
            "SET NAMES utf8mb4",
            "INSERT INTO words VALUES (2, x'00FF', \"it's\")",
            "SET NAMES latin1",
            "INSERT INTO words VALUES (3, 'x', 'caf\udce9')",
        )
    )
    assert result["errors"] == {}
    rows = table.sql("SELECT v, w FROM test_wire.words ORDER BY id")
    assert [(row["v"], row["w"]) for row in rows] == [(b"a\xff\x00'", "ä€𝄞"), (b"\x00\xff", "it's"), (b"x", "café")]


def test_the_servers_own_times(table: Place, replayed: Play) -> None:
    result = replayed(
        [
            *at(*(f"SELECT `n` FROM stock WHERE id IN ({number}, 2)" for number in range(20))),
            *at(*(f"SELECT SLEEP(0.0{number})" for number in range(1, 4)), start_s=1.0),
        ]
    )
    times = result["server_times"]
    if times["why_not"] is not None:
        assert times["why_not"] == OFF
        return
    assert table.is_mysql
    slept = next(each for each in result["classes"] if each["rows"] == 3)
    assert slept["server"]["calls"] == 3
    assert 0.06 < slept["server"]["seconds"] < 0.5
    assert [each["server"]["calls"] for each in result["classes"]] == [3, 20] or times["classes"] == 2


def test_values_that_are_apart_are_left_out(replayed: Play) -> None:
    result = replayed([Statement("a", 0.0, "SELECT ?", parameters=("1",)), *at("SELECT 1", start_s=0.1)])
    assert result["statements"]["left_out"] == {judging.APART: 1}
    assert result["statements"]["done"] == 1


def test_a_recording_of_another_dbms_is_refused(table: Place, tmp_path: Path) -> None:
    record(tmp_path, at("SELECT 1"))
    with pytest.raises(InvalidInput, match=f"it is of postgresql, and the database is of {_dbms(table)}"):
        replay(ReplaySettings(**_settings(table, tmp_path)))


def test_it_is_shipped_whole(table: Place, tmp_path: Path) -> None:
    _recorded(table, tmp_path, at("SELECT 1", "SELECT * FROM zebra"))
    (tmp_path / "replayer.zip").write_bytes(replayer_archive(_dbms(table)))
    (tmp_path / "settings.json").write_text(json.dumps(_settings(table, tmp_path)))
    done = subprocess.run(
        [sys.executable, "-I", "-S", "replayer.zip", "settings.json"], cwd=tmp_path, env={}, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["statements"]["done"], result["errors"]) == (2, {"42S02": 1})
    assert "zebra" not in done.stdout + done.stderr + json.dumps(result)


def test_a_mix(table: Place, tmp_path: Path) -> None:
    texts = ["BEGIN", "UPDATE stock SET n = n + 1 WHERE id = 1", "COMMIT"]
    statements: list[Statement] = []
    for number in range(40):
        at_s = number * 0.1
        statements += at(*texts, session="a", start_s=at_s, transaction=number)
        statements += at("SET @x = 3", "SELECT n FROM stock WHERE id = @x", session="b", start_s=at_s + 0.01)
        statements += at(
            "CREATE TEMPORARY TABLE own (a INT)", "INSERT INTO own VALUES (1)", "SELECT * FROM own",
            "DROP TEMPORARY TABLE own", session="c", start_s=at_s + 0.02,
        )  # fmt: skip
        statements += at("SELECT @y", "SELECT LAST_INSERT_ID()", session="d", start_s=at_s + 0.03)
        statements += at("SET @t = NOW()", "SELECT @t", session="f", start_s=at_s + 0.05)
        statements += at("SET time_zone = '+05:00'", "SELECT @@time_zone", session="e", start_s=at_s + 0.04)
    _recorded(table, tmp_path, [each._replace(duration_ms=0.5) for each in statements])
    before = dict(_rows(table))[1]
    mix(MixSettings(**_settings(table, tmp_path, clients=3, duration_s=2.0, processes=1)))
    result: Result = json.loads((tmp_path / "result.json").read_text())
    assert result["errors"] == {}
    assert result["transactions"] > 50
    left_out = {reason: out["statements"] for reason, out in result["covers"]["left_out"].items()}
    assert left_out == {VARIABLE: 40, "needs what its session made before: the key that was generated last, or how "
                        "many rows there were": 40}  # fmt: skip
    assert dict(_rows(table))[1] > before + 10
    assert result["statements"]["set_up"] > 0
