"""A window's job by itself on real servers: which statements reach its file, in what words, and what is left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pymysql
import pytest

from otterflow.dbms.mariadb import capture as of_mariadb
from otterflow.dbms.mariadb.client import CLIENT as MARIADB_CLIENT
from otterflow.dbms.mysql import capture as of_mysql
from otterflow.dbms.mysql.client import CLIENT as MYSQL_CLIENT
from otterflow.dbms.mysql_family.capture import FamilyCapture
from otterflow.dbms.mysql_family.capture_window import LOG_FILE
from otterflow.dbms.mysql_family.slow_log.reading import RUNNING, open_reading
from otterflow.dbms.mysql_family.slow_log.rows import NO_CLIENT
from otterflow.dbms.mysql_family.slow_log.sessions import CUT, OLD
from otterflow.dbms.mysql_family.slow_log.tables import BY_EXECUTE
from otterflow.dbms.statement import Statement
from otterflow.dbms.values import Captured, Login
from otterflow.errors import Problem
from stack.mariadb import USER, PrivateMariadb
from tests.dbms.mysql_family.conftest import target_of
from tests.dbms.mysql_family.servers import THIS_MACHINES, Server, running
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

WINDOW_S = 5
COM_RESET_CONNECTION = 31
CAPTURES: dict[str, FamilyCapture] = {"mariadb": of_mariadb.CAPTURE, "mysql": of_mysql.CAPTURE}
CLIENTS = {"mariadb": MARIADB_CLIENT, "mysql": MYSQL_CLIENT}
CONFIGURED = "[mysqld]\nlog_bin\nserver_id = 1\n"


class Window:
    """A server with a binary log, and the job of one window on it."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self.folder, private = server, folder, server.private
        self.product = server.dbms.product.name
        self.capture = CAPTURES[self.product]
        if isinstance(private, PrivateMariadb):
            self.way: dict[str, Any] = {
                "host": private.host, "port": private.port, "user": USER, "password": private.password,
            }  # fmt: skip
            login = Login(private.host, private.port, USER, private.password, None, {}, "connection 'x'")
        else:
            private.link_programs()
            self.way = {"unix_socket": str(private.socket), "user": "root"}
            login = Login(str(private.socket), None, "root", None, None, {}, "connection 'x'")
        client = CLIENTS[self.product]
        self.access = client.access(login, client.MAINTENANCE_DATABASE)
        self.target = target_of(
            dbms=self.product,
            bin_dir=str(private.bin_dir),
            knobs_file=str(private.knobs_file),
            data_dir=str(private.data_dir),
        )

    def connect(self, **how: Any) -> pymysql.Connection[Any]:
        return pymysql.connect(**{**self.way, "database": "bench", "autocommit": True, **how})

    def open(self, length_s: float = WINDOW_S, **changes: Any) -> subprocess.Popen[str]:
        plan = self.capture.window_plan(self.capture.facts(self.server.query), self.target, None)
        end = datetime.now(UTC) + timedelta(seconds=length_s)
        given = {"longest_s": 60.0, "max_log_bytes": 10**9, "keep_free_bytes": 0} | changes
        job = self.capture.capture_job(
            self.target, self.access, plan.settings, plan.log["patterns"], recording="shop-1", end=end, **given
        )
        for name, text in job.files.items():
            assert isinstance(text, str)
            (self.folder / name).write_text(text)
        process = subprocess.Popen(
            ["bash", "-c", job.script], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip
        wait_until(lambda: (self.folder / "captured").exists() or process.poll() is not None, 60)
        return process

    def closed(self, process: subprocess.Popen[str]) -> Captured:
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 0, said
        assert "the settings of the log are as they were" in said
        assert "sessions that began within the window keep its settings" in said
        captured = self.capture.read_capture({"captured": (self.folder / "captured").read_text()})
        assert captured is not None
        return captured

    def statements(self, captured: Captured) -> tuple[list[Statement], list[str], dict[str, int]]:
        assert captured.off_s is not None
        start, end = (datetime.fromtimestamp(moment, UTC) for moment in (captured.on_s, captured.off_s))
        reading = open_reading({"patterns": [f"{self.folder}/{LOG_FILE}"], "table": self.product}, "bench", start, end)
        found = list(reading.statements())
        return found, list(reading.missing(datetime.now(UTC))), dict(reading.left_out)


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with running(getattr(request, "param", THIS_MACHINES)) as server:
        server.private.user.write_file(server.private.knobs_file, CONFIGURED, 0o644)
        server.private.restart()
        server.query("CREATE DATABASE IF NOT EXISTS bench")
        server.query("CREATE TABLE bench.t (id INT PRIMARY KEY, v VARCHAR(20) CHARACTER SET utf8mb4, b BLOB)")
        server.query("INSERT INTO bench.t (id) VALUES (1), (2)")
        server.query("CREATE PROCEDURE bench.p() BEGIN DO SLEEP(0.4); UPDATE bench.t SET v = 'p'; END")
        yield server


@pytest.fixture
def window(server: Server, tmp_path: Path) -> Window:
    return Window(server, tmp_path)


def reset(connection: Any) -> None:
    """As pools do, by what the client has no word for."""
    connection._execute_command(COM_RESET_CONNECTION, b"")
    connection._read_ok_packet()


def run(cursor: Any, *texts: str | bytes) -> None:
    for text in texts:
        try:
            cursor.execute(text)
        except pymysql.MySQLError:
            assert b"nowhere" in (text if isinstance(text, bytes) else text.encode()), text


@contextmanager
def sleeping(window: Window) -> Iterator[None]:
    """A statement that runs for as long as the block does."""

    def sleep() -> None:
        with suppress(pymysql.MySQLError), connection.cursor() as cursor:
            cursor.execute("SELECT SLEEP(60)")

    connection = window.connect()
    with connection.cursor() as asking:
        asking.execute("SELECT CONNECTION_ID()")
        ((number,),) = asking.fetchall()
    thread = Thread(target=sleep)
    thread.start()
    try:
        yield
    finally:
        window.server.query(f"KILL {number}")
        thread.join()


def check_mariadbs_words(texts: list[str], missing: list[str], left_out: dict[str, int]) -> None:
    assert "SELECT 'café'" in texts
    assert "PREPARE s FROM 'SELECT v FROM t WHERE id = ?'" in texts
    assert "SELECT '?'" in texts, "of utf8mb3, which the table has"
    assert "UPDATE t SET b = _binary '??' WHERE id = 1" in texts
    (said,) = missing
    assert said.startswith("1 statements have a '?' in a value of bytes")
    assert left_out == {RUNNING: 1}


def check_mysqls_words(texts: list[str], missing: list[str], left_out: dict[str, int]) -> None:
    sent = {text.encode("utf-8", "surrogateescape") for text in texts}
    assert {b"SELECT 'caf\xe9'", b"UPDATE t SET b = _binary '\xff\xfe' WHERE id = 1"} <= sent, "as they were sent"
    assert "SELECT '\U0001f9a6'" in texts
    assert not [text for text in texts if text in {"Quit", "Ping", "Init DB"}]
    assert missing == []
    assert left_out == {RUNNING: 1, BY_EXECUTE: 1}


MYSQL = pytest.mark.parametrize("server", ["mysql-9"], indirect=True)
BOTH = pytest.mark.parametrize("server", ["mysql-9", THIS_MACHINES], indirect=True)


@pytest.mark.parametrize("server", ["mariadb-11", "mysql-9", THIS_MACHINES], indirect=True)
def test_what_a_window_tells(window: Window) -> None:
    before = window.server.settings()
    with closing(window.connect()) as old, old.cursor() as unseen:
        process = window.open()
        run(unseen, "SELECT 'of an old session'")
        with closing(window.connect()) as connection, connection.cursor() as cursor:
            run(cursor, "BEGIN", "UPDATE t SET v = 'a'", "COMMIT", "SELECT * FROM nowhere", "SELECT id FROM t")
            run(cursor, "CALL p()")
            run(cursor, "PREPARE s FROM 'SELECT v FROM t WHERE id = ?'", "SET @i = 2", "EXECUTE s USING @i")
            run(cursor, f"SELECT LENGTH('{'x' * 70_000}')", "SELECT 'tab\there\nnewline\\'s'", "SELECT '\U0001f9a6'")
            run(cursor, b"UPDATE t SET b = _binary '\xff\xfe' WHERE id = 1", "SET timestamp = 12345", "SELECT 'late'")
            with closing(window.connect(charset="latin1")) as latin, latin.cursor() as other:
                run(other, b"SELECT 'caf\xe9'")
            with sleeping(window):
                captured = window.closed(process)
    statements, missing, left_out = window.statements(captured)
    texts = [each.text for each in statements]
    assert "SELECT 'of an old session'" not in texts
    assert {"SELECT * FROM nowhere", "CALL p()", "SELECT 'tab\there\nnewline\\'s'"} <= set(texts)
    assert "SELECT v FROM t WHERE id = 2" in texts, "a statement that is prepared comes with its values"
    assert f"SELECT LENGTH('{'x' * 70_000}')" in texts
    assert "DO SLEEP(0.4)" not in texts, "what a procedure does is done by its call"
    (check_mysqls_words if window.product == "mysql" else check_mariadbs_words)(texts, missing, left_out)
    by_text = {each.text: each for each in statements}
    assert by_text["SELECT id FROM t"].rows == 2
    assert by_text["UPDATE t SET v = 'a'"].transaction == by_text["COMMIT"].transaction == 1
    call = by_text["CALL p()"]
    assert call.duration_ms is not None
    assert call.duration_ms > 400
    own = [each.at_s for each in statements if each.session == call.session]
    assert own == sorted(own)
    after = by_text["SET @i = 2"]
    assert after.at_s - call.at_s == pytest.approx(call.duration_ms / 1000, abs=0.2)
    assert by_text["SELECT 'late'"].at_s >= after.at_s, "whatever the session says of the time"
    check_nothing_is_left(window, before)


@MYSQL
def test_a_session_from_before_the_window_begins_where_its_client_resets_it(window: Window) -> None:
    """MySQL's switch of the log is for all sessions: one that is slow by its own settings is logged from then on."""
    with closing(window.connect()) as old, old.cursor() as cursor:
        run(cursor, "SET long_query_time = 0", "BEGIN", "UPDATE t SET v = 'b'")
        process = window.open()
        run(cursor, "UPDATE t SET v = 'torn'", "COMMIT")
        reset(old)
        run(cursor, "SELECT 'after'")
        captured = window.closed(process)
    statements, missing, left_out = window.statements(captured)
    assert [each.text for each in statements] == ["SELECT 'after'"]
    assert (missing, left_out) == ([], {OLD: 2})


@BOTH
def test_large_statements_cost_no_others(window: Window) -> None:
    """A row is twice as long as its text, and the client program takes 16 MiB by itself; the table 16 MB of a text."""
    large = f"SELECT LENGTH('{'x' * 9_000_000}')"
    process = window.open(length_s=15)
    with closing(window.connect(max_allowed_packet=2**30)) as connection, connection.cursor() as cursor:
        run(cursor, "SELECT 'before'", large, "SELECT 'after'")
    window.server.query("SET GLOBAL max_allowed_packet = 67108864")
    with closing(window.connect(max_allowed_packet=2**30)) as connection, connection.cursor() as cursor:
        run(cursor, f"SELECT LENGTH('{'x' * 17_000_000}')")
    window.server.query("SET GLOBAL max_allowed_packet = DEFAULT")
    statements, _, left_out = window.statements(window.closed(process))
    assert {"SELECT 'before'", large, "SELECT 'after'"} <= {each.text for each in statements}
    assert left_out == {CUT: 1}


@BOTH
def test_choices_of_a_database_are_counted_on_both_sides_or_on_none(window: Window) -> None:
    process = window.open(length_s=10)
    for _ in range(30):
        with closing(window.connect()) as connection, connection.cursor() as cursor:
            connection.select_db("bench")
            connection.ping()
            run(cursor, "USE bench", "SELECT 1")
    statements, missing, left_out = window.statements(window.closed(process))
    assert len([each for each in statements if each.text == "SELECT 1"]) == 30
    assert (missing, left_out) == ([], {})


@MYSQL
@pytest.mark.parametrize(
    ("user_host", "is_of_client"),
    [
        ("root[root] @ localhost []", True), ("u[u] @ there [192.0.2.1]", True), ("u[u] @  [2001:db8::1]", True),
        ("skip-grants user[] @  []", False), ("pcu[pcu] @ % []", False),
    ],
)  # fmt: skip
def test_a_replicas_applier_is_no_client(window: Window, user_host: str, is_of_client: bool) -> None:
    """So 9.7 names it, the second where it has PRIVILEGE_CHECKS_USER."""
    sql = (
        f"SELECT {window.capture.LOG.session} AS session FROM (SELECT '{user_host}' AS user_host, 5 AS thread_id) AS r"
    )
    (row,) = window.server.query(sql)
    assert row["session"] == ("5" if is_of_client else f"{NO_CLIENT}5")


@pytest.fixture
def elsewhere(window: Window) -> Iterator[Window]:
    """A window of a server that is not in UTC."""
    private = window.server.private
    private.user.write_file(private.knobs_file, f"{CONFIGURED}default_time_zone = '-05:00'\n", 0o644)
    private.restart()
    yield window
    private.user.write_file(private.knobs_file, CONFIGURED, 0o644)
    private.restart()


@BOTH
def test_the_time_zones_of_server_and_sessions_move_nothing(elsewhere: Window) -> None:
    process = elsewhere.open()
    began = time.time()
    with closing(elsewhere.connect()) as connection, connection.cursor() as cursor:
        run(cursor, "SELECT 'server'", "SET time_zone = '+05:00'", "DO SLEEP(0.5)", "SELECT 'session'", "CALL p()")
        run(cursor, "SET time_zone = '+05:45'", "SELECT 'of its own'", "SET timestamp = 12345", "SELECT 'made up'")
    ended = time.time()
    captured = elsewhere.closed(process)
    statements, missing, left_out = elsewhere.statements(captured)
    at_s = {each.text: captured.on_s + each.at_s for each in statements}
    texts = ("SELECT 'server'", "SELECT 'session'", "CALL p()", "SELECT 'of its own'", "SELECT 'made up'")
    told = [at_s[text] for text in texts]
    assert began - 0.1 < told[0] <= told[1] - 0.5 < told[2] < told[3] - 0.4 < told[4] < ended + 0.1
    assert (missing, left_out) == ([], {})


def test_a_time_that_the_servers_zone_leaves_out_costs_no_row(window: Window) -> None:
    """The hour that a summer's begin leaves out; read in that zone, the table would be "marked as crashed"."""
    sql = subprocess.run(
        ["mariadb-tzinfo-to-sql", "/usr/share/zoneinfo/Europe/Berlin", "Europe/Berlin"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert isinstance(window.server.private, PrivateMariadb)
    window.server.private.sql(f"SET SESSION sql_log_bin = 0; USE mysql; {sql}")
    window.server.query("SET GLOBAL time_zone = 'Europe/Berlin'")
    try:
        process = window.open()
        with closing(window.connect()) as connection, connection.cursor() as cursor:
            run(cursor, "SET time_zone = '+00:00', timestamp = 1774751400", "SELECT 'left out'")  # 2026-03-29 02:30
        captured = window.closed(process)
    finally:
        window.server.query("SET GLOBAL time_zone = DEFAULT")
    statements, missing, _ = window.statements(captured)
    assert "SELECT 'left out'" in [each.text for each in statements]
    assert missing == []


def forget_binary_log(window: Window) -> None:
    window.server.query("RESET MASTER" if window.product == "mariadb" else "RESET BINARY LOGS AND GTIDS")


def check_nothing_is_left(window: Window, before: Any) -> None:
    now = window.server.settings()
    assert {name: now[name].value for name in window.capture.WANTED if name in now} == {
        name: before[name].value for name in window.capture.WANTED if name in before
    }
    assert window.server.private.knobs_file.read_text() == CONFIGURED
    assert window.server.query("SELECT COUNT(*) AS n FROM mysql.slow_log") == [{"n": 0}]
    told = [
        event["Info"]
        for log in window.server.query("SHOW BINARY LOGS")
        for event in window.server.query(f"SHOW BINLOG EVENTS IN '{log['Log_name']}'")
    ]
    assert not [info for info in told if "slow_log" in info], "no replica's table is emptied"
    assert {path.stat().st_mode & 0o077 for path in window.folder.glob("*.gz")} <= {0}
    assert not (window.folder / "part").exists()


@BOTH
@pytest.mark.parametrize("why", ["log_size", "log_unseen", "disk", "changed", "replaced"])
def test_it_ends_early_for_a_reason_that_is_told(window: Window, why: str) -> None:
    before = window.server.settings()
    changes = {"disk": {"keep_free_bytes": 2**60}}.get(why, {})
    if why.startswith("log"):
        changes = {"max_log_bytes": 1000}
    if why == "log_unseen":  # as where only the server's own user may enter its data directory
        window.target = window.target.model_copy(update={"data_dir": "/nowhere/data"})
    process = window.open(**changes)
    if why == "changed":
        window.server.query("SET GLOBAL min_examined_row_limit = 5")
    elif why == "replaced":
        window.server.private.user.write_file(window.server.private.knobs_file, CONFIGURED, 0o644)
    with closing(window.connect()) as connection, connection.cursor() as cursor:
        run(cursor, *[f"SELECT {number}, '{'x' * 100}'" for number in range(20)])
    captured = window.closed(process)
    told = {
        "log_size": "budget.log_size", "log_unseen": "budget.log_size", "disk": "nearly full",
        "changed": "changed a setting", "replaced": "replaced the knobs file",
    }[why]  # fmt: skip
    assert told in captured.because
    if why == "changed":
        (row,) = window.server.query("SELECT @@GLOBAL.min_examined_row_limit AS value")
        assert row["value"] == 5, "what somebody has set stays"
        window.server.query("SET GLOBAL min_examined_row_limit = 0")
    check_nothing_is_left(window, before)


@BOTH
def test_a_job_that_is_told_to_end_leaves_nothing(window: Window) -> None:
    before = window.server.settings()
    process = window.open()
    with closing(window.connect()) as connection, connection.cursor() as cursor:
        run(cursor, "SELECT 'zebra'")
    process.terminate()
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 143, said
    assert "zebra" not in said
    assert not (window.folder / LOG_FILE).exists()
    check_nothing_is_left(window, before)


@BOTH
def test_two_windows_do_not_overlap(window: Window) -> None:
    process = window.open(length_s=50)
    second = Window(window.server, window.folder / "second")
    second.folder.mkdir()
    refused = second.open()
    said, _ = refused.communicate(timeout=300)
    assert refused.returncode == 5
    assert "two windows of one server must not overlap" in said
    process.terminate()
    process.communicate(timeout=300)
    assert process.returncode == 143


@BOTH
def test_what_another_window_has_set_is_put_back_before_a_new_one(window: Window) -> None:
    """As where somebody has switched the slow log off and emptied it, after the job of that window was killed."""
    before, private = window.server.settings(), window.server.private
    process = window.open()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=300)
    window.server.query("SET GLOBAL slow_query_log = OFF")
    window.server.query("SET sql_log_bin = 0")
    window.server.query("TRUNCATE TABLE mysql.slow_log")
    forget_binary_log(window)
    of_long_ago = re.sub(r"(?<=, until )\d{4}", "2020", private.knobs_file.read_text())
    private.user.write_file(private.knobs_file, of_long_ago.replace("shop-1", "other-1"), 0o644)
    (window.folder / "captured").unlink()
    (window.folder / "asked").unlink()
    refused = window.open()
    said, _ = refused.communicate(timeout=300)
    assert refused.returncode == 5
    assert "what the window of recording other-1 has set was not put back: clear the task put_back of its run" in said
    assert "or in /" in said
    job = window.capture.put_back_job(window.target, window.access, "other-1")
    done = subprocess.run(["bash", "-c", job.script], cwd=window.folder, capture_output=True, text=True, check=True)
    assert "sessions that began within the window keep its settings" in done.stdout
    check_nothing_is_left(window, before)


@BOTH
def test_rows_that_came_since_check_are_nobodys_to_remove(window: Window) -> None:
    window.server.query("SET GLOBAL log_output = 'TABLE', GLOBAL long_query_time = 0, GLOBAL slow_query_log = ON")
    window.server.query("SELECT 1")
    window.server.query("SET GLOBAL log_output = 'FILE', GLOBAL long_query_time = 10, GLOBAL slow_query_log = OFF")
    facts = window.capture.facts(window.server.query)
    if window.product == "mariadb":
        assert facts["settings"]["wsrep_on"] == "OFF"
    (problem,) = window.capture.window_problems(facts, sampled=False)
    assert isinstance(problem, Problem)
    process = window.open()
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 5
    assert "mysql.slow_log has rows by now" in said
    assert window.server.query("SELECT COUNT(*) AS n FROM mysql.slow_log")[0]["n"] > 0
    assert window.server.private.knobs_file.read_text() == CONFIGURED
    window.server.query("TRUNCATE TABLE mysql.slow_log")
    forget_binary_log(window)
