"""A load recorded by each method, from a real server's log over two real sshds, and what may go wrong meanwhile."""

from __future__ import annotations

import gzip
import json
import logging
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import psutil
import psycopg
import pytest
import yaml
from airflow.sdk.exceptions import AirflowSkipException
from psycopg import sql

from otterflow.dbms.postgresql import capture_window
from otterflow.errors import InvalidInput, MachineryFault
from otterflow.operators.connections import open_repository
from otterflow.repository import RecordingRecord
from otterflow.workloads.recording.manifest import Origin
from stack.host import DatabaseHost
from tests.bench.faults.acts import forget_boot, kill_jobs_of
from tests.moved_clock import WorkerClock
from tests.operators.recording_lab import (
    TOLD,
    RecordingLab,
    RecordingRun,
    end_after,
    pgbench_tables,
    recording_lab,
    roomy,
)
from tests.repository.samples import new_experiment
from tests.small_disk import fill, small_disk
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

STATEMENTS_OF_TPCB = 7
LENGTH = timedelta(minutes=5)
WINDOWS_S = (8, 75, 150)
"""A window's length where the machine has time, and where it is busy. No two in a row end in the same minute, by which
a recording is named."""


@pytest.fixture
def lab(
    clean_host: DatabaseHost, host_environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RecordingLab]:
    with pgbench_tables(clean_host), recording_lab(clean_host, tmp_path, monkeypatch, kind=RecordingLab) as lab:
        lab.define()
        yield lab


def logged_minute(lab: RecordingLab) -> tuple[datetime, datetime, int]:
    """A load of some seconds that a user's own settings have logged; an interval around it, and its transactions."""
    lab.tell()
    begun = datetime.now(UTC)
    transactions = lab.run_load()
    with lab.source.cluster.connect() as connection:
        connection.execute("SELECT 'zebra'")
    return begun, end_after(begun), transactions


def test_a_servers_own_log_is_recorded_where_it_is_replayed(
    lab: RecordingLab, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "otterflow")
    start, end, transactions = logged_minute(lab)
    run = lab.begin(start, end)
    record = lab.all(run)
    assert record.id == f"shop-{start:%Y%m%dT%H%MZ}"
    assert (record.target, record.path) == ("staging", str(lab.kept / record.id))
    recording = lab.opened(record)
    assert recording.manifest.complete, recording.manifest.missing
    statements = list(recording.statements())
    updates = [each for each in statements if each.text.startswith("UPDATE pgbench_accounts")]
    assert len(updates) == transactions
    assert recording.manifest.sessions >= 4
    assert all(each.duration_ms is not None and each.parameters for each in updates)
    assert record.manifest["statements"] == len(statements)

    # What is the user's own stays on both hosts, and nothing else is left there.
    assert any("zebra" in each.text for each in statements)
    said = caplog.text + json.dumps(record.manifest) + json.dumps(run.run.returned)
    assert "zebra" not in said
    assert "UPDATE pgbench_accounts SET abalance = abalance +" not in said
    assert lab.jobs() == []
    assert list((lab.source.work_dir / "recordings").iterdir()) == []
    assert [path.name for path in lab.kept.iterdir()] == [record.id]

    # Once more, as a cleared run: one recording, as it was.
    again = lab.begin(start, end)
    assert lab.all(again) == record
    assert open_repository().recordings("shop") == [record]


def test_a_run_that_a_replay_has_triggered_records_the_interval_that_ends_when_it_was_due(lab: RecordingLab) -> None:
    """Airflow gives such a run no data interval, only when it was due: `make_recording` asks for it so."""
    start, end, transactions = logged_minute(lab)
    wanted = end.replace(microsecond=0) + timedelta(seconds=1) - timedelta(minutes=1)
    assert wanted < start, "the load was within the minute"
    time.sleep(max(0.0, (wanted + timedelta(minutes=1) - datetime.now(UTC)).total_seconds()))
    record = lab.all(lab.begin(None, wanted + timedelta(minutes=1)))
    assert (record.id, record.start, record.end) == (
        f"shop-{wanted:%Y%m%dT%H%MZ}", wanted, wanted + timedelta(minutes=1),
    )  # fmt: skip
    begun_s = (start - wanted).total_seconds()  # what another test did before is in the minute too
    own = [each.text for each in lab.opened(record).statements() if each.at_s >= begun_s]
    assert sum(text.startswith("UPDATE pgbench_accounts") for text in own) == transactions


def test_a_worker_that_dies_after_any_step_leaves_one_whole_recording(
    lab: RecordingLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, end, _ = logged_minute(lab)
    run = lab.begin(start, end)
    lab.task(run, "check")

    class Killed(BaseException):
        """Nothing that any step could catch."""

    def die(*_: object, **__: object) -> None:
        raise Killed

    for place in ("kept_recordings.stream_file", "kept_recordings.KeptRecordings.receive", "jobs.Jobs.clean"):
        with monkeypatch.context() as patched:
            patched.setattr(f"otterflow.hosts.{place}", die)
            with pytest.raises(Killed):
                lab.task(run, "record")
    record = lab.rest(run, "record", "keep_manifest")
    assert lab.opened(record).manifest.statements == record.manifest["statements"]
    assert [path.name for path in lab.kept.iterdir()] == [record.id]
    assert lab.jobs() == []
    assert list((lab.source.work_dir / "recordings").iterdir()) == []


def test_a_log_that_was_rotated_and_compressed_in_the_interval_is_read_as_one(lab: RecordingLab) -> None:
    lab.tell()
    log = lab.source.cluster.log_file
    start = datetime.now(UTC)
    before = lab.run_load()
    rotated = log.with_name(log.name + ".1.gz")
    lab.source.user.write_file(rotated, "")
    with gzip.open(rotated, "wb") as file:
        file.write(log.read_bytes())
    log.write_text("")  # as logrotate's copytruncate does
    after = lab.run_load()
    end = end_after(start)
    try:
        recording = lab.opened(lab.all(lab.begin(start, end)))
    finally:
        rotated.unlink()
    found = Counter(each.text.partition(" SET ")[0] for each in recording.statements())
    assert found["UPDATE pgbench_accounts"] == before + after


def test_csvlog_of_the_collector_with_a_rotation_of_its_own(lab: RecordingLab) -> None:
    collector = "logging_collector = on\nlog_destination = 'csvlog'\nlog_filename = 'shop-%H%M%S.log'\n"
    lab.source.user.write_file(lab.source.cluster.knobs_file, TOLD + collector, 0o644)
    lab.source.cluster.restart()
    folder = lab.source.cluster.data_dir / "log"
    try:
        start = datetime.now(UTC)
        before = lab.run_load()
        with lab.source.cluster.connect() as connection:
            connection.execute("SELECT pg_rotate_logfile()")
        after = lab.run_load()
        run = lab.begin(start, end_after(start))
        recording = lab.opened(lab.all(run))
        assert run.run.returned["check"]["log"]["kind"] == "csvlog"
        assert len(list(folder.glob("*.csv"))) >= 2
    finally:
        lab.source.user.write_file(lab.source.cluster.knobs_file, "", 0o644)
        lab.source.cluster.restart()
        shutil.rmtree(folder)
    found = Counter(each.text.partition(" SET ")[0] for each in recording.statements())
    assert found["UPDATE pgbench_accounts"] == before + after


@dataclass(frozen=True)
class Window:
    """A run whose window is open: when it closes, and when its settings came into force, at the earliest and latest."""

    run: RecordingRun
    closes: datetime
    opened: tuple[datetime, datetime]

    def check_length(self, origin: Origin) -> None:
        """It was in force from its opening to its planned end, to which the host's job keeps by itself."""
        assert self.opened[0] <= origin.start <= self.opened[1]
        assert -2 < (origin.end - self.closes).total_seconds() < 30


def windowed(lab: RecordingLab, length_s: int, *, worker_ahead_s: int = 0, **changes: object) -> Window:
    """A run whose window is open, for so long from now.

    Raises AirflowSkipException where the machine was too slow to open it at all.
    """
    lab.define(
        **({"method": "window", "length": f"{LENGTH.total_seconds():g}s", "budget": {"core_percent": 100}} | changes)
    )
    run = lab.begin()
    closes = datetime.now(UTC) + timedelta(seconds=length_s)
    run.dag_run.run_after = closes + timedelta(seconds=worker_ahead_s) - LENGTH
    lab.task(run, "check")
    begun = datetime.now(UTC)
    lab.task(run, "capture")
    assert "capture" in run.deferred, "it waits without a worker"
    return Window(run, closes, (begun, datetime.now(UTC)))


def in_a_window(
    lab: RecordingLab, act: Callable[[], int], *, worker_ahead_s: int = 0, **changes: object
) -> tuple[Window, int, RecordingRecord]:
    """A window that has closed, what `act` gave within it, and the recording.

    A machine that is too busy to do all that in a short window is given a longer one: what is lost is then the
    machine's time, and not the load that a test counts.
    """
    for length_s in WINDOWS_S:
        try:
            window = windowed(lab, length_s, worker_ahead_s=worker_ahead_s, **changes)
        except AirflowSkipException:
            continue
        try:
            found = act()
        except AssertionError:
            if datetime.now(UTC) < window.closes:
                raise
        in_time = datetime.now(UTC) < window.closes
        until(window.closes)
        if in_time:
            with lab.source.cluster.connect() as connection:
                connection.execute("CHECKPOINT")  # told in the log's own format again
            return window, found, lab.rest(window.run, "capture", "put_back", "record", "keep_manifest")
        lab.task(window.run, "capture")
        lab.task(window.run, "put_back")
    raise AssertionError(f"a window of {WINDOWS_S[-1]} s was too short")


def until(moment: datetime) -> None:
    time.sleep(max(0.0, (moment - datetime.now(UTC)).total_seconds() + 3))


FOUND = "work_mem = '8MB'\nlog_line_prefix = '%m [%p] '\n"


def test_a_window_of_a_server_whose_log_tells_nothing(lab: RecordingLab) -> None:
    lab.tell(FOUND)

    def act() -> int:
        assert lab.setting("log_min_duration_statement") == "0"
        return lab.run_load()

    window, transactions, record = in_a_window(lab, act)
    assert lab.setting("log_min_duration_statement") == "-1"
    assert lab.source.cluster.knobs_file.read_text() == FOUND
    recording = lab.opened(record)
    assert (recording.manifest.origin.method, recording.manifest.origin.share) == ("window", 1.0)
    window.check_length(recording.manifest.origin)
    found = Counter(each.text.partition(" SET ")[0] for each in recording.statements())
    assert found["UPDATE pgbench_accounts"] == transactions
    assert recording.manifest.complete, recording.manifest.missing
    assert lab.jobs() == []


def test_of_a_sample_each_transaction_is_whole(lab: RecordingLab) -> None:
    lab.tell(FOUND)
    _, transactions, record = in_a_window(lab, lab.run_load, method="transaction_sample", share=0.2)
    recording = lab.opened(record)
    assert (recording.manifest.origin.method, recording.manifest.origin.share) == ("transaction_sample", 0.2)
    sizes: Counter[tuple[str, int | None]] = Counter()
    for each in recording.statements():
        if each.transaction is not None:
            sizes[each.session, each.transaction] += 1
    lasts = set({session: (session, number) for session, number in sizes}.values())
    whole = {size for each, size in sizes.items() if each not in lasts}  # a last one may be cut, as the window closes
    assert whole == {STATEMENTS_OF_TPCB}
    assert 0.1 * transactions < len(sizes) < 0.3 * transactions
    assert lab.source.cluster.knobs_file.read_text() == FOUND


def test_the_host_ends_a_window_that_no_worker_comes_back_to(lab: RecordingLab) -> None:
    lab.tell(FOUND)
    window = roomy(lab, partial(windowed, lab), 30)
    # From here on no task runs: the worker is dead, and Airflow with it.
    wait_until(lambda: lab.source.cluster.knobs_file.read_text() == FOUND, 400)
    assert datetime.now(UTC) > window.closes - timedelta(seconds=1)
    wait_until(lambda: lab.setting("log_min_duration_statement") == "-1", 400)
    # Airflow is back: what was told of the load is not lost.
    record = lab.rest(window.run, "capture", "put_back", "record", "keep_manifest")
    window.check_length(lab.opened(record).manifest.origin)
    assert lab.opened(record).manifest.complete


def test_what_a_killed_job_leaves_is_told_by_check_target_and_taken_back_by_put_back(lab: RecordingLab) -> None:
    from otterflow.dbms.postgresql.capture import left_on

    lab.tell(FOUND)
    run = windowed(lab, 280).run
    jobs = [int((path / "pid").read_text().split()[0]) for path in lab.jobs()]
    assert len(jobs) == 1
    for line in Path("/proc").glob("[0-9]*/stat"):
        fields = _stat(line)
        if fields and int(fields[3]) == jobs[0]:
            subprocess.run(["kill", "-KILL", line.parent.name], check=False)
    text = lab.source.cluster.knobs_file.read_text()
    problem = left_on(text, str(lab.source.cluster.knobs_file))
    assert problem is not None
    assert run.recording in problem.found
    with pytest.raises(MachineryFault, match="the window was not kept to its end"):
        lab.task(run, "capture")
    lab.task(run, "put_back")
    assert lab.source.cluster.knobs_file.read_text() == FOUND
    assert lab.setting("log_min_duration_statement") == "-1"
    lab.task(run, "put_back")


def test_a_host_that_reboots_in_a_window_has_its_settings_back_and_the_interval_is_given_up(lab: RecordingLab) -> None:
    from otterflow.dbms.postgresql.capture import left_on

    lab.tell(FOUND)
    run, cluster = windowed(lab, 280).run, lab.source.cluster
    lab.run_load(20)
    kill_jobs_of(lab.source)
    server = psutil.Process(cluster.pid)
    processes = [server, *server.children()]
    for process in processes:
        process.kill()
    psutil.wait_procs(processes, timeout=20)
    forget_boot(lab.source)
    cluster.start()  # as the host does when it boots
    assert lab.setting("log_min_duration_statement") == "0", "the server reads the file that the reboot has left"
    problem = left_on(cluster.knobs_file.read_text(), str(cluster.knobs_file))
    assert problem is not None
    assert run.recording in str(problem)
    with pytest.raises(MachineryFault, match=r"not kept to its end: its job is gone .* the host was restarted"):
        lab.task(run, "capture")
    lab.task(run, "put_back")
    assert cluster.knobs_file.read_text() == FOUND
    assert lab.setting("log_min_duration_statement") == "-1"
    assert open_repository().recordings("shop") == []
    assert not lab.kept.exists() or list(lab.kept.iterdir()) == []
    assert lab.jobs() == []


def _stat(path: Path) -> list[str]:
    """The fields of /proc/PID/stat behind the name: state, parent, group, session, ..."""
    try:
        return path.read_text().rpartition(") ")[2].split()
    except OSError:
        return []


def test_a_disk_that_is_full_as_the_window_ends_keeps_no_setting_in_force(lab: RecordingLab) -> None:
    """The knobs file could not be written anew, and the server logged every statement until somebody came."""
    with small_disk(1) as disk:
        kept, knobs = disk / "knobs.conf", lab.source.cluster.knobs_file
        shutil.chown(disk, lab.source.user.name)
        lab.source.user.write_file(kept, FOUND, 0o644)
        knobs.unlink(missing_ok=True)
        knobs.symlink_to(kept)
        try:
            run = roomy(lab, partial(windowed, lab), 30).run
            fill(disk)
            wait_until(lambda: kept.read_text() == FOUND, 400)
            wait_until(lambda: lab.setting("log_min_duration_statement") == "-1", 400)
            for task in ("capture", "put_back"):
                lab.task(run, task)
        finally:
            knobs.unlink()


def test_a_source_that_is_restarted_while_it_is_recorded(lab: RecordingLab) -> None:
    lab.tell(FOUND)

    def act() -> int:
        before = lab.run_load(100)
        lab.source.cluster.restart()
        return before + lab.run_load(100)

    _, transactions, record = in_a_window(lab, act)
    found = Counter(each.text.partition(" SET ")[0] for each in lab.opened(record).statements())
    assert found["UPDATE pgbench_accounts"] == transactions
    assert lab.source.cluster.knobs_file.read_text() == FOUND
    assert lab.setting("log_min_duration_statement") == "-1"


@contextmanager
def changed_password(lab: RecordingLab) -> Iterator[Callable[[], str]]:
    """Within the block the source lets in nobody by the password that is known here.

    Yields what asks for the level of logging that is in force, by a session from before.
    """
    own = lab.source.cluster.password
    with lab.source.cluster.connect() as session:

        def becomes(password: str) -> None:
            session.execute(sql.SQL("ALTER ROLE otterflow PASSWORD {}").format(sql.Literal(password)))

        def in_force() -> str:
            (row,) = session.execute("SHOW log_min_duration_statement").fetchall()
            return str(row[0])

        becomes(f"not {own}")
        try:
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                lab.setting("work_mem")
            yield in_force
        finally:
            becomes(own)


def test_a_password_that_is_changed_in_a_window_keeps_it_from_nothing(lab: RecordingLab) -> None:
    lab.tell(FOUND)
    window = roomy(lab, partial(windowed, lab), 45)
    transactions = lab.run_load(20)
    with changed_password(lab) as in_force:
        assert in_force() == "0"
        wait_until(lambda: lab.source.cluster.knobs_file.read_text() == FOUND, 400)
        assert in_force() == "-1"
        record = lab.rest(window.run, "capture", "put_back", "record", "keep_manifest")
    recording = lab.opened(record)
    found = Counter(each.text.partition(" SET ")[0] for each in recording.statements())
    assert found["UPDATE pgbench_accounts"] == transactions
    assert recording.manifest.complete, recording.manifest.missing


def test_a_server_that_lets_nobody_in_at_the_end_of_a_window_is_told_of_until_it_does(
    lab: RecordingLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    from otterflow.dbms.postgresql.capture import left_on

    monkeypatch.setattr(capture_window, "DOWN_S", 4)
    lab.tell(FOUND)
    window, cluster = roomy(lab, partial(windowed, lab), 45), lab.source.cluster
    cluster.restart()  # the job's own session is gone
    with changed_password(lab) as in_force:
        until(window.closes)
        lab.task(window.run, "capture")
        with pytest.raises(
            MachineryFault, match=r"(?s)password authentication failed.*logs statements as in the window"
        ):
            lab.task(window.run, "put_back")
        assert in_force() == "0"
        text = cluster.knobs_file.read_text()
        assert "log_min_duration_statement" not in text
        problem = left_on(text, str(cluster.knobs_file))
        assert problem is not None, "the window is not over"
    record = lab.rest(window.run, "put_back", "record", "keep_manifest")
    assert cluster.knobs_file.read_text() == FOUND
    assert lab.setting("log_min_duration_statement") == "-1"
    assert lab.opened(record).manifest.complete


@pytest.mark.parametrize("seconds", [-300, 300])
def test_a_window_is_as_long_as_it_should_be_whatever_the_workers_clock_says(
    lab: RecordingLab, monkeypatch: pytest.MonkeyPatch, seconds: int, caplog: pytest.LogCaptureFixture
) -> None:
    from otterflow.hosts import log_access, recording_check  # noqa: F401 loaded, so that they are deceived

    lab.tell(FOUND)
    WorkerClock(monkeypatch).set_by(seconds)
    window, _, record = in_a_window(lab, lambda: 0, worker_ahead_s=seconds)
    assert window.run.run.returned["check"]["clock_ahead_s"] == pytest.approx(-seconds, abs=30)
    assert re.search(r"the source's clock is [-+]\d+ s from this one's", caplog.text)
    window.check_length(lab.opened(record).manifest.origin)
    assert record.manifest["clock_ahead_s"] == pytest.approx(-seconds, abs=30)


def test_check_says_all_that_is_missing_at_once(lab: RecordingLab) -> None:
    lab.tell("log_parameter_max_length = 64\n")
    end = datetime.now(UTC)
    with pytest.raises(InvalidInput) as refused:
        lab.task(lab.begin(end - timedelta(minutes=1), end), "check")
    said = str(refused.value)
    for part in ("log_min_duration_statement: it is off", "log_parameter_max_length: it is 64 bytes"):
        assert part in said


def test_check_says_that_the_knobs_file_cannot_be_written_for_a_window(lab: RecordingLab) -> None:
    path = lab.folder / "targets" / "shop.yaml"
    record = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(record | {"knobs_file": "/nowhere/knobs.conf", "bin_dir": "/nowhere"}))
    lab.define(method="window")
    with pytest.raises(InvalidInput) as refused:
        lab.task(lab.begin(), "check")
    assert "knobs_file: its folder /nowhere cannot be written" in str(refused.value)


def test_what_costs_more_than_its_budget_is_refused_with_the_numbers_or_sampled(lab: RecordingLab) -> None:
    lab.tell(FOUND)
    tight = {"core_percent": 0.1}
    lab.define(method="window", budget=tight)
    idle = lab.transactions()
    with lab.load("-T900"):
        wait_until(lambda: lab.transactions() > idle + 100, 400)
        run = lab.begin()
        with pytest.raises(InvalidInput, match=r"budget: the recording would cost .* % of a core .* a second"):
            lab.task(run, "check")
        lab.define(method="window", budget={**tight, "above": "sample"})
        plan = lab.task(lab.begin(), "check")
    assert plan["method"] == "transaction_sample"
    assert 0.001 <= plan["share"] < 1
    assert plan["settings"]["log_transaction_sample_rate"] == f"{plan['share']:g}"
    assert lab.source.cluster.knobs_file.read_text() == FOUND, "check touches nothing"


def test_an_interval_that_cannot_be_recorded_is_refused_or_skipped_with_the_reason(lab: RecordingLab) -> None:
    now = datetime.now(UTC)
    with pytest.raises(InvalidInput, match=r"interval: it ends at .* in the future"):
        lab.task(lab.begin(now, now + timedelta(hours=1)), "check")
    lab.define(method="window")
    late = lab.begin()
    late.dag_run.run_after = now - timedelta(hours=1)
    with pytest.raises(AirflowSkipException, match="the window closed at"):
        lab.task(late, "check")
    repository = open_repository()
    repository.create_experiment(new_experiment())
    repository.hold_target("shop", "night")
    with pytest.raises(AirflowSkipException, match="source 'shop' is held by experiment 'night'"):
        lab.task(lab.begin(), "check")


def test_a_source_that_is_the_staging_server_under_another_name_is_refused(
    lab: RecordingLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.tell()
    path = lab.folder / "targets" / "staging.yaml"
    record = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(record | {"sql_conn_id": "otterflow_target_sql"}))
    end = datetime.now(UTC)
    with pytest.raises(InvalidInput, match="replay_on: 'staging' is the same server as the source 'shop'"):
        lab.task(lab.begin(end - timedelta(minutes=1), end), "check")


def test_a_driver_host_without_room_is_refused_before_anything_is_written(lab: RecordingLab) -> None:
    lab.tell()
    with small_disk(8) as disk:
        lab.source.user.make_dir(disk)
        lab.define(dir=f"{disk}/recordings")
        end = datetime.now(UTC)
        with pytest.raises(InvalidInput, match=r"dir: its disk on .* MiB free; make room: 1,024 MiB are to stay free"):
            lab.task(lab.begin(end - timedelta(minutes=1), end), "check")
        assert list(disk.iterdir()) == []


def test_retention_is_applied_after_each_run_and_what_an_experiment_replays_stays(lab: RecordingLab) -> None:
    start, end, _ = logged_minute(lab)
    old = [start - timedelta(days=days) for days in (40, 50)]
    first = lab.all(lab.begin(start, end))
    repository = open_repository()
    for moment in old:
        name = f"shop-{moment:%Y%m%dT%H%MZ}"
        shutil.copytree(first.path, lab.kept / name)
        for path in (lab.kept / name, *(lab.kept / name).iterdir()):
            shutil.chown(path, lab.source.user.name)
        repository.add_recording(
            name, name="shop", target="staging", path=str(lab.kept / name), start=moment, end=moment, manifest={}
        )
    repository.create_experiment(new_experiment(spec={"iterations": 1, "recording": f"shop-{old[1]:%Y%m%dT%H%MZ}"}))
    lab.all(lab.begin(start, end))
    removed = {record.id: record.removed_at is not None for record in repository.recordings("shop")}
    assert removed == {
        first.id: False, f"shop-{old[0]:%Y%m%dT%H%MZ}": True, f"shop-{old[1]:%Y%m%dT%H%MZ}": False,
    }  # fmt: skip
    assert sorted(path.name for path in lab.kept.iterdir()) == sorted(
        name for name, gone in removed.items() if not gone
    )
