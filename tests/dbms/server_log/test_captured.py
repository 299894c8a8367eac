"""Logs of real servers, in every format that they write, read as the statements that were sent.

Each was written by one psycopg connection that sent what `SENT` says with `log_min_duration_statement = 0` and
`log_timezone = 'Europe/Berlin'`, by one to another database, and by two with `log_statement = 'all'` as well and alone.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from otterflow.dbms.postgresql.server_log.clock import LogClock
from otterflow.dbms.postgresql.server_log.files import LogFormat, read_files
from otterflow.dbms.postgresql.server_log.record import Damage
from otterflow.dbms.postgresql.server_log.statements import LogStatements
from otterflow.dbms.postgresql.server_log.stderr_log import LinePrefix
from otterflow.dbms.statement import Statement

LOGS = sorted((Path(__file__).parent / "logs").iterdir())
KINDS = {".csv": "csvlog", ".json": "jsonlog", ".log": "stderr"}
START = datetime(2026, 11, 29, 12, tzinfo=UTC)

_INSERT = "INSERT INTO t VALUES ($1, $2, $3)"
_UPDATE = "UPDATE t SET name = $1 WHERE id = $2"
SENT: list[tuple[str, tuple[str | None, ...] | None, int | None, str | None]] = [
    ("BEGIN", None, 1, None),
    (_INSERT, ("1", "it's\na \"test\", $1 = 'x'", "\\x00ff"), 1, None),
    (_INSERT, ("2", None, None), 1, None),
    (_UPDATE, ("é", "1"), 1, None),
    (_UPDATE, ("ü", "2"), 1, None),
    ("COMMIT", None, 1, None),
    ("SELECT id,\n\tname\nFROM t -- a comment\n", None, None, None),
    ("SELECT 1; SELECT 2", None, None, None),
    ("SELECT 1 / 0", None, None, "22012"),
    ("BEGIN", None, 2, None),
    ("INSERT INTO t VALUES ($1, 'twice')", ("1",), 2, "23505"),
    ("SELECT 3", None, 2, "25P02"),
    ("ROLLBACK", None, 2, None),
    ("DEALLOCATE ALL", None, None, None),
    ("SELEKT 4", None, None, "42601"),
    ("BEGIN", None, 3, None),
    ("DECLARE c CURSOR FOR SELECT id FROM t", None, 3, None),
    ("FETCH 1 FROM c", None, 3, None),
    ("COMMIT", None, 3, None),
    ("PREPARE p(int) AS SELECT id FROM t WHERE id = $1", None, None, None),
    ("EXECUTE p(2)", None, None, None),
    ("SELECT pg_sleep(0.05)", None, None, None),
]


def _format(path: Path) -> LogFormat:
    prefix = "%m|%u|%d|%c|%v|%e|" + ("%Q|" if int(path.stem) >= 14 else "")
    return LogFormat(KINDS[path.suffix], LogClock("Europe/Berlin"), LinePrefix(prefix))


def _read(path: Path, database: str = "bench") -> list[Statement]:
    damage = Damage()
    log = LogStatements(database, START.timestamp(), START.timestamp() + 3600)
    found = [*log.read(read_files([path], _format(path), damage)), *log.close()]
    assert not damage.counts
    assert not log.left_out
    return found


@pytest.fixture(params=LOGS, ids=lambda path: path.name)
def log(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def test_there_are_logs_of_both_spellings_and_all_formats() -> None:
    assert {path.name for path in LOGS} == {
        "12.csv", "12.log", *(f"{release}.{kind}" for release in (15, 16, 18) for kind in ("csv", "json", "log"))
    }  # fmt: skip


def test_what_was_sent_is_what_is_read(log: Path) -> None:
    statements = _read(log)
    first = [each for each in statements if each.session == statements[0].session]
    expected = list(SENT)
    if log.stem == "12":  # before release 13 an error's record never has the values
        expected[10] = (expected[10][0], None, 2, "23505")
    assert [(each.text, each.parameters, each.transaction, each.error) for each in first] == expected


def test_times_are_starts_in_utc_and_durations_are_whole(log: Path) -> None:
    statements = _read(log)
    slept = next(each for each in statements if "pg_sleep" in each.text)
    following = next(each for each in statements if "the last" in each.text)
    assert 0 < slept.at_s < 3600, "the log's times are those of Berlin, an hour ahead"
    assert slept.duration_ms is not None
    assert slept.duration_ms == pytest.approx(60, abs=12)
    assert following.at_s > slept.at_s + slept.duration_ms / 1000 - 0.001
    sessions = {each.session for each in statements}
    for session in sessions:
        times = [each.at_s for each in statements if each.session == session]
        assert times == sorted(times)


def test_a_prepared_statement_has_its_name_and_its_class(log: Path) -> None:
    updates = [each for each in _read(log) if each.text == _UPDATE]
    assert [each.prepared for each in updates] == ["_pg3_0", "_pg3_0"]
    assert len({each.statement_class for each in updates}) == 1
    assert (updates[0].statement_class is not None) is (int(log.stem) >= 14)


@pytest.mark.slow
def test_both_settings_at_once_give_one_statement_with_its_duration(log: Path) -> None:
    statements = [each for each in _read(log) if each.session == _session_of(log, "both settings")]
    assert [each.error for each in statements] == [None, None, "22012"]
    assert all(each.duration_ms is not None for each in statements)
    assert statements[1].parameters == ("1",)


def test_without_durations_they_are_not_known(log: Path) -> None:
    statements = [each for each in _read(log) if each.session == _session_of(log, "log_statement alone")]
    assert [(each.duration_ms, each.parameters) for each in statements] == [(None, None), (None, ("2",))]


def test_another_database_is_read_by_its_name(log: Path) -> None:
    assert [each.text for each in _read(log, "other")] == ["SELECT 'another database'"]
    assert _read(log, "elsewhere") == []


def _session_of(log: Path, words: str) -> str:
    return next(each.session for each in _read(log) if words in each.text)
