"""The load of a MariaDB and of a MySQL recorded in a window, and what may go wrong meanwhile.

The server is a real one, behind two real sshds.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import pymysql
import pytest
from airflow.sdk.exceptions import AirflowSkipException

from otterflow.dbms.mariadb.capture import CAPTURE as OF_MARIADB
from otterflow.dbms.mysql.capture import CAPTURE as OF_MYSQL
from otterflow.dbms.mysql_family.capture import FamilyCapture
from otterflow.dbms.values import CaptureRate
from otterflow.errors import InvalidInput, MachineryFault
from otterflow.repository import RecordingRecord
from stack.family_host import FamilyHost
from stack.mariadb import PrivateMariadb
from stack.suite_server import SuiteServer
from tests.bench.faults.acts import forget_boot, kill_jobs_of
from tests.dbms.mysql_family.conftest import mariadb_host  # noqa: F401 fixture
from tests.operators.family_source import PRODUCTS, Source, cleaned, host_of
from tests.operators.recording_lab import AnyRecordingLab, RecordingRun, recording_lab, roomy
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

LENGTH = timedelta(minutes=5)
WINDOWS_S = (8, 75, 150)
"""A window's length where the machine has time, and where it is busy, as in `test_recordings`."""
FOUND = "[mysqld]\nloose_log_slow_rate_limit = 3\nmin_examined_row_limit = 3\nlong_query_time = 2.5\n"
"""What somebody has set."""
CLIENTS, EACH = 3, 20
CAPTURES: dict[str, FamilyCapture] = {"mariadb": OF_MARIADB, "mysql": OF_MYSQL}
IN_FORCE: dict[str, dict[str, Any]] = {
    "mariadb": {"log_slow_rate_limit": 1, "log_slow_filter": "", "log_slow_disabled_statements": "slave,sp"},
    "mysql": {"log_slow_admin_statements": 1, "log_queries_not_using_indexes": 0},
}
"""What a window sets besides what it sets in both."""
LOGGED_NOW = {
    "mariadb": "SET long_query_time = 0, min_examined_row_limit = 0, slow_query_log = ON, log_slow_rate_limit = 1",
    "mysql": "SET long_query_time = 0, min_examined_row_limit = 0",
}
POOR = {
    "mariadb": "PROCESS, RELOAD, BINLOG ADMIN, CONNECTION ADMIN, READ_ONLY ADMIN, REPLICATION SLAVE ADMIN",
    "mysql": "PROCESS, RELOAD",
}
"""All but the right to switch the log on."""
TO_SET = {"mariadb": "SUPER", "mysql": "SYSTEM_VARIABLES_ADMIN"}


@dataclass
class FamilyLab(AnyRecordingLab):
    """The source is a MariaDB or a MySQL, and its users are threads of this process."""

    @property
    def product(self) -> str:
        return cast("FamilyHost", self.host).dbms

    @property
    def capture(self) -> FamilyCapture:
        return CAPTURES[self.product]

    @property
    def source(self) -> Source:
        return Source(cast("FamilyHost", self.host))

    @property
    def server(self) -> PrivateMariadb | SuiteServer:
        return self.source.server

    def client(self) -> None:
        """One session, which ends: transactions of three statements, and one by itself."""
        with self.source.connect() as connection, connection.cursor() as cursor:
            for number in range(EACH):
                connection.begin()
                cursor.execute("SELECT n FROM stock WHERE id = %s", [number])
                cursor.execute("UPDATE stock SET n = n + 1, what = 'zebra' WHERE id = %s", [number])
                connection.commit()
            cursor.execute("SELECT 'zebra' AS what")

    def run_load(self) -> int:
        """Clients, one after the other; how many transactions they made."""
        for _ in range(CLIENTS):
            self.client()
        return CLIENTS * EACH

    def asked(self, sql: str) -> list[dict[str, Any]]:
        with self.source.connect(None) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def settings(self) -> dict[str, Any]:
        """What is in force of what a window sets."""
        names = ("log_output", "long_query_time", "min_examined_row_limit", "slow_query_log", *IN_FORCE[self.product])
        (row,) = self.asked("SELECT " + ", ".join(f"@@GLOBAL.{name} AS {name}" for name in names))
        return row

    def logged(self) -> int:
        (row,) = self.asked("SELECT COUNT(*) AS number FROM mysql.slow_log")
        return int(row["number"])

    def knobs(self) -> str:
        return self.server.knobs_file.read_text()


@pytest.fixture(scope="module", params=PRODUCTS)
def source_host(request: pytest.FixtureRequest) -> Iterator[FamilyHost]:
    """A host of either product."""
    if request.param == "mariadb":
        yield request.getfixturevalue("mariadb_host")
    else:
        with host_of("mysql") as host:
            yield host


@pytest.fixture
def lab(source_host: FamilyHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FamilyLab]:
    server = source_host.server
    for name, value in source_host.environment().items():
        monkeypatch.setenv(name, value)
    with cleaned(source_host):
        source_host.user.write_file(server.knobs_file, FOUND, 0o644)
        server.restart()
        with recording_lab(source_host, tmp_path, monkeypatch, kind=FamilyLab) as lab:
            with lab.source.connect() as connection, connection.cursor() as cursor:
                cursor.execute("DROP TABLE IF EXISTS stock")
                cursor.execute("CREATE TABLE stock (id INT PRIMARY KEY, n INT NOT NULL, what VARCHAR(20))")
                cursor.executemany("INSERT INTO stock VALUES (%s, 0, '')", [(number,) for number in range(100)])
            lab.define(method="window")
            yield lab
            with lab.source.connect() as connection, connection.cursor() as cursor:
                cursor.execute("SET GLOBAL slow_query_log = OFF")
                cursor.execute("TRUNCATE TABLE mysql.slow_log")
                cursor.execute("DROP TABLE stock")


class Window(NamedTuple):
    """A run whose window is open, and when that closes."""

    run: RecordingRun
    closes: datetime


def windowed(lab: FamilyLab, length_s: int) -> Window:
    """A run whose window is open. Raises AirflowSkipException where it is too late to open it."""
    lab.define(method="window", length=f"{LENGTH.total_seconds():g}s", budget={"core_percent": 100})
    run = lab.begin()
    closes = datetime.now(UTC) + timedelta(seconds=length_s)
    run.dag_run.run_after = closes - LENGTH
    lab.task(run, "check")
    lab.task(run, "capture")
    assert "capture" in run.deferred, "it waits without a worker"
    return Window(run, closes)


def until(moment: datetime) -> None:
    time.sleep(max(0.0, (moment - datetime.now(UTC)).total_seconds() + 1))


def in_a_window(
    lab: FamilyLab, act: Callable[[], int], before: Callable[[], None] = lambda: None
) -> tuple[RecordingRun, int, RecordingRecord]:
    """A window that has closed, what `act` gave within it, and the recording. `before` each try something is done."""
    for length_s in WINDOWS_S:
        before()
        try:
            run, closes = windowed(lab, length_s)
        except AirflowSkipException:
            continue
        found = 0
        try:
            found = act()
        except AssertionError:
            if datetime.now(UTC) < closes:
                raise
        in_time = datetime.now(UTC) < closes
        until(closes)
        lab.task(run, "capture")
        lab.task(run, "put_back")
        if in_time:
            return run, found, lab.rest(run, "record", "keep_manifest")
        for rows in lab.jobs():  # which nobody is to record
            shutil.rmtree(rows)
    raise AssertionError(f"a window of {WINDOWS_S[-1]} s was too short")


def test_a_window_of_a_server_whose_slow_log_is_off(lab: FamilyLab, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "otterflow")
    before = lab.settings()
    begun = datetime.now(UTC)
    left = lab.host.work_dir / "jobs" / "record.shop-20261101T0000Z.capture"  # of which no recording was made
    for folder in (left.parent, left):
        lab.host.user.make_dir(folder)
    os.utime(left, (begun.timestamp() - 3 * 86_400,) * 2)

    def act() -> int:
        assert not left.exists()
        assert lab.settings() == before | IN_FORCE[lab.product] | {
            "log_output": "TABLE", "long_query_time": 0, "min_examined_row_limit": 0, "slow_query_log": 1,
        }  # fmt: skip
        assert lab.capture.left_on(lab.knobs(), "") is not None
        return lab.run_load()

    run, transactions, record = in_a_window(lab, act)
    assert lab.settings() == before
    assert lab.knobs() == FOUND
    assert lab.logged() == 0
    recording = lab.opened(record)
    manifest = recording.manifest
    assert (manifest.origin.dbms, manifest.origin.method, manifest.origin.share) == (lab.product, "window", 1.0)
    assert manifest.complete, manifest.missing
    statements = list(recording.statements())
    updates = [each for each in statements if each.text.startswith("UPDATE stock")]
    assert len(updates) == transactions
    rows = 1 if lab.product == "mariadb" else None
    assert all(each.rows == rows and each.duration_ms is not None and each.parameters is None for each in updates)
    assert len({(each.session, each.transaction) for each in updates}) == transactions
    assert manifest.sessions >= CLIENTS
    assert all(0 <= each.at_s < manifest.origin.seconds for each in statements)
    assert begun < manifest.origin.start < manifest.origin.end <= datetime.now(UTC)
    by_session = [each.at_s for each in statements if each.session == updates[0].session]
    assert by_session == sorted(by_session)

    # What is the users' own stays in the recording.
    assert any("zebra" in each.text for each in statements)
    assert "zebra" not in caplog.text + json.dumps(record.manifest) + json.dumps(run.run.returned)
    assert lab.jobs() == []
    assert list((lab.host.work_dir / "recordings").iterdir()) == []


def test_sessions_that_were_there_before_are_told_of(lab: FamilyLab) -> None:
    with lab.source.connect() as old, old.cursor() as cursor:

        def act() -> int:
            for number in range(200):
                cursor.execute("SELECT %s", [number])
            return lab.run_load()

        _, transactions, record = in_a_window(lab, act)
    manifest = lab.opened(record).manifest
    (said,) = manifest.missing
    assert "were logged: those of sessions that began within the window, and 1 were there before it" in said
    updates = [each for each in manifest.classes if each.text.startswith("update stock")]
    assert [each.statements for each in updates] == [transactions]


def test_what_a_killed_job_leaves_is_told_and_taken_back_by_put_back(lab: FamilyLab) -> None:
    before = lab.settings()
    run, _ = windowed(lab, 280)
    lab.client()
    kill_jobs_of(lab.host)
    assert lab.capture.left_on(lab.knobs(), "") is not None
    assert lab.logged() > 0
    with lab.source.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET GLOBAL long_query_time = 7")  # somebody's own, since
    with pytest.raises(MachineryFault, match="the window was not kept to its end"):
        lab.task(run, "capture")
    lab.task(run, "put_back")
    assert lab.settings() == before | {"long_query_time": 7}
    assert lab.knobs() == FOUND
    assert lab.logged() == 0
    assert lab.jobs() == []
    lab.task(run, "put_back")
    assert lab.settings() == before | {"long_query_time": 7}


def test_a_host_that_reboots_in_a_window_comes_up_as_it_is_configured(lab: FamilyLab) -> None:
    before = lab.settings()
    run, _ = windowed(lab, 280)
    lab.client()
    kill_jobs_of(lab.host)
    assert lab.server.pid
    os.kill(lab.server.pid, signal.SIGKILL)
    wait_until(lambda: not lab.server.is_running)
    forget_boot(lab.host)
    time.sleep(1)  # another second than the one that it was started in
    lab.server.start()
    assert lab.settings() == before
    with pytest.raises(MachineryFault, match="not kept to its end"):
        lab.task(run, "capture")
    lab.task(run, "put_back")
    assert (lab.settings(), lab.knobs(), lab.logged()) == (before, FOUND, 0)
    assert lab.jobs() == []


def test_a_server_that_is_restarted_in_a_window_ends_it(lab: FamilyLab) -> None:
    before = lab.settings()

    def act() -> int:
        made = lab.run_load()
        time.sleep(2.5)  # looked at by then
        lab.server.restart()
        return made

    _, transactions, record = in_a_window(lab, act)
    assert (lab.settings(), lab.knobs(), lab.logged()) == (before, FOUND, 0)
    recording = lab.opened(record)
    updates = [each for each in recording.statements() if each.text.startswith("UPDATE stock")]
    assert len(updates) == transactions
    assert "the window ended early: the server was restarted" in recording.manifest.missing[0]


def test_a_password_that_is_changed_in_a_window_keeps_it_from_nothing(lab: FamilyLab) -> None:
    before, own = lab.settings(), lab.source.password
    run, closes = roomy(lab, partial(windowed, lab), 10)
    lab.client()
    lab.source.sql("ALTER USER otterflow@'%' IDENTIFIED BY 'another'")
    try:
        with pytest.raises(pymysql.OperationalError):
            lab.settings()
        until(closes)
        wait_until(lambda: lab.knobs() == FOUND, 400)
    finally:
        lab.source.sql(f"ALTER USER otterflow@'%' IDENTIFIED BY '{own}'")
    assert (lab.settings(), lab.logged()) == (before, 0)
    manifest = lab.opened(lab.rest(run, "capture", "put_back", "record", "keep_manifest")).manifest
    assert [each.statements for each in manifest.classes if each.text.startswith("update stock")] == [EACH]


def test_check_says_all_that_stands_in_the_way_at_once(lab: FamilyLab) -> None:
    with lab.source.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET GLOBAL log_output = 'TABLE', GLOBAL slow_query_log = ON")
        cursor.execute(LOGGED_NOW[lab.product])
        cursor.execute("SELECT 'of yours'")
        try:
            with pytest.raises(InvalidInput) as refused:
                lab.task(lab.begin(), "check")
        finally:
            cursor.execute("SET GLOBAL slow_query_log = OFF, GLOBAL log_output = 'FILE'")
    said = str(refused.value)
    assert "slow_query_log: it is ON" in said
    assert "mysql.slow_log: it holds rows of yours" in said
    assert lab.logged() > 0


def test_what_costs_more_than_its_budget_is_refused(lab: FamilyLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab.capture, "rate", lambda query: CaptureRate(2000.0, "statements"))
    lab.define(method="window", budget={"log_size": "1B", "above": "sample"})
    with pytest.raises(InvalidInput, match=r"budget: .*; allow more, or record a shorter interval"):
        lab.task(lab.begin(), "check")
    assert lab.knobs() == FOUND


@pytest.mark.parametrize("method", ["server_log", "transaction_sample"])
def test_other_methods_are_refused(lab: FamilyLab, method: str) -> None:
    lab.define(method=method, share=0.5)
    end = datetime.now(UTC)
    given = (end - timedelta(minutes=1), end) if method == "server_log" else ()
    with pytest.raises(InvalidInput, match=r"method: .*; use method window"):
        lab.task(lab.begin(*given), "check")


def test_who_may_not_is_told_the_grants(lab: FamilyLab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.source.sql(f"CREATE USER poor@'%' IDENTIFIED BY 'poor'; GRANT {POOR[lab.product]} ON *.* TO poor@'%';"
                   "GRANT SELECT ON bench.* TO poor@'%'; GRANT SELECT ON mysql.slow_log TO poor@'%';")  # fmt: skip
    connection = lab.host.sql_connection | {"login": "poor", "password": "poor"}
    monkeypatch.setenv("AIRFLOW_CONN_OTTERFLOW_TARGET_SQL", json.dumps(connection))
    try:
        with pytest.raises(InvalidInput) as refused:
            lab.task(lab.begin(), "check")
    finally:
        lab.source.sql("DROP USER poor@'%'")
    said = str(refused.value)
    assert f"GRANT {TO_SET[lab.product]} ON *.* TO `poor`@`%`" in said
    assert "GRANT DROP ON mysql.slow_log TO `poor`@`%`" in said
