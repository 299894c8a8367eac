"""A live server tuned under a load that is not otterflow's: never restarted, its data never touched."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from bisect import bisect
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from otterflow.errors import TEACHES_NOTHING
from otterflow.operators.connections import open_repository
from otterflow.remote.job import RemoteJob
from stack.host import SQL_CONN_ID, DatabaseHost
from tests.operators.conftest import change_connection
from tests.operators.harness import FAILED, SKIPPED, SUCCESS, Dags, Run
from tests.operators.test_experiment_in_process import as_shown, explain, in_force_on

pytestmark = pytest.mark.integration

USERS_TABLE = "CREATE TABLE users_own AS SELECT g AS id, md5(g::text) AS word FROM generate_series(1, 2000) AS g"
SCRIPT = r"""
\set id random(1, 2000)
BEGIN;
SELECT count(*) FROM users_own WHERE id <= :id;
UPDATE users_own SET word = md5(word) WHERE id = :id;
COMMIT;
"""
USERS_LOG = "users-log"


@pytest.fixture
def live(lab: DatabaseHost, tmp_path: Path) -> Iterator[DatabaseHost]:
    """The private server with a table of its users, and the shipped live benchmark with a short window."""
    path = Path(os.environ["OTTERFLOW_INCLUDE_DIR"]) / "benchmarks" / "live.yaml"
    record = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(record | {"warmup_s": 0.2, "duration_s": 3}))
    with lab.cluster.connect("bench") as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        connection.execute(USERS_TABLE)
    yield lab
    with lab.cluster.connect("bench") as connection:
        connection.execute("DROP TABLE users_own")


@pytest.fixture
def form(live: DatabaseHost, params: dict[str, Any]) -> dict[str, Any]:
    """As the form is filled in: what restores data keeps its default, and means nothing."""
    return {**params, "benchmark": "live", "restore_every": 10}


@contextmanager
def users(host: DatabaseHost, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """pgbench as the users of the server, who know nothing of otterflow."""
    script = folder / "users.sql"
    script.write_text(SCRIPT)
    environment = {"PATH": os.environ["PATH"], "PGPASSWORD": host.cluster.password}
    words = [
        str(host.cluster.bin_dir / "pgbench"), "--no-vacuum", f"--file={script}", "--client=2", "--time=600",
        "--rate=200", "--log", f"--log-prefix={folder}/{USERS_LOG}", f"--host={host.cluster.host}",
        f"--port={host.cluster.port}", "--username=otterflow", "bench",
    ]  # fmt: skip
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def ended_at(folder: Path) -> list[float]:
    """When each transaction of the users ended, in seconds; the last few may be missing."""
    (log,) = folder.glob(f"{USERS_LOG}.*")
    lines = log.read_text().rpartition("\n")[0].splitlines()
    return [int(line.split()[4]) + int(line.split()[5]) / 1e6 for line in lines]


def in_windows(times: list[float], seconds: float) -> list[int]:
    """How many of the times lie in each window of so many seconds."""
    begins = [time for time in times if time + seconds <= times[-1]]
    return [bisect(times, begin + seconds) - at for at, begin in enumerate(begins)]


def started_at(host: DatabaseHost) -> str:
    with host.cluster.connect("postgres") as connection:
        row = connection.execute("SELECT pg_postmaster_start_time()::text").fetchone()
    assert row is not None
    return str(row[0])


def comment_on_bench(host: DatabaseHost) -> Any:
    with host.cluster.connect("postgres") as connection:
        return connection.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'bench'"
        ).fetchone()


def test_a_live_server_is_tuned_without_a_restart(
    live: DatabaseHost, dags: Dags, form: dict[str, Any], tmp_path: Path
) -> None:
    begun, comment = started_at(live), comment_on_bench(live)
    with users(live, tmp_path) as load:
        runs = dags.follow("tuning_experiment", {**form, "iterations": 3})
        assert load.poll() is None, "no user was sent away"
    assert all(r.state == SUCCESS for r in runs), explain(runs)
    assert [r.run_id for r in runs][-1] == "in-process-finish-1", explain(runs)
    assert started_at(live) == begun
    assert comment_on_bench(live) == comment
    assert [r.states["restore"] for r in runs[1:4]] == [SKIPPED] * 3
    assert runs[0].returned["take_snapshot"] == {"loaded": False, "snapshot": False}

    trials, times = open_repository().trials("in-process"), ended_at(tmp_path)
    assert [t.state for t in trials] == ["ok"] * 3, [t.message for t in trials]
    assert any(t.wanted != trials[0].wanted for t in trials)
    for trial in trials:
        assert trial.in_force == trial.wanted
        assert trial.result is not None
        seconds, counted = trial.result["seconds"], trial.result["transactions"]
        # A session tells the server's counters what it did each second.
        assert 0.9 * min(in_windows(times, seconds - 1)) <= counted <= 1.1 * max(in_windows(times, seconds + 1)) + 20
        assert trial.objective == trial.result["latency_ms"]["mean"]
    shown = in_force_on(live)
    experiment = open_repository().experiment("in-process")
    assert experiment.last_good is not None
    assert all(shown[knob] == as_shown(value) for knob, value in experiment.last_good.configuration.items())
    assert {experiment.live[knob["name"]]["context"] for knob in experiment.space} <= {"sighup", "superuser", "user"}
    assert list(live.snapshot_dir.iterdir()) == []


def test_an_idle_server_ends_the_experiment_with_the_reason_and_stays_as_it_was(
    live: DatabaseHost, dags: Dags, form: dict[str, Any]
) -> None:
    begun = started_at(live)
    runs = dags.follow("tuning_experiment", {**form, "iterations": 1})
    assert runs[1].states["benchmark"] == FAILED, explain(runs)
    assert runs[1].states["recover"] == FAILED, explain(runs)
    (trial,) = open_repository().trials("in-process")
    assert trial.state == "failed"
    assert "the server is idle" in trial.message
    assert "the server is idle" in open_repository().experiment("in-process").finished_because
    assert trial.reasons[TEACHES_NOTHING] is True
    assert started_at(live) == begun


def test_recover_starts_a_live_server_that_is_down_and_only_then(
    live: DatabaseHost, dags: Dags, form: dict[str, Any], tmp_path: Path
) -> None:
    def stop_it(run: Run, task: str) -> None:
        if (run.run_id, task) == ("in-process-0000", "restart"):
            live.cluster.stop()

    with users(live, tmp_path):
        runs = dags.follow("tuning_experiment", form, before=stop_it)
    assert runs[-1].run_id == "in-process-0000", explain(runs)
    assert runs[-1].state == FAILED
    assert "did not end by itself" in str(runs[-1].errors["recover"])
    assert live.cluster.is_running


def test_a_user_with_the_privileges_of_the_example_is_enough(
    live: DatabaseHost, dags: Dags, form: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with live.cluster.connect("bench") as connection:
        connection.execute("CREATE ROLE watcher LOGIN PASSWORD 'seen'")
        connection.execute("GRANT pg_monitor TO watcher")
    change_connection(monkeypatch, SQL_CONN_ID, login="watcher", password="seen")
    try:
        run = dags.run("tuning_experiment", form)
        assert "user 'watcher' may not reload the configuration; GRANT EXECUTE ON" in str(run.errors["check_target"])
        with live.cluster.connect("bench") as connection:
            connection.execute("GRANT EXECUTE ON FUNCTION pg_reload_conf() TO watcher")
        with users(live, tmp_path):
            runs = dags.follow("tuning_experiment", {**form, "experiment": "watched", "iterations": 2}, most=3)
        assert all(r.state == SUCCESS for r in runs), explain(runs)
        assert [t.state for t in open_repository().trials("watched")] == ["ok", "ok"]
    finally:
        with live.cluster.connect("bench") as connection:
            connection.execute("DROP OWNED BY watcher")
            connection.execute("DROP ROLE watcher")


class WorkerDied(BaseException):
    """Stands for a SIGKILL: nothing of the task runs after it."""


def test_a_window_whose_worker_died_is_gone_on_with(
    live: DatabaseHost, dags: Dags, form: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job observes on; the next try waits for its end, and takes the metrics' reading made at its begin."""
    path = Path(os.environ["OTTERFLOW_INCLUDE_DIR"]) / "benchmarks" / "live.yaml"
    clock = {"sql": "SELECT extract(epoch FROM clock_timestamp()) AS clock", "numbers": {"clock": "difference"}}
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"duration_s": 4, "metrics": [clock]}))
    real = RemoteJob.wait

    def wait(job: RemoteJob, *args: Any, **kwargs: Any) -> Any:
        if job.paths.job_id.endswith("-run1"):
            monkeypatch.setattr(RemoteJob, "wait", real)
            time.sleep(2)
            raise WorkerDied(job.paths.job_id)
        return real(job, *args, **kwargs)

    monkeypatch.setattr(RemoteJob, "wait", wait)
    begun: list[bool] = []
    begin = RemoteJob.start_or_attach

    def start_or_attach(job: RemoteJob, *args: Any, **kwargs: Any) -> bool:
        started = begin(job, *args, **kwargs)
        if job.paths.job_id.endswith("-run1"):
            begun.append(started)
        return started

    monkeypatch.setattr(RemoteJob, "start_or_attach", start_or_attach)
    with users(live, tmp_path):
        with pytest.raises(WorkerDied):
            dags.follow("tuning_experiment", form)
        again = dags.run_task("tuning_iteration", "benchmark", {"experiment": "in-process", "iteration": 0})
    assert again.states["benchmark"] == SUCCESS, again.errors
    result = again.returned["benchmark"]
    assert begun == [True, False], "one window, not two"
    assert result["metrics"]["clock"] >= result["seconds"]


def test_statistics_that_are_reset_end_the_trial_with_a_sentence(
    live: DatabaseHost, dags: Dags, form: dict[str, Any], tmp_path: Path
) -> None:
    resets, ended = [], threading.Event()

    def begin_resets(run: Run, task: str) -> None:
        if task == "benchmark":
            resets.append(threading.Thread(target=reset_until, args=(live, ended)))
            resets[-1].start()

    with users(live, tmp_path):
        dags.follow("tuning_experiment", {**form, "iterations": 1}, before=begin_resets, most=2)
    ended.set()
    for reset in resets:
        reset.join()
    (trial,) = open_repository().trials("in-process")
    assert trial.state == "failed"
    assert "latency_mean: pg_stat_statements was reset within the window" in trial.message


def reset_until(host: DatabaseHost, ended: threading.Event) -> None:
    """Reset the statistics of statements a few times a second, and so within each window meanwhile."""
    with host.cluster.connect("bench") as connection:
        while not ended.wait(0.3):
            connection.execute("SELECT pg_stat_statements_reset()")


def test_what_a_live_server_does_not_allow_is_refused(
    live: DatabaseHost, dags: Dags, form: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = dags.run("tuning_experiment", {**form, "drop_cache": True})
    assert "drop_cache: would empty the page cache under the users" in str(run.errors["check_experiment"])

    target = yaml.safe_load((live.targets_dir / f"{live.name}.yaml").read_text())
    (tmp_path / f"{live.name}.yaml").write_text(yaml.safe_dump(target | {"has_users": True}))
    monkeypatch.setenv("OTTERFLOW_TARGETS_DIR", str(tmp_path))
    run = dags.run("tuning_experiment", {**form, "benchmark": "analytics"})
    message = str(run.errors["check_experiment"])
    assert "benchmark: 'analytics' loads data and restarts the server, and target 'private' has users" in message

    with live.cluster.connect("bench") as connection:
        connection.execute("DROP EXTENSION pg_stat_statements")
    run = dags.run("tuning_experiment", {**form, "extra_knobs": ["shared_buffers"]})
    message = str(run.errors["check_target"])
    assert "extra_knobs: 'shared_buffers' comes into force by a restart" in message
    assert "objective: latency_mean cannot be measured" in message
    assert "CREATE EXTENSION pg_stat_statements in database 'bench'" in message
    assert open_repository().holder(live.name) is None
