"""Several processes against a real server: nothing is lost or sent twice, and nothing is left when one is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.dbms.statement import Statement
from otterflow.workloads.replay.shipping import replayer_archive
from tests.waiting import wait_until
from tests.workloads.replay.harness import Replay, at, record, settings_record

pytestmark = pytest.mark.integration

Rows = Callable[[str], list[Any]]
INSERT = "INSERT INTO t VALUES ($1, $2)"


@pytest.fixture(autouse=True)
def table(sql: psycopg.Connection[Any]) -> None:
    sql.execute("DROP TABLE IF EXISTS t; CREATE TABLE t (id int, session text)")


def _inserts(sessions: int, each: int) -> list[Statement]:
    return [
        Statement(f"s{number}", place / 1000, INSERT, parameters=(str(place), f"s{number}"), duration_ms=0.1)
        for place in range(each)
        for number in range(sessions)
    ]


@pytest.mark.parametrize("schedule", ["fast", "clock"])
def test_every_session_is_played_once_and_in_its_order(replayed: Replay, rows: Rows, schedule: str) -> None:
    result = replayed(_inserts(7, 100), processes=3, schedule=schedule, most_own_lateness_ms=1000)
    assert result["errors"] == {}
    assert result["statements"]["done"] == 700
    assert sum(each["statements"] for each in result["replayer"]["processes"]) == 700
    assert len(result["replayer"]["processes"]) == 3
    (one,) = result["classes"]
    assert (one["calls"], one["rows"]) == (700, 700)
    assert rows("SELECT count(*), count(DISTINCT (id, session)) FROM t") == [(700, 700)]
    out_of_order = (
        "SELECT 1 FROM (SELECT id, lag(id) OVER (PARTITION BY session ORDER BY ctid) b FROM t) o WHERE b > id"
    )
    assert rows(out_of_order) == []


def test_one_deadline_for_all_processes(replayed: Replay) -> None:
    sleeping = [each for number in range(4) for each in at("SELECT pg_sleep(50)", "SELECT 1", session=f"s{number}")]
    result = replayed(sleeping, processes=2, deadline_s=1)
    assert (result["cut"], result["errors"], result["statements"]["not_sent"]) == ("the deadline", {"deadline": 4}, 4)
    assert result["seconds"] < 40


@pytest.mark.parametrize("whom", ["first", "another"])
def test_a_process_that_is_killed_leaves_nothing(
    database: DatabaseAccess, sql: psycopg.Connection[Any], tmp_path: Path, whom: str
) -> None:
    record(tmp_path, [each for number in range(4) for each in at("SELECT pg_sleep(50)", session=f"s{number}")])
    (tmp_path / "settings.json").write_text(
        json.dumps(settings_record(database, tmp_path, processes=2, schedule="fast"))
    )
    (tmp_path / "replayer.zip").write_bytes(replayer_archive("postgresql"))
    first = subprocess.Popen(
        [sys.executable, "-I", "-S", "replayer.zip", "settings.json"], cwd=tmp_path, env={}, stderr=subprocess.PIPE
    )
    sleeping = "SELECT pid FROM pg_stat_activity WHERE application_name = 'otterflow replay' AND query LIKE '%sleep%'"
    wait_until(lambda: len(sql.execute(sleeping).fetchall()) == 4, 40)
    children = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()
    assert len(children) == 2
    os.kill(first.pid if whom == "first" else int(children[1]), signal.SIGKILL)
    _, said = first.communicate(timeout=60)
    if whom == "another":
        assert first.returncode == 1
        assert b"a process of the replayer was killed" in said
    # The server learns that a client was killed as it has an answer for it: the two of the killed process sleep on.
    wait_until(lambda: len(sql.execute(sleeping).fetchall()) == (2 if whom == "another" else 0), 40)
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), 40)
    assert not (tmp_path / "result.json").exists()
