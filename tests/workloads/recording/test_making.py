"""A recording of a server's log, and what its manifest says where the log does not have all of the interval."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from otterflow.dbms.postgresql.server_log.clock import LogClock
from otterflow.dbms.postgresql.server_log.files import LogFormat
from otterflow.dbms.postgresql.server_log.reading import LogReading
from otterflow.dbms.postgresql.server_log.stderr_log import LinePrefix
from otterflow.workloads.recording.manifest import Manifest, Origin
from otterflow.workloads.recording.reading import open_recording
from tests.dbms.server_log.test_formats import _line as line
from tests.workloads.recording.samples import record_log

LOGS = Path(__file__).parents[2] / "dbms" / "server_log" / "logs"
FIRST = datetime(2026, 11, 29, 12, 7, 24, tzinfo=UTC)


@pytest.fixture
def log() -> Path:
    return LOGS / "16.csv"


def _record(folder: Path, log: Path, start: datetime, end: datetime, read_at: datetime | None = None) -> Manifest:
    origin = Origin("shop", "postgresql", "bench", start, end, "server_log")
    log_format = LogFormat("csvlog", LogClock("Europe/Berlin"))
    return record_log([log], log_format, origin, folder, read_at or end, max_bytes=10**9)


def _span(log: Path) -> tuple[datetime, datetime]:
    """The second of the first record and the minute after it."""
    first = datetime.strptime(log.read_text()[:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) - timedelta(hours=1)
    return first, first + timedelta(minutes=1)


def test_a_log_as_a_recording(tmp_path: Path, log: Path) -> None:
    start, end = _span(log)
    manifest = _record(tmp_path / "r", log, start, end)
    assert (manifest.sessions, manifest.statements) == (6, 32)
    assert manifest.missing == ("2 statements lack their duration; set log_min_duration_statement = 0",)
    text = (tmp_path / "r" / "manifest.json").read_text()
    assert "twice" not in text
    statements = list(open_recording(tmp_path / "r").statements())
    assert len(statements) == 32
    inserts = [each for each in statements if each.text.startswith("INSERT INTO t VALUES ($1, $2")]
    assert {each.statement_class for each in inserts} == {"-7287725651867094936"}


def test_a_log_that_lacks_part_of_the_interval(tmp_path: Path, log: Path) -> None:
    start, end = _span(log)
    manifest = _record(tmp_path / "r", log, start - timedelta(minutes=5), end, end - timedelta(seconds=40))
    assert not manifest.complete
    assert any(said.startswith("the log begins at ") for said in manifest.missing)
    assert any(said.endswith("before the interval's end") for said in manifest.missing)


def test_a_log_whose_values_were_not_written(tmp_path: Path, log: Path) -> None:
    start, end = _span(log)
    poor = tmp_path / "poor.csv"
    poor.write_text(log.read_text().replace("arameters: ", "lagged: "))
    manifest = _record(tmp_path / "r", poor, start, end)
    assert "statements lack their values" in " ".join(manifest.missing)


def test_an_empty_log(tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_bytes(b"")
    manifest = _record(tmp_path / "r", empty, FIRST, FIRST + timedelta(minutes=1))
    assert manifest.missing == ("the log is empty",)
    assert list(open_recording(tmp_path / "r").statements()) == []


@pytest.mark.parametrize("kind", ["stderr", "csvlog", "jsonlog"])
@pytest.mark.parametrize(("place", "said"), [(0, 0), (1, 0), (2, 1), (3, 1)])
def test_what_could_not_be_read_counts_where_the_interval_may_have_lost_something(
    tmp_path: Path, kind: str, place: int, said: int
) -> None:
    lines = [_logged(kind, FIRST + timedelta(seconds=second)) for second in (-20, -10, 10)]
    log = tmp_path / "server.log"
    log.write_text("".join([*lines[:place], "a library's own words\n", *lines[place:]]))
    origin = Origin("shop", "postgresql", "bench", FIRST, FIRST + timedelta(minutes=1), "server_log")
    log_format = LogFormat(kind, LogClock("UTC"), LinePrefix("%m|%d|%c|"))
    manifest = record_log([log], log_format, origin, tmp_path / "r", origin.end, max_bytes=10**9)
    assert manifest.statements == 1
    assert manifest.missing == ("1 records that could not be read",) * said


def _logged(kind: str, moment: datetime) -> str:
    """One statement as the server writes it."""
    time, message = moment.strftime("%Y-%m-%d %H:%M:%S.000 UTC"), "duration: 1.000 ms  statement: SELECT 1"
    if kind == "stderr":
        return f"{time}|bench|1.2|LOG:  {message}\n"
    if kind == "jsonlog":
        record = {"timestamp": time, "session_id": "1.2", "dbname": "bench", "error_severity": "LOG"}
        return json.dumps({**record, "message": message}) + "\n"
    fields = [time, "u", "bench", "", "", "1.2", *[""] * 5, "LOG", "00000", message, *[""] * 12]
    return ",".join(fields) + "\n"


def test_only_files_that_reach_into_the_interval_are_read_and_the_one_before_shows_that_nothing_is_missing(
    tmp_path: Path,
) -> None:
    times = {"a": -7200, "b": -3600, "c": 30, "d": 7200}
    for name, second in times.items():
        (tmp_path / f"{name}.json").write_text(_logged("jsonlog", FIRST + timedelta(seconds=second)) + "torn\n")
    origin = Origin("shop", "postgresql", "bench", FIRST, FIRST + timedelta(minutes=1), "server_log")
    paths = [tmp_path / f"{name}.json" for name in "dbca"]
    reading = LogReading(paths, LogFormat("jsonlog", LogClock("UTC")), "bench", origin.start, origin.end)
    assert [statement.at_s for statement in reading.statements()] == [29.999]
    assert list(reading.missing(origin.end)) == ["2 records that could not be read"], "those of b and c"


def test_what_cannot_be_read_after_the_interval_is_not_missing(tmp_path: Path) -> None:
    line, other = _logged("stderr", FIRST + timedelta(seconds=1)), "2026-11-29 02:00:09.000 UTC [7] LOG:  checkpoint\n"
    last = _logged("stderr", FIRST + timedelta(seconds=61))
    for text, lost in {line + other + last: 1, line + last + other * 3: 0}.items():
        (tmp_path / "server.log").write_text(text)
        log_format = LogFormat("stderr", LogClock("UTC"), LinePrefix("%m|%d|%c|"))
        start = FIRST + timedelta(milliseconds=500)
        reading = LogReading([tmp_path / "server.log"], log_format, "bench", start, FIRST + timedelta(minutes=1))
        assert len(list(reading.statements())) == 1
        found = [said for said in reading.missing(FIRST + timedelta(minutes=2)) if "could not be read" in said]
        assert len(found) == lost, text


@pytest.mark.slow
def test_of_the_sessions_a_share_is_taken_the_same_each_time(tmp_path: Path) -> None:
    log = tmp_path / "server.json"
    lines = [json.loads(_logged("jsonlog", FIRST + timedelta(seconds=1)))] * 1000
    log.write_text("".join(json.dumps(line | {"session_id": f"s{n % 200}"}) + "\n" for n, line in enumerate(lines)))
    found = []
    for number in range(2):
        origin = Origin("shop", "postgresql", "bench", FIRST, FIRST + timedelta(minutes=1), "server_log", 0.3)
        folder = tmp_path / str(number)
        record_log([log], LogFormat("jsonlog", LogClock("UTC")), origin, folder, origin.end)
        found.append(list(open_recording(folder).statements()))
    assert found[0] == found[1]
    sessions = Counter(statement.session for statement in found[0])
    assert 40 <= len(sessions) <= 80
    assert set(sessions.values()) == {5}, "a session is taken whole"


def test_what_the_server_has_drawn_is_not_drawn_again(tmp_path: Path) -> None:
    log = tmp_path / "server.json"
    log.write_text("".join(_logged("jsonlog", FIRST + timedelta(seconds=n)) for n in range(1, 9)))
    origin = Origin("shop", "postgresql", "bench", FIRST, FIRST + timedelta(minutes=1), "transaction_sample", 0.01)
    record_log([log], LogFormat("jsonlog", LogClock("UTC")), origin, tmp_path / "r", origin.end)
    assert len(list(open_recording(tmp_path / "r").statements())) == 8


def test_a_file_that_goes_on_for_long_after_the_interval_hides_no_other(tmp_path: Path) -> None:
    second = timedelta(seconds=1)
    (tmp_path / "a.json").write_text("".join(_logged("jsonlog", FIRST + second * at) for at in (-9, 5, 9999)))
    (tmp_path / "b.json").write_text(_logged("jsonlog", FIRST + second * 7))
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    reading = LogReading(paths, LogFormat("jsonlog", LogClock("UTC")), "bench", FIRST, FIRST + second * 60)
    assert [statement.at_s for statement in reading.statements()] == [4.999, 6.999]
    assert reading.left_out["began after the interval"] == 0, "none is read on after it"


@pytest.mark.parametrize(("method", "told"), [("server_log", True), ("window", False)])
def test_an_interval_without_a_statement_is_not_taken_for_a_whole_one(tmp_path: Path, method: str, told: bool) -> None:
    """Nobody can tell an idle hour from one in which the server did not log its statements, but for a window's."""
    (tmp_path / "log.csv").write_bytes(line("checkpoint starting: time", 0.1, backend="checkpointer"))
    start = datetime(2026, 11, 29, 2, tzinfo=UTC)
    origin = Origin("shop", "postgresql", "shop", start, start + timedelta(minutes=1), method)
    manifest = record_log(
        [tmp_path / "log.csv"],
        LogFormat("csvlog", LogClock("UTC")),
        origin,
        tmp_path / "r",
        origin.end,
        max_bytes=10**9,
    )
    assert manifest.statements == 0
    said = "the log has no statement of the interval: nobody sent one, or the server did not log them then"
    assert manifest.missing == ((said,) if told else ())


@pytest.mark.parametrize(("second", "told"), [(0.5, False), (30.0, True), (59.5, False)])
def test_a_reload_that_changes_what_is_logged_is_told(tmp_path: Path, second: float, told: bool) -> None:
    changed = 'parameter "log_min_duration_statement" changed to "0"'
    lines = b"".join(
        line(message, at)
        for message, at in sorted(
            [(changed, second), ("duration: 0.1 ms  statement: SELECT 1", 0.1),
             ("duration: 0.1 ms  statement: SELECT 2", 59.9)], key=lambda pair: pair[1],
        )
    )  # fmt: skip
    (tmp_path / "log.csv").write_bytes(lines)
    start = datetime(2026, 11, 29, 2, tzinfo=UTC)
    origin = Origin("shop", "postgresql", "shop", start, start + timedelta(minutes=1), "server_log")
    manifest = record_log(
        [tmp_path / "log.csv"],
        LogFormat("csvlog", LogClock("UTC")),
        origin,
        tmp_path / "r",
        origin.end,
        max_bytes=10**9,
    )
    said = "log_min_duration_statement was changed to 0 at "
    assert any(each.startswith(said) for each in manifest.missing) is told
