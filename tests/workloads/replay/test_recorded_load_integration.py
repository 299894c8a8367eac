"""A real load is recorded from the server's log, compared with what was sent, and replayed to the same data."""

from __future__ import annotations

import os
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.dbms.postgresql.server_log.clock import LogClock
from otterflow.dbms.postgresql.server_log.files import LogFormat
from otterflow.dbms.postgresql.server_log.stderr_log import LinePrefix
from otterflow.dbms.statement import Statement
from otterflow.workloads.recording.manifest import Manifest, Origin
from otterflow.workloads.recording.reading import open_recording
from otterflow.workloads.replay.replayer.programs import replay
from otterflow.workloads.replay.replayer.settings import ReplaySettings
from stack.host import DatabaseHost
from tests.workloads.recording.samples import record_log
from tests.workloads.replay.harness import connect, settings_record

pytestmark = pytest.mark.integration

SCRIPT = """\
CREATE TEMP TABLE own AS SELECT generate_series(1, 3) AS n;
BEGIN;
SELECT count(*)
  FROM own -- a comment; with a semicolon
 WHERE n IN (1, 2);
SELECT 'it''s
two lines';
SELECT 1 / 0;
ROLLBACK;
COPY own FROM STDIN;
7
\\.
SELECT 1\\; SELECT 2;
"""
SENT_BY_PSQL = [
    "CREATE TEMP TABLE own AS SELECT generate_series(1, 3) AS n;",
    "BEGIN;",
    "SELECT count(*)\n  FROM own -- a comment; with a semicolon\n WHERE n IN (1, 2);",
    "SELECT 'it''s\ntwo lines';",
    "SELECT 1 / 0;",
    "ROLLBACK;",
    "COPY own FROM STDIN;",
    "SELECT 1; SELECT 2;",
]


class Source:
    """The private server as a source: its log, and its programs."""

    def __init__(self, host: DatabaseHost, access: DatabaseAccess, folder: Path) -> None:
        self._cluster, self._access, self._folder = host.cluster, access, folder
        (folder / "pgpass").write_text(access.pgpass)
        (folder / "pgpass").chmod(0o600)

    def run(self, program: str, *arguments: str, said: str = "", check: bool = True) -> None:
        subprocess.run(
            [str(self._cluster.bin_dir / program), *arguments], input=said, text=True, check=check, capture_output=True,
            env={
                "PATH": os.environ["PATH"], "PGPASSFILE": str(self._folder / "pgpass"), "PGHOST": self._access.host,
                "PGPORT": str(self._access.port), "PGUSER": self._access.user, "PGDATABASE": self._access.database,
            },
            timeout=120,
        )  # fmt: skip

    def record(self, start: datetime) -> tuple[Manifest, list[Statement]]:
        """The recording from `start` to now, as `recording` in the folder."""
        end = datetime.now(UTC)
        with connect(self._access) as connection:
            zone = self._setting(connection, "log_timezone")
            prefix = self._setting(connection, "log_line_prefix")
        origin = Origin("private", "postgresql", self._access.database, start, end, "server_log")
        log_format = LogFormat("stderr", LogClock(zone), LinePrefix(prefix))
        folder = self._folder / "recording"
        manifest = record_log([self._cluster.log_file], log_format, origin, folder, end, max_bytes=10**8)
        return manifest, list(open_recording(folder).statements())

    @staticmethod
    def _setting(connection: Any, name: str) -> str:
        row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
        return str(row[0])


@pytest.fixture
def source(db_host: DatabaseHost, database: DatabaseAccess, tmp_path: Path) -> Iterator[Source]:
    made = Source(db_host, database, tmp_path)
    made.run("pgbench", "--initialize", "--quiet", "--scale=1")
    with connect(database) as connection:
        name = database.database
        connection.execute(f"ALTER DATABASE {name} SET log_min_duration_statement = 0")
        yield made
        connection.execute(f"ALTER DATABASE {name} RESET log_min_duration_statement")


def _state(access: DatabaseAccess) -> tuple[Any, ...]:
    with connect(access) as connection:
        connection.execute("SET log_min_duration_statement = -1")
        found = [
            connection.execute(query).fetchall()
            for query in (
                "SELECT tid, tbalance FROM pgbench_tellers ORDER BY tid", "SELECT sum(abalance) FROM pgbench_accounts",
                "SELECT bbalance FROM pgbench_branches",
                "SELECT tid, bid, aid, delta FROM pgbench_history ORDER BY 1, 2, 3, 4",
            )
        ]  # fmt: skip
    return tuple(found)


def test_pgbench_is_recorded_and_replayed_to_the_same_data(
    source: Source, database: DatabaseAccess, tmp_path: Path
) -> None:
    start = datetime.now(UTC) - timedelta(milliseconds=100)
    source.run("pgbench", "--no-vacuum", "--client=4", "--transactions=50", "--protocol=prepared", "--random-seed=7")
    manifest, statements = source.record(start)
    as_sent = _state(database)
    assert manifest.complete
    by_session = Counter(each.session for each in statements if each.prepared)
    assert sorted(by_session.values()) == [350, 350, 350, 350]
    assert all(each.duration_ms is not None and each.error is None for each in statements)
    numbered = {(each.session, each.transaction) for each in statements if each.transaction is not None}
    assert len(numbered) == 200
    updates = [each for each in statements if each.text.startswith("UPDATE pgbench_accounts")]
    history = as_sent[3]
    sent = Counter((each.parameters or ())[:2] for each in updates)
    assert sent == Counter((str(delta), str(aid)) for _, _, aid, delta in history)
    with connect(database) as connection:
        connection.execute("SET log_min_duration_statement = -1")
        connection.execute("UPDATE pgbench_accounts SET abalance = 0")
        connection.execute("UPDATE pgbench_tellers SET tbalance = 0; UPDATE pgbench_branches SET bbalance = 0")
        connection.execute("TRUNCATE pgbench_history")
    result: dict[str, Any] = replay(ReplaySettings(**settings_record(database, tmp_path, schedule="fast")))
    assert result["errors"] == {}
    assert _state(database) == as_sent
    assert result["transactions"] >= 200


def test_a_session_of_psql_is_recorded_as_it_was_sent(source: Source, database: DatabaseAccess, tmp_path: Path) -> None:
    start = datetime.now(UTC) - timedelta(milliseconds=100)
    time.sleep(0.15)
    source.run("psql", "--no-psqlrc", "--quiet", "--file=-", said=SCRIPT, check=False)
    manifest, statements = source.record(start)
    assert [each.text for each in statements] == SENT_BY_PSQL
    assert [each.error for each in statements] == [None] * 4 + ["XX000"] + [None] * 3, "this prefix has no SQLSTATE"
    assert [each.transaction for each in statements] == [None, 1, 1, 1, 1, 1, None, None]
    assert {each.parameters for each in statements} == {None}
    assert "two lines" not in (tmp_path / "recording" / "manifest.json").read_text()
    assert manifest.sessions == 1
    result: dict[str, Any] = replay(ReplaySettings(**settings_record(database, tmp_path, schedule="fast")))
    assert result["errors"] == {"22012": 1}
    assert result["statements"] == {
        "recorded": 8, "left_out": {"copy": 1}, "told": {"temporary table": 1}, "to_send": 7, "done": 7,
        "skipped_after_an_error": 0, "not_sent": 0,
    }  # fmt: skip
