"""The rows of a window as statements: sessions, transactions, databases, and what the rows lack."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from otterflow.dbms.log_interval import AFTER, BEFORE, TORN
from otterflow.dbms.mysql_family.slow_log import rows
from otterflow.dbms.mysql_family.slow_log.reading import RUNNING, SlowLogReading, open_reading
from otterflow.dbms.mysql_family.slow_log.rows import NO_CLIENT
from otterflow.dbms.mysql_family.slow_log.sessions import BY_SERVER, CUT, ELSEWHERE, OLD
from otterflow.dbms.mysql_family.slow_log.tables import BY_EXECUTE, HIDDEN
from otterflow.dbms.statement import Statement
from otterflow.errors import InvalidInput

START = datetime(2026, 12, 1, 12, tzinfo=UTC)
END = START + timedelta(minutes=1)
COUNTED = "1764590000\t{questions}\t{before}\t{running}\t{newest}\t\n"


def row(
    text: str | bytes, *, at_s: float = 1.0, thread: int | str = 7, database: str | None = "bench", **fields: Any
) -> str:
    """A row of a statement that begins so long after the interval's start."""
    seconds = fields.get("seconds", 0.002)
    data = text.encode() if isinstance(text, str) else text
    place = "NULL" if database is None else database.encode().hex().upper()
    return "\t".join(
        (
            f"{START.timestamp() + at_s:.6f}", f"{seconds:.6f}", str(fields.get("sent", 0)),
            str(fields.get("affected", 0)).replace("None", "NULL"), str(thread), place,
            data[:9].hex().upper(), data[9:].hex().upper(),
        )
    ) + "\n"  # fmt: skip


def reading(
    folder: Path,
    *rows: str,
    questions: int = 0,
    before: int = 0,
    running: int = 0,
    newest: int = 0,
    end: datetime = END,
    table: str = "mariadb",
) -> SlowLogReading:
    head = COUNTED.format(questions=questions, before=before, running=running, newest=newest)
    (folder / "rows.gz").write_bytes(gzip.compress("".join((head, *rows)).encode(), 1))
    return open_reading({"patterns": [f"{folder}/rows.gz"], "table": table}, "bench", START, end)


def taken(folder: Path, *texts: str) -> list[tuple[str, int | None]]:
    """Texts of one session, with the number of the transaction that each is in."""
    rows = [row(text, at_s=place + 1) for place, text in enumerate(texts)]
    return [(each.text, each.transaction) for each in reading(folder, *rows).statements()]


def test_a_row_is_a_statement(tmp_path: Path) -> None:
    log = reading(
        tmp_path, row("UPDATE t SET a = 'zebra'", at_s=2.5, seconds=0.25, affected=3), row("SELECT 1", at_s=3, sent=1)
    )
    assert list(log.statements()) == [
        Statement("1764590000-7", 2.5, "UPDATE t SET a = 'zebra'", duration_ms=250.0, rows=3),
        Statement("1764590000-7", 3.0, "SELECT 1", duration_ms=2.0, rows=1),
    ]
    assert dict(log.left_out) == {}
    assert list(log.missing(END)) == []


def test_whatever_bytes_a_text_has_they_are_kept(tmp_path: Path) -> None:
    (statement,) = reading(tmp_path, row("SELECT 'a\tb\nc\\ é'".encode() + b"\xe9\0")).statements()
    assert statement.text == "SELECT 'a\tb\nc\\ é'\udce9\0"


def test_transactions_are_told_apart_by_what_begins_and_ends_them(tmp_path: Path) -> None:
    assert taken(tmp_path, "BEGIN", "UPDATE t SET a = 1", "COMMIT", "SELECT 1", "START TRANSACTION", "ROLLBACK") == [
        ("BEGIN", 1), ("UPDATE t SET a = 1", 1), ("COMMIT", 1), ("SELECT 1", None),
        ("START TRANSACTION", 2), ("ROLLBACK", 2),
    ]  # fmt: skip


def test_what_commits_without_saying_so_ends_one(tmp_path: Path) -> None:
    texts = ("BEGIN", "INSERT t VALUES (1)", "CREATE TABLE u (a INT)", "SELECT 1")
    assert [number for _, number in taken(tmp_path, *texts)] == [1, 1, None, None]
    assert [number for _, number in taken(tmp_path, "BEGIN", "INSERT t VALUES (1)", "BEGIN", "COMMIT")] == [1, 1, 2, 2]
    assert [number for _, number in taken(tmp_path, "BEGIN", "COMMIT AND CHAIN", "SELECT 1", "COMMIT")] == [1, 1, 2, 2]


def test_without_autocommit_each_statement_is_in_a_transaction(tmp_path: Path) -> None:
    texts = ("SET autocommit = 0", "SELECT 1", "UPDATE t SET a = 1", "COMMIT", "SELECT 2", "ROLLBACK",
             "SET autocommit = 1", "SELECT 3")  # fmt: skip
    assert [number for _, number in taken(tmp_path, *texts)] == [None, 1, 1, 1, 2, 2, None, None]


def test_another_database_is_not_in_it_but_for_what_a_session_set_before_it_chose_one(tmp_path: Path) -> None:
    log = reading(
        tmp_path,
        row("SET NAMES utf8mb4", database=None), row("SELECT 1", database=None), row("SELECT 2"),
        row("SELECT 3", database="other"), row("SELECT 4", database="other", thread=8),
        row("SET NAMES utf8", database=None, thread=9), row("SELECT 5", database="other", thread=9),
    )  # fmt: skip
    assert [each.text for each in log.statements()] == ["SET NAMES utf8mb4", "SELECT 2"]
    assert dict(log.left_out) == {ELSEWHERE: 1}


def test_a_call_began_its_whole_time_before_it_ended(tmp_path: Path) -> None:
    """Its row has the start of the last statement within."""
    rows = [row("SELECT 1", at_s=5.0, thread=8), row("CALL p()", at_s=4.5, seconds=3.0), row("SELECT 2", at_s=6.0)]
    found = {each.text: each.at_s for each in reading(tmp_path, *rows).statements()}
    assert found == {"SELECT 1": 5.0, "CALL p()": pytest.approx(2.002), "SELECT 2": 6.0}


def test_a_session_that_makes_up_its_time_keeps_its_place(tmp_path: Path) -> None:
    rows = [row("SELECT 1", at_s=5.0, seconds=1.0), row("SET timestamp = 12345", at_s=-9999.0, seconds=0.5)]
    rows += [row("SELECT 2", at_s=-9999.0, seconds=0.25), row("SELECT 3", at_s=7.0)]
    log = reading(tmp_path, *rows)
    assert [each.at_s for each in log.statements()] == [5.0, 5.5, 5.75, 7.0]
    assert dict(log.left_out) == {}


@pytest.mark.parametrize("zone_s", [5 * 3600, -8 * 3600, 20_700, 26 * 3600, 900])
def test_a_session_in_another_time_zone_keeps_its_times(tmp_path: Path, zone_s: int) -> None:
    """Its rows have the same number of quarters of an hour too much, or too little."""
    rows = [row("SELECT 1", at_s=5.0, seconds=1.0), row("SET time_zone = 'x'", at_s=6.5 + zone_s, thread=8)]
    rows += [row("SELECT 2", at_s=7.0 + zone_s, seconds=2.0, thread=8), row("SELECT 3", at_s=8.9)]
    rows += [row("CALL p()", at_s=9.0 + zone_s, seconds=1.0, thread=8), row("SELECT 4", at_s=-9999.0, thread=8)]
    log = reading(tmp_path, *rows)
    assert [each.at_s for each in log.statements()] == pytest.approx([5.0, 6.5, 7.0, 8.9, 8.0, 8.9], abs=0.01)
    assert (dict(log.left_out), list(log.missing(END))) == ({}, [])


def test_a_time_within_the_interval_can_be_of_another_time_zone_or_come_after_a_pause(tmp_path: Path) -> None:
    hours = [row("SELECT 1", at_s=10.0), row("SELECT 2", at_s=3611.0, thread=8), row("SELECT 3", at_s=1012.0)]
    hours += [row("SELECT 4", at_s=1013.0 + 3600, thread=8), row("SELECT 5", at_s=1014.0)]
    log = reading(tmp_path, *hours, end=START + timedelta(hours=2))
    assert [each.at_s for each in log.statements()] == [10.0, 11.0, 1012.0, 1013.0, 1014.0]


def test_a_time_that_a_session_has_made_up_moves_no_other(tmp_path: Path) -> None:
    rows = [row("SELECT 1", at_s=10.0), row("SELECT 2", at_s=500.0, thread=8), row("SELECT 3", at_s=11.0)]
    rows += [row("SELECT 4", at_s=12.0 - 3600, thread=9), row("SELECT 5", at_s=-3600.0 - 100, thread=10)]
    log = reading(tmp_path, *rows, end=START + timedelta(hours=2))
    assert [each.at_s for each in log.statements()] == pytest.approx([10.0, 500.0, 11.0, 12.0, 12.0], abs=0.01)


def test_a_log_whose_times_are_not_those_of_the_interval_says_so(tmp_path: Path) -> None:
    log = reading(tmp_path, *[row(f"SELECT {number}", at_s=-200.0) for number in range(3)])
    assert list(log.statements()) == []
    assert list(log.missing(END)) == [
        "3 statements are logged with times outside of the interval, and 0 with times in it: the table's times are not "
        "what they were taken for"
    ]


def test_values_of_bytes_that_may_have_lost_some_are_told(tmp_path: Path) -> None:
    rows = [row("INSERT t VALUES (_binary '??a')"), row("SELECT 'why?'"), row("SELECT * FROM t WHERE a = _binary 'b'")]
    log = reading(tmp_path, *rows)
    assert len(list(log.statements())) == 3
    (said,) = log.missing(END)
    assert said.startswith("1 statements have a '?' in a value of bytes")


@pytest.mark.parametrize(
    "text",
    ["SET NAMES latin1", "set names 'cp1251' COLLATE x", "SET CHARACTER SET latin1 -- c",
     "SET @@character_set_client = ucs2", "SET NAMES DEFAULT", "SET sql_mode = '', NAMES latin1"],
)  # fmt: skip
def test_a_session_of_another_character_set_is_in_utf8_as_the_tables_texts_are(tmp_path: Path, text: str) -> None:
    found = taken(tmp_path, text, "INSERT t VALUES ('ä')")
    assert found == [(f"{text}\n, character_set_client = utf8mb4", None), ("INSERT t VALUES ('ä')", None)]


@pytest.mark.parametrize(
    "text",
    ["SET NAMES utf8mb4 COLLATE utf8mb4_bin", "SET NAMES 'utf8'", "SET GLOBAL character_set_client = latin1",
     "SET @names = 'latin1'", "SELECT names FROM t", "SET character_set_results = latin1"],
)  # fmt: skip
def test_what_sets_no_other_character_set_of_the_clients_is_as_it_was(tmp_path: Path, text: str) -> None:
    assert taken(tmp_path, text) == [(text, None)]


def test_what_a_statement_in_a_string_has_made_is_done_once(tmp_path: Path) -> None:
    """Both are told, with one start, where the string was a statement."""
    within, around = "INSERT t VALUES (1)", "EXECUTE IMMEDIATE 'INSERT t VALUES (?)' USING 1"
    log = reading(tmp_path, row(within, at_s=1.5), row(around, at_s=1.5), row(around, at_s=2), questions=30)
    assert [(each.text, each.at_s) for each in log.statements()] == [(within, 1.5), (around, 2.0)]


def test_what_the_server_itself_does_is_counted_and_left_out(tmp_path: Path) -> None:
    rows = [row("BEGIN", thread=f"{NO_CLIENT}4"), row("COMMIT", thread=f"{NO_CLIENT}4"), row("SELECT 1"),
            row("SELECT 2", thread=f"{NO_CLIENT}5", database="other")]  # fmt: skip
    log = reading(tmp_path, *rows)
    assert [each.text for each in log.statements()] == ["SELECT 1"]
    assert dict(log.left_out) == {BY_SERVER: 2}


def test_the_ends_of_short_sessions_are_no_statements_that_lack(tmp_path: Path) -> None:
    """The server counts them, and each choice of a database that is a statement is in neither number."""
    rows = [row(text, thread=thread) for thread in range(100) for text in ("USE bench", "SELECT 1")]
    assert list(whole_of(reading(tmp_path, *rows, questions=200)).missing(END)) == []
    (said,) = whole_of(reading(tmp_path, *rows, questions=300)).missing(END)
    assert said.startswith("the server was sent some 200 statements, of which 100 (50 %) were logged")


def whole_of(log: SlowLogReading) -> SlowLogReading:
    """With all statements taken."""
    assert list(log.statements())
    return log


def test_what_began_outside_of_the_interval_is_counted(tmp_path: Path) -> None:
    rows = [
        row("BEGIN", at_s=-0.001),
        row("UPDATE t SET a = 1", at_s=1),
        row("COMMIT", at_s=2),
        row("SELECT 1", at_s=60.5),
    ]
    log = reading(tmp_path, *rows, running=4)
    assert list(log.statements()) == []
    assert dict(log.left_out) == {BEFORE: 1, TORN: 2, AFTER: 1, RUNNING: 4}
    (said,) = log.missing(END)
    assert said.startswith("4 statements are logged with times outside of the interval, and 0 with times in it")


def test_statements_that_were_not_logged_are_told_with_their_share(tmp_path: Path) -> None:
    log = reading(tmp_path, *[row(f"SELECT {number}") for number in range(90)], questions=901, before=12)
    assert len(list(log.statements())) == 90
    (said,) = log.missing(END)
    assert said == (
        "the server was sent some 900 statements, of which 90 (10 %) were logged: those of sessions that began within "
        "the window, and 12 were there before it"
    )
    few = reading(tmp_path, row("SELECT 1"), questions=15, before=1)
    list(few.statements())
    assert list(few.missing(END)) == [], "what the window's own job asks"


def test_a_file_that_is_cut_or_damaged_says_so(tmp_path: Path) -> None:
    log = reading(tmp_path, row("SELECT 1"), "no row\n", row("SELECT 2"))
    assert len(list(log.statements())) == 2
    assert list(log.missing(END - timedelta(seconds=1))) == [
        "1 rows could not be read",
        "the rows were read at 2026-12-01 12:00:59 UTC, before the interval's end",
    ]
    path = tmp_path / "rows.gz"
    path.write_bytes(path.read_bytes()[:-12])
    cut = open_reading({"patterns": [str(path)], "table": "mariadb"}, "bench", START, END)
    list(cut.statements())
    assert "the file of the window's rows is cut off" in list(cut.missing(END))
    path.unlink()
    with pytest.raises(InvalidInput, match="the file with the window's rows is gone"):
        open_reading({"patterns": [str(path)], "table": "mariadb"}, "bench", START, END)


def mysqls(folder: Path, *rows: str, **counted: int) -> SlowLogReading:
    return reading(folder, *rows, table="mysql", **counted)  # type: ignore[arg-type]


def test_mysqls_commands_of_the_protocol_are_no_statements(tmp_path: Path) -> None:
    """Of each session the server counts all but the first four; its Field List has a row without a text."""
    texts = ("Prepare", "Close stmt", "Reset stmt", "Ping", "Init DB", "Fetch", "", "USE bench", "SELECT 1", "Quit")
    rows = [row(text, at_s=place + 1, thread=thread) for thread in range(1, 101) for place, text in enumerate(texts)]
    log = mysqls(tmp_path, *rows, questions=600)
    assert {each.text for each in log.statements()} == {"USE bench", "SELECT 1"}
    assert dict(log.left_out) == {}
    assert list(log.missing(END)) == []
    (said,) = whole_of(mysqls(tmp_path, *rows, questions=650)).missing(END)
    assert said.startswith("the server was sent some 250 statements, of which 200 (80 %) were logged")


def test_a_mysql_session_from_before_is_left_out_up_to_where_it_is_reset(tmp_path: Path) -> None:
    texts = ("UPDATE t SET a = 1", "COMMIT", "Reset Connection", "SELECT 1")
    rows = [row(text, at_s=place + 1) for place, text in enumerate(texts)]
    rows += [row("SELECT 2", database="other"), row("SELECT 3", at_s=5, thread=8)]
    log = mysqls(tmp_path, row("SELECT 0", thread=6, database="other"), *rows, questions=105, newest=7)
    assert [each.text for each in log.statements()] == ["SELECT 1", "SELECT 3"]
    assert dict(log.left_out) == {OLD: 2, ELSEWHERE: 1}
    (said,) = log.missing(END)
    assert said.startswith("the server was sent some 104 statements, of which 3 (3 %) were logged")
    assert len(list(reading(tmp_path, *rows, newest=7).statements())) == 5, "a switch that is a session's logs no other"


@pytest.mark.parametrize("table", ["mariadb", "mysql"])
def test_a_text_that_may_be_cut_off_is_left_out(tmp_path: Path, table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "LONGEST", 100)
    log = reading(tmp_path, *[row("x" * length) for length in (96, 97, 100, 101)], table=table)
    assert [len(each.text) for each in log.statements()] == [96, 101], "a wider column has it whole"
    assert dict(log.left_out) == {CUT: 2}


@pytest.mark.parametrize("command", ["Reset Connection", "Change user"])
def test_a_mysql_session_that_is_reset_is_a_new_one(tmp_path: Path, command: str) -> None:
    texts = ("SET autocommit = 0", "SELECT 1", command, "SELECT 2")
    log = mysqls(tmp_path, *[row(text, at_s=place + 1) for place, text in enumerate(texts)])
    assert [(each.session, each.text, each.transaction) for each in log.statements()] == [
        ("1764590000-7", "SET autocommit = 0", None), ("1764590000-7", "SELECT 1", 1),
        ("1764590000-7-1", "SELECT 2", None),
    ]  # fmt: skip


def test_what_mysql_hides_is_not_sent_again(tmp_path: Path) -> None:
    hidden = (
        "PREPARE s FROM ...", "/* app */ DEALLOCATE PREPARE s", "drop prepare s",
        "CREATE USER `u`@`%` IDENTIFIED BY <secret>",
    )  # fmt: skip
    told = ("SELECT 'prepare', '<secret>'", "DROP TABLE prepare", "UPDATE t SET a = 1")
    rows = [row(text, at_s=place + 1, affected=None) for place, text in enumerate((*hidden, *told))]
    log = mysqls(tmp_path, *rows)
    found = list(log.statements())
    assert tuple(each.text for each in found) == told
    assert dict(log.left_out) == {BY_EXECUTE: 3, HIDDEN: 1}
    assert found[-1].rows is None


def test_mysqls_texts_are_the_bytes_that_were_sent(tmp_path: Path) -> None:
    sent = (b"SET NAMES latin1", b"SELECT 'caf\xe9'", b"SELECT _binary '\xff?'")
    log = mysqls(tmp_path, *[row(text, at_s=place + 1) for place, text in enumerate(sent)])
    assert [each.text.encode("utf-8", "surrogateescape") for each in log.statements()] == list(sent)
    assert list(log.missing(END)) == []
    untold = mysqls(tmp_path, *[row(text, at_s=place + 1) for place, text in enumerate(sent[1:])])
    assert len(list(untold.statements())) == 2
    (said,) = untold.missing(END)
    assert said.startswith("1 statements have bytes that are no UTF-8")


def test_a_call_of_mysqls_begins_when_its_row_says(tmp_path: Path) -> None:
    log = mysqls(tmp_path, row("SELECT 1", at_s=1), row("CALL p()", at_s=5, seconds=2.0))
    assert [each.at_s for each in log.statements()] == [1.0, 5.0]
