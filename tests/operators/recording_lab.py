"""A source with a load, a driver host of its own sshd, and the tasks of a recording's Dag, run in this process."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, LiteralString, Protocol, TypeVar, cast

import pytest
import yaml
from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

from otterflow.operators import check_recording
from otterflow.operators.connections import open_repository
from otterflow.repository import RecordingRecord
from otterflow.workloads.recording.reading import Recording, open_recording
from stack.host import DatabaseHost, Host
from stack.processes import free_port
from stack.sshd import PrivateSshd
from stack.users import ServerUser
from tests.operators.harness import Run, TaskInstance
from tests.waiting import wait_until

DAG_FILE = Path(__file__).resolve().parents[2] / "dags" / "record.py"
TOLD = """\
log_min_duration_statement = 0
log_parameter_max_length_on_error = -1
log_line_prefix = '%m|%u|%d|%c|%v|%e|%Q|'
compute_query_id = on
"""
"""What a server is set to whose log has all."""


@contextmanager
def pgbench_tables(host: DatabaseHost) -> Iterator[None]:
    """Pgbench's tables, and nothing else, in the database `bench` of the host while the block runs.

    It is made anew before and after: a mark of what an experiment loaded there would say what is no longer true.
    """
    cluster = host.cluster
    cluster.renew_database()
    arguments = ["-i", "-q", "-h", cluster.host, "-p", str(cluster.port), "-U", "otterflow", "bench"]
    subprocess.run(
        [str(cluster.bin_dir / "pgbench"), *arguments], check=True, capture_output=True,
        env={"PGPASSWORD": cluster.password, "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    yield
    cluster.renew_database()


SHORTEST = timedelta(seconds=1)
"""How long an interval must be here, where nobody wants to wait for a minute."""


def end_after(start: datetime) -> datetime:
    """The end, which is now, of an interval with a load that is over; of a quick machine's it is waited for."""
    time.sleep(max(0.2, (start + SHORTEST - datetime.now(UTC)).total_seconds()))
    return datetime.now(UTC)


class Pulled(TaskInstance):
    """Airflow's task instance, with what the tasks before have returned."""

    def xcom_pull(self, *, task_ids: str) -> Any:
        return self.run.returned.get(task_ids)


@dataclass
class RecordingRun:
    """One run of a recording's Dag: what each task returned or raised, and who is deferred."""

    run: Run
    dag_run: Any
    deferred: dict[str, TaskDeferred] = field(default_factory=dict)

    @property
    def recording(self) -> str:
        return str(self.run.returned["check"]["recording"])


@dataclass
class AnyRecordingLab:
    """A source `shop`, of whatever DBMS, and `staging`, on whose driver host its load is kept."""

    host: Host
    folder: Path
    driver: PrivateSshd
    kept: Path

    def define(self, **changes: Any) -> None:
        """Write the recording's file."""
        given = {
            "name": "shop", "source": "shop", "database": "bench", "replay_on": "staging", "dir": str(self.kept),
            "cron": "0 * * * *", "timezone": "UTC", "length": "1min", "method": "server_log",
        }  # fmt: skip
        (self.folder / "recordings" / "shop.yaml").write_text(yaml.safe_dump(given | changes))

    def begin(self, start: datetime | None = None, end: datetime | None = None) -> RecordingRun:
        """A run of that data interval, or one that a window's cron has begun now."""
        run_after = end or datetime.now(UTC)
        interval = SimpleNamespace(run_after=run_after, data_interval_start=start, data_interval_end=end)
        return RecordingRun(Run("record_shop", {}, "scheduled"), interval)

    def task(self, run: RecordingRun, task_id: str) -> Any:
        """Execute one task; a deferred one is left so. Raises what it raises."""
        task = self.dag.get_task(task_id)
        context = {"params": {}, "run_id": "scheduled", "ti": Pulled(run.run, task_id), "dag_run": run.dag_run}
        try:
            if task_id in run.deferred:
                run.run.returned[task_id] = task.resume(context, event=None)
            else:
                run.run.returned[task_id] = task.execute(context)
        except TaskDeferred as deferred:
            run.deferred[task_id] = deferred
        return run.run.returned.get(task_id)

    def rest(self, run: RecordingRun, *tasks: str) -> RecordingRecord:
        """Execute these; what the repository knows then."""
        for task_id in tasks:
            self.task(run, task_id)
        return open_repository().recording(run.recording)

    def all(self, run: RecordingRun) -> RecordingRecord:
        """Execute all tasks of a log's recording."""
        return self.rest(run, "check", "record", "keep_manifest")

    @property
    def dag(self) -> Any:
        from airflow.dag_processing.dagbag import DagBag

        bag = DagBag(dag_folder=str(DAG_FILE))
        assert not bag.import_errors
        return bag.dags["record_shop"]

    def jobs(self) -> list[Path]:
        """The folders of jobs that are left on the source's host."""
        return sorted((self.host.work_dir / "jobs").glob("record.*"))

    def opened(self, record: RecordingRecord) -> Recording:
        """The recording on the driver host, verified."""
        recording = open_recording(Path(record.path))
        recording.verify()
        return recording


@dataclass
class RecordingLab(AnyRecordingLab):
    """The source is a PostgreSQL, and its users are pgbench's clients."""

    @property
    def source(self) -> DatabaseHost:
        return cast("DatabaseHost", self.host)

    def tell(self, text: str = TOLD) -> None:
        """Have the source's log tell its load, as a user has set it."""
        self.source.user.write_file(self.source.cluster.knobs_file, text, 0o644)
        loaded = self._asked("SELECT pg_conf_load_time()")
        self._asked("SELECT pg_reload_conf()")
        wait_until(lambda: self._asked("SELECT pg_conf_load_time()") != loaded, 60)

    @contextmanager
    def load(self, *length: str) -> Iterator[subprocess.Popen[str]]:
        """pgbench's TPC-B-like load, four clients, of a length that its own options give, beside the block."""
        cluster = self.source.cluster
        argv = [
            str(cluster.bin_dir / "pgbench"), "-n", "-M", "prepared", "-c4", *length, "-h",
            cluster.host, "-p", str(cluster.port), "-U", "otterflow", "bench",
        ]  # fmt: skip
        process = subprocess.Popen(
            argv, env={"PGPASSWORD": cluster.password, "PATH": "/usr/bin:/bin"}, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def run_load(self, each: int = 250) -> int:
        """The load to its end, so many transactions of each client; how many it made."""
        with self.load(f"-t{each}") as process:
            said, _ = process.communicate(timeout=400)
        (line,) = [each for each in said.splitlines() if "transactions actually processed" in each]
        return int(line.rpartition(":")[2].partition("/")[0])

    def setting(self, name: str) -> str:
        return str(self._asked("SELECT current_setting(%s)", name))

    def transactions(self) -> int:
        """What the source's own counter says."""
        return int(self._asked("SELECT xact_commit FROM pg_stat_database WHERE datname = 'bench'"))

    def _asked(self, sql: LiteralString, *values: str) -> Any:
        with self.source.cluster.connect() as connection:
            row = connection.execute(sql, values).fetchone()
        assert row is not None
        return row[0]


class OpenWindow(Protocol):
    """A run whose window is open, and when that closes."""

    @property
    def run(self) -> RecordingRun: ...

    @property
    def closes(self) -> datetime: ...


W = TypeVar("W", bound=OpenWindow)


def roomy(lab: AnyRecordingLab, windowed: Callable[[int], W], length_s: int) -> W:
    """What `windowed` has opened for so many seconds, with half of them left; on a busy machine for more of them."""
    for seconds in (length_s, 150, 280):  # no two of them end in the same minute, by which a recording is named
        with suppress(AirflowSkipException):
            window = windowed(seconds)
            left_s = (window.closes - datetime.now(UTC)).total_seconds()
            if left_s > seconds / 2:
                return window
            time.sleep(max(0.0, left_s + 3))
            for task in ("capture", "put_back"):
                lab.task(window.run, task)
    raise AssertionError("a window of 280 s was too short")


Lab = TypeVar("Lab", bound=AnyRecordingLab)


@contextmanager
def recording_lab(
    source: Host, folder: Path, monkeypatch: pytest.MonkeyPatch, at: Path | None = None,
    user: ServerUser | None = None, *, kind: type[Lab],
) -> Iterator[Lab]:  # fmt: skip
    """The source's targets, connections and folders, for one test; the driver host's are `at` that folder.

    The driver host lets in `user`; without one, the source's.
    """
    root, user = Path(tempfile.mkdtemp(prefix="driver-", dir=at or source.root)), user or source.user
    root.chmod(0o755)
    driver = PrivateSshd(root / "sshd", user)
    driver.start()
    kept = user.make_dir(root / "kept") / "recordings"
    record = yaml.safe_load((source.targets_dir / f"{source.name}.yaml").read_text())
    targets = folder / "targets"
    for name in (targets, folder / "recordings"):
        name.mkdir()
    (targets / "shop.yaml").write_text(yaml.safe_dump(record | {"name": "shop", "has_users": True}))
    staging = {"name": "staging", "ssh_conn_id": "staging_ssh", "sql_conn_id": "staging_sql",
               "work_dir": str(root / "jobs")}  # fmt: skip
    (targets / "staging.yaml").write_text(yaml.safe_dump(record | staging))
    ssh = json.loads(source.airflow_connections()["AIRFLOW_CONN_OTTERFLOW_TARGET_SSH"])
    ssh |= {"port": driver.port, "login": user.name}
    ssh["extra"] |= {"key_file": str(driver.key_file), "host_key": driver.host_key}
    monkeypatch.setenv("AIRFLOW_CONN_STAGING_SSH", json.dumps(ssh))
    nobody = source.sql_connection | {"host": "127.0.0.1", "port": free_port()}
    monkeypatch.setenv("AIRFLOW_CONN_STAGING_SQL", json.dumps(nobody))
    monkeypatch.setenv("OTTERFLOW_TARGETS_DIR", str(targets))
    monkeypatch.setenv("OTTERFLOW_RECORDINGS_DIR", str(folder / "recordings"))
    monkeypatch.setenv("OTTERFLOW_HOME", str(folder / "home"))
    monkeypatch.setattr(check_recording, "SHORTEST", SHORTEST)
    try:
        yield kind(source, folder, driver, kept)
    finally:
        driver.stop()
        shutil.rmtree(root)


__all__ = ["AirflowSkipException", "AnyRecordingLab", "RecordingLab", "RecordingRun", "recording_lab", "roomy"]
