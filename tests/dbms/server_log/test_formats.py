"""Logs that were cut, torn, rotated, in other encodings and other zones."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from otterflow.dbms import log_interval
from otterflow.dbms.postgresql.server_log import statements as reasons
from otterflow.dbms.postgresql.server_log.clock import LogClock
from otterflow.dbms.postgresql.server_log.csv_log import read_csv_log
from otterflow.dbms.postgresql.server_log.files import LogFormat, read_files
from otterflow.dbms.postgresql.server_log.json_log import read_json_log
from otterflow.dbms.postgresql.server_log.messages import parameters_of, read_message
from otterflow.dbms.postgresql.server_log.record import CUT, UNREADABLE, Damage, LogRecord
from otterflow.dbms.postgresql.server_log.statements import LogStatements
from otterflow.dbms.postgresql.server_log.stderr_log import LinePrefix, read_stderr_log
from otterflow.errors import InvalidInput

UTC_CLOCK = LogClock("UTC")


def _line(message: str, second: float = 1.0, session: str = "a.1", **changes: str) -> bytes:
    """One record as csvlog writes it."""
    fields = [""] * 26
    fields[0] = f"2026-11-29 02:00:{second:06.3f} UTC"
    fields[1], fields[2], fields[5], fields[11], fields[12], fields[13] = "u", "shop", session, "LOG", "00000", message
    fields[8], fields[9], fields[23] = "2026-11-29 01:00:00 UTC", "3/0", "client backend"
    for name, value in changes.items():
        fields[{"detail": 14, "vxid": 9, "severity": 11, "state": 12, "query": 19, "backend": 23}[name]] = value
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(fields)
    return out.getvalue().encode("utf-8", "surrogateescape")


def _csv(data: bytes) -> tuple[list[LogRecord], Damage]:
    damage = Damage()
    return list(read_csv_log(io.BytesIO(data), UTC_CLOCK, damage)), damage


def _statements(records: Iterable[LogRecord], length_s: float = 60, start: str = "02:00:00") -> LogStatements:
    """What a log's records give, as an object that also has the statements in `found`."""
    start_s = datetime.fromisoformat(f"2026-11-29T{start}+00:00").timestamp()
    log = LogStatements("shop", start_s, start_s + length_s)
    log.found = [*log.read(records), *log.close()]  # type: ignore[attr-defined]
    return log


def test_line_ends_and_quotes_within_a_record() -> None:
    text = 'SELECT "a\n\n2026-11-29 02:00:00.000 UTC,x,y'
    records, damage = _csv(_line(f"duration: 1.000 ms  statement: {text}") + _line("other"))
    assert [each.message.partition(": ")[2].partition(": ")[2] for each in records] == [text, ""]
    assert not damage.counts


def test_a_record_that_a_crash_cut_costs_itself_alone() -> None:
    torn = _line('duration: 1.000 ms  statement: SELECT "x')[:90] + b"\n"
    assert torn.count(b'"') % 2 == 1
    records, damage = _csv(_line("one") + torn + _line("two") + _line("three"))
    assert [each.message for each in records] == ["one", "two", "three"]
    assert damage.counts == {UNREADABLE: 1}


def test_the_last_record_of_a_file_may_be_cut_anywhere() -> None:
    whole, last = _line("one"), _line("duration: 1.000 ms  statement: SELECT 'a',\n\"b\"")
    for length in range(1, len(last)):
        records, damage = _csv(whole + last[:length])
        assert [each.message for each in records] == ["one"]
        assert sum(damage.counts.values()) == 1


def test_the_last_line_of_the_other_formats_may_be_cut() -> None:
    record = {"timestamp": "2026-11-29 02:00:00.000 UTC", "session_id": "a", "error_severity": "LOG", "message": "é"}
    line = json.dumps(record).encode() + b"\n"
    damage = Damage()
    assert len(list(read_json_log(io.BytesIO(line + b"{broken}\n" + line[:-5]), UTC_CLOCK, damage))) == 1
    assert damage.counts == {UNREADABLE: 1, CUT: 1}
    plain = b"2026-11-29 02:00:00.000 UTC|shop|a.1|LOG:  one\n\ttwo\n"
    damage = Damage()
    read = list(read_stderr_log(io.BytesIO(plain + plain[:-3]), LinePrefix("%m|%d|%c|"), UTC_CLOCK, damage))
    assert [each.message for each in read] == ["one\ntwo"]
    assert damage.counts == {CUT: 1}


def test_bytes_that_are_no_utf_8_come_through() -> None:
    data = _line("duration: 1.000 ms  execute <unnamed>: SELECT 'caf\udce9', $1", detail="Parameters: $1 = '\udcff'")
    (statement,) = _statements(_csv(data)[0]).found  # type: ignore[attr-defined]
    assert statement.text.encode("utf-8", "surrogateescape") == b"SELECT 'caf\xe9', $1"
    assert statement.parameters == ("\udcff",)


@pytest.mark.slow
def test_ten_megabytes_in_one_statement() -> None:
    value = "it''s a \"line\"\n" * 700_000
    records, _ = _csv(
        _line("duration: 1.000 ms  execute x: SELECT $1", detail=f"parameters: $1 = '{value}', $2 = NULL")
    )
    (statement,) = _statements(records).found  # type: ignore[attr-defined]
    assert statement.parameters == (value.replace("''", "'"), None)


@pytest.mark.parametrize("word", ["parameters: ", "Parameters: "])
def test_both_spellings_of_the_parameters(word: str) -> None:
    assert parameters_of(word + "$1 = 'a, $2 = ''b'', NULL', $2 = NULL, $3 = ''") == ("a, $2 = 'b', NULL", None, "")
    assert parameters_of("prepare: PREPARE x AS SELECT 1") is None


def test_a_server_that_speaks_another_language_is_told() -> None:
    with pytest.raises(InvalidInput, match="lc_messages"):
        read_message("Dauer: 0.123 ms  Anweisung: SELECT 1")


def test_rotated_files_are_joined_by_their_times(tmp_path: Path) -> None:
    def said(second: int) -> bytes:
        return _line(f"duration: 1.000 ms  statement: SELECT {second}", second)

    (tmp_path / "b.csv").write_bytes(said(1) + said(2))
    (tmp_path / "z.csv.gz").write_bytes(gzip.compress(said(3) + said(4)))
    (tmp_path / "a.csv").write_bytes(said(5))
    (tmp_path / "c.csv").write_bytes(b"")
    records = read_files(list(tmp_path.iterdir()), LogFormat("csvlog", UTC_CLOCK), Damage())
    log = _statements(records)
    assert [each.text for each in log.found] == [f"SELECT {n}" for n in range(1, 6)]  # type: ignore[attr-defined]


def test_parsing_and_binding_just_before_belong_to_the_execution() -> None:
    data = (
        _line("duration: 1.000 ms  parse p: SELECT $1", 10.001)
        + _line("duration: 2.000 ms  bind p: SELECT $1", 10.003, detail="Parameters: $1 = '5'")
        + _line("duration: 3.000 ms  execute p: SELECT $1", 10.006, detail="Parameters: $1 = '5'")
        + _line("duration: 0.500 ms  bind p/c: SELECT $1", 11.0)
        + _line("duration: 0.500 ms  execute p/c: SELECT $1", 11.0, detail="Parameters: $1 = '6'")
        + _line("duration: 0.500 ms  execute fetch from p/c: SELECT $1", 11.1, detail="Parameters: $1 = '6'")
    )
    log = _statements(_csv(data)[0])
    first, second = log.found  # type: ignore[attr-defined]
    assert (first.at_s, first.duration_ms, first.prepared) == (pytest.approx(10.0), 6.0, "p")
    assert (second.duration_ms, second.prepared, second.parameters) == (1.0, "p", ("6",))
    assert log.left_out == {reasons.FETCHED: 1}


def test_a_session_seen_from_its_middle_begins_with_a_whole_transaction() -> None:
    def said(text: str, second: int, vxid: str) -> bytes:
        return _line(f"duration: 1.000 ms  statement: {text}", second, vxid=vxid)

    data = (
        said("UPDATE a", 1, "3/7") + said("UPDATE b", 2, "3/7") + said("COMMIT", 3, "3/0") + said("SELECT 1", 4, "3/0")
    )
    log = _statements(_csv(data)[0])
    assert [each.text for each in log.found] == ["SELECT 1"]  # type: ignore[attr-defined]
    assert log.left_out == {log_interval.TORN: 3}
    singles = said("SELECT 1", 1, "3/7") + said("SELECT 2", 2, "3/8") + said("SELECT 3", 3, "3/9")
    log = _statements(_csv(singles)[0])
    assert [each.text for each in log.found] == ["SELECT 2", "SELECT 3"]  # type: ignore[attr-defined]


def test_the_interval_cuts_no_transaction_in_two() -> None:
    def said(text: str, second: int) -> bytes:
        return _line(f"duration: 1.000 ms  statement: {text}", second)

    data = b"".join(
        said(text, second)
        for second, text in enumerate(["SELECT 0", "BEGIN", "SELECT 1", "COMMIT", "SELECT 2", "SELECT 3"])
    )
    log = _statements(_csv(data)[0], length_s=2.5, start="02:00:02")
    assert [each.text for each in log.found] == ["SELECT 2"]  # type: ignore[attr-defined]
    assert log.left_out == {log_interval.BEFORE: 3, log_interval.TORN: 1, log_interval.AFTER: 1}


def test_servers_own_processes_and_function_calls_are_not_statements() -> None:
    data = (
        _line("duration: 1.000 ms  statement: SELECT 1", backend="walsender")
        + _line('fastpath function call: "lo_open" (OID 952)')
        + _line("duration: 1.000 ms  statement: SELECT 2")
    )
    log = _statements(_csv(data)[0])
    assert [each.text for each in log.found] == ["SELECT 2"]  # type: ignore[attr-defined]
    assert log.left_out == {reasons.CALLED: 1}


def test_a_session_that_has_ended_is_forgotten() -> None:
    def lines() -> Iterable[bytes]:
        for number in range(50):
            yield _line("statement: SELECT 1", session=f"a.{number}")
            yield _line(
                "disconnection: session time: 0:00:01.000 user=u database=shop host=[local]", session=f"a.{number}"
            )

    log = _statements(read_csv_log(lines(), UTC_CLOCK, Damage()))
    assert len(log.found) == log.untimed == 50  # type: ignore[attr-defined]
    assert log._sessions == {}


def _seconds(zone: str | None, text: str) -> datetime:
    return datetime.fromtimestamp(LogClock(zone).seconds(text), UTC)


def test_the_clock_of_the_log() -> None:
    assert _seconds("Europe/Berlin", "2026-07-01 12:00:00.250 CEST").isoformat() == "2026-07-01T10:00:00.250000+00:00"
    assert _seconds(None, "2026-07-01 12:00:00.000 UTC").hour == 12
    assert _seconds(None, "2026-07-01 12:00:00.000 +0530").minute == 30
    assert _seconds("America/Caracas", "2026-07-01 12:00:00.000 -04").hour == 16


def test_the_hour_that_comes_twice_is_told_by_its_name() -> None:
    assert _seconds("Europe/Berlin", "2026-10-25 02:30:00.000 CEST").hour == 0
    assert _seconds("Europe/Berlin", "2026-10-25 02:30:00.000 CET").hour == 1


@pytest.mark.parametrize(("zone", "text"), [(None, "2026-07-01 12:00:00.000 CEST"), ("Mars/Base", "")])
def test_a_clock_that_cannot_be_read_is_told(zone: str | None, text: str) -> None:
    with pytest.raises(InvalidInput, match="log_timezone"):
        LogClock(zone).seconds(text)


@pytest.mark.parametrize(
    "prefix", ["%m [%p] %u@%d ", "%n %c %d ", "%q%m %-5p %d x", "%m [%p] %q%u@%d/%a ", "%m %% %c %d %h "]
)
def test_line_prefixes(prefix: str) -> None:
    values = {
        "%m": "2026-11-29 02:00:00.000 UTC", "%n": "1795917600.000", "%p": "77", "%c": "a1.b2", "%u": "bob",
        "%d": "shop", "%a": "my app", "%h": "10.0.0.1", "%q": "", "%-5p": "77   ", "%%": "%",
    }  # fmt: skip
    line = prefix
    for escape, value in values.items():
        line = line.replace(escape, value)
    data = f"{line}ERROR:  no such table: x\n{line}STATEMENT:  SELECT\n\t1\n".encode()
    (record,) = read_stderr_log(io.BytesIO(data), LinePrefix(prefix), UTC_CLOCK, Damage())
    assert (record.database, record.severity, record.message, record.query) == (
        "shop", "ERROR", "no such table: x", "SELECT\n1",
    )  # fmt: skip
    assert datetime.fromtimestamp(record.time_s, UTC).year == 2026


@pytest.mark.parametrize(
    ("prefix", "lacks"),
    [("%t %c %d", "milliseconds"), ("%m %d", "session"), ("%m [%p] ", "database"), ("", "the time")],
)
def test_a_line_prefix_that_tells_too_little(prefix: str, lacks: str) -> None:
    with pytest.raises(InvalidInput, match=r"log_line_prefix.*" + lacks):
        LinePrefix(prefix)


def test_a_format_that_is_not_read() -> None:
    with pytest.raises(InvalidInput, match="log_destination: 'syslog'"):
        LogFormat("syslog", UTC_CLOCK)
    with pytest.raises(InvalidInput, match="log_line_prefix"):
        LogFormat("stderr", UTC_CLOCK)
