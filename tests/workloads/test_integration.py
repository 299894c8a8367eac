"""Every shipped benchmark, small and short, against a real PostgreSQL: load, warm up, run, read, believe."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any, LiteralString

import psutil
import psycopg
import pytest

from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.dbms.postgresql.dbms import DBMS
from otterflow.errors import BenchmarkFailed
from otterflow.measures.result import BenchmarkResult
from otterflow.remote.script import JobScript
from otterflow.workloads.analytics.output import TIMINGS_FILE
from otterflow.workloads.analytics.workload import AnalyticsWorkload
from otterflow.workloads.base import Workload, plan, workload_for
from otterflow.workloads.belief import believe
from otterflow.workloads.definition import Benchmark, RunPlan
from otterflow.workloads.pgbench.workload import PgbenchWorkload
from stack.host import DatabaseHost
from tests.workloads.conftest import Ran
from tests.workloads.shipped import SHIPPED, check_believed, runnable, short_plan

pytestmark = pytest.mark.integration

RUNNABLE = runnable("postgresql")
Run = Callable[[JobScript], Ran]


def small(benchmark: Benchmark) -> Benchmark:
    """The benchmark at its smallest scale, with two passes and lenient limits for a busy machine."""
    least: dict[str, object] = {"scale": 1}
    if benchmark.driver == "sysbench":  # so few rows that `special` would wait for deadlocks most of the time
        least = {"tables": 2, "table_size": 10_000, "rand_type": "uniform"}
    changes: dict[str, object] = {"workload": benchmark.workload.model_copy(update=least)}
    if benchmark.workload.in_passes:
        changes["passes"] = 2
    return benchmark.model_copy(update=changes)


ONE_BRANCH: LiteralString = "SELECT FROM pgbench_branches FOR UPDATE"
"""Of scale 1 there is one, and each of pgbench's transactions updates it."""


@pytest.mark.parametrize("name", RUNNABLE)
def test_a_shipped_benchmark_loads_runs_and_is_believed(
    name: str, database: DatabaseAccess, bin_dir: str, run_job: Run
) -> None:
    benchmark = small(SHIPPED[name])
    workload, asked = workload_for(benchmark, DBMS), short_plan(benchmark)
    for job in (workload.load(database, bin_dir), workload.warm_up(database, asked, bin_dir)):
        assert job is not None
        done = run_job(job)
        assert done.exit_code == 0, done.log
        assert any(map(workload.progress, done.log.splitlines())), done.log

    def run(asked: RunPlan) -> BenchmarkResult:
        done = run_job(workload.run(database, asked, bin_dir))
        assert done.exit_code == 0, done.log
        assert not [left for left in done.left if left.startswith("transactions.")]
        assert not _secret_of(database) & set(done.log.split())
        return workload.parse(done.results, done.log)

    check_believed(benchmark, run, partial(check_result, benchmark))


def check_result(benchmark: Benchmark, result: BenchmarkResult, seconds: float) -> None:
    assert benchmark.objective.read(result) > 0
    assert set(result.queries_ms) == set(benchmark.workload.query_names)
    if benchmark.workload.in_passes:
        assert len(result.passes_s) == 2
        assert sum(result.passes_s) <= result.seconds
    else:
        assert result.seconds == pytest.approx(seconds, rel=0.25)
        assert {"p50", "p95", "p99"} <= set(result.latency_ms)
        assert result.latency_ms["p50"] <= result.latency_ms["p95"] <= result.latency_ms["p99"]


def test_loading_twice_replaces_the_data(
    database: DatabaseAccess, db_host: DatabaseHost, bin_dir: str, run_job: Run
) -> None:
    workload = workload_for(small(SHIPPED["analytics"]), DBMS)
    counts = []
    for _ in range(2):
        done = run_job(workload.load(database, bin_dir))
        assert done.exit_code == 0, done.log
        with db_host.cluster.connect(database.database) as connection:
            counts.append(
                connection.execute(
                    "SELECT count(*), sum(amount), md5(string_agg(note, ',' ORDER BY sale_id)) FROM analytics.sales"
                ).fetchone()
            )
    assert counts[0] == counts[1]
    assert counts[0] is not None
    assert counts[0][0] == 100_000


def test_the_estimate_of_the_datas_size(
    database: DatabaseAccess, db_host: DatabaseHost, bin_dir: str, run_job: Run
) -> None:
    for name, condition in (
        ("analytics", "n.nspname = 'analytics'"),
        ("pgbench_tpcb", "c.relname LIKE 'pgbench%'"),
        ("sysbench_point_select", "c.relname LIKE 'sbtest%'"),
    ):
        workload = workload_for(small(SHIPPED[name]), DBMS)
        assert run_job(workload.load(database, bin_dir)).exit_code == 0
        with db_host.cluster.connect(database.database) as connection:
            row = connection.execute(
                "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class AS c "
                f"JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND {condition}"
            ).fetchone()
        assert row is not None
        assert float(row[0]) == pytest.approx(workload.estimated_bytes(), rel=0.15)


def test_every_shipped_query_finds_something(
    database: DatabaseAccess, db_host: DatabaseHost, bin_dir: str, run_job: Run
) -> None:
    workload = workload_for(small(SHIPPED["analytics"]), DBMS)
    assert isinstance(workload, AnalyticsWorkload)
    assert run_job(workload.load(database, bin_dir)).exit_code == 0
    with db_host.cluster.connect(database.database) as connection:
        connection.execute("SET search_path = analytics")
        for path in workload.settings.query_files:
            text = path.read_text()
            statements = [text]
            if text.rstrip().endswith(r"\gexec"):
                statements = [tile for (tile,) in connection.execute(text.replace(r"\gexec", "").encode()).fetchall()]
                assert len(statements) > 1, path.name
            for statement in statements:
                rows = connection.execute(statement.encode()).fetchall()
                assert rows, path.name
                assert any(value is not None for value in rows[0]), path.name


def test_a_time_longer_than_the_passes_makes_more_passes(
    database: DatabaseAccess, bin_dir: str, run_job: Run, tmp_path: Path
) -> None:
    benchmark = own_stream(tmp_path, "SELECT pg_sleep(0.05);")
    workload, asked = workload_for(benchmark, DBMS), plan(benchmark, duration_s=2)
    assert run_job(workload.load(database, bin_dir)).exit_code == 0
    done = run_job(workload.run(database, asked, bin_dir))
    result = workload.parse(done.results, done.log)
    believe(result, benchmark, asked)
    assert asked.passes == 1
    took_ms = [int(ms) for ms in re.findall(r"^pass_ms (\d+)$", done.results[TIMINGS_FILE], re.MULTILINE)]
    another_fits = [passed + last <= 2000 for passed, last in zip(accumulate(took_ms), took_ms, strict=True)]
    assert another_fits == [True] * (len(took_ms) - 1) + [False]
    assert len(result.passes_s) == len(took_ms)


def test_a_query_that_fails_ends_the_stream(
    database: DatabaseAccess, bin_dir: str, run_job: Run, tmp_path: Path
) -> None:
    benchmark = own_stream(tmp_path, "SELECT 1 / 0;")
    workload = workload_for(benchmark, DBMS)
    done = run_job(workload.run(database, plan(benchmark), bin_dir))
    assert done.exit_code != 0
    with pytest.raises(BenchmarkFailed, match="division by zero"):
        workload.parse(done.results, done.log)


def test_a_load_file_that_fails_ends_the_load_and_its_neighbours(
    database: DatabaseAccess, bin_dir: str, run_job: Run, tmp_path: Path
) -> None:
    benchmark = own_stream(tmp_path, "SELECT 1;")
    (tmp_path / "stream" / "load" / "20_fails.sql").write_text("SELECT 1 / 0;\n")
    (tmp_path / "stream" / "load" / "20_sleeps.sql").write_text("SELECT pg_sleep(120);\n")
    (tmp_path / "stream" / "load" / "30_never.sql").write_text("CREATE TABLE never ();\n")
    begun = time.monotonic()
    done = run_job(workload_for(benchmark, DBMS).load(database, bin_dir))
    assert done.exit_code != 0
    assert "division by zero" in done.log
    assert "30_never" not in done.log
    assert time.monotonic() - begun < 60, "the file beside it was waited for"


def test_a_wrong_password_is_said_and_not_shown(database: DatabaseAccess, bin_dir: str, run_job: Run) -> None:
    wrong = DatabaseAccess(
        database.host, database.port, database.user, database.database, pgpass="*:*:*:*:not-the-one\n"
    )
    for name in ("pgbench_tpcb", "analytics", "sysbench_oltp_read_write"):
        benchmark = SHIPPED[name]
        workload = workload_for(benchmark, DBMS)
        done = run_job(workload.run(wrong, short_plan(benchmark), bin_dir))
        assert done.exit_code != 0
        assert "not-the-one" not in done.log
        with pytest.raises(BenchmarkFailed, match=r"password authentication failed|could not create connection"):
            workload.parse(done.results, done.log)


@pytest.mark.parametrize(
    ("name", "lock"),
    [("pgbench_tpcb", ONE_BRANCH), ("sysbench_oltp_read_write", "LOCK TABLE sbtest1 IN SHARE MODE")],
)
def test_no_process_has_the_password_in_its_command_or_environment(
    name: str, lock: LiteralString, database: DatabaseAccess, db_host: DatabaseHost, bin_dir: str, run_job: Run
) -> None:
    benchmark = small(SHIPPED[name])
    workload = workload_for(benchmark, DBMS)
    (secret,) = _secret_of(database)
    assert run_job(workload.load(database, bin_dir)).exit_code == 0
    ended = threading.Event()
    seen: list[str] = []

    def watch(holder: psycopg.Connection[Any]) -> None:
        while not ended.wait(0.1):
            for process in psutil.process_iter():
                with suppress(psutil.Error):
                    command, environment = process.cmdline(), process.environ()
                    if any(word.endswith(benchmark.driver) for word in command[:3]):
                        seen.append(" ".join([*command, *environment.values()]))
            if any(database.database in text for text in seen):
                holder.rollback()

    with holding(db_host, database.database, lock) as holder:
        watcher = threading.Thread(target=watch, args=(holder,))
        watcher.start()
        try:
            done = run_job(workload.run(database, plan(benchmark, 0, 1), bin_dir))
        finally:
            ended.set()
            watcher.join()
    assert done.exit_code == 0, done.log
    assert any(database.database in text for text in seen), "the benchmark was not seen running"
    assert not [text for text in seen if secret in text]


def test_an_abandoned_query_ends_on_the_server(
    database: DatabaseAccess, db_host: DatabaseHost, bin_dir: str, tmp_path: Path
) -> None:
    benchmark = own_stream(tmp_path, "SELECT pg_sleep(600);")
    job = workload_for(benchmark, DBMS).run(database, plan(benchmark), bin_dir)
    for name, text in job.files.items():
        assert isinstance(text, str)
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    process = subprocess.Popen(["bash", "-c", job.script], cwd=tmp_path, start_new_session=True)
    sleeping: LiteralString = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = %s AND query LIKE 'SELECT pg_sleep(600)%%' AND state = 'active'"
    )

    def asleep(connection: psycopg.Connection[Any]) -> bool:
        return connection.execute(sleeping, [database.database]).fetchone() == (1,)

    with db_host.cluster.connect("postgres") as connection:
        try:
            _wait_for(lambda: asleep(connection))
        finally:
            subprocess.run(["kill", "-KILL", "--", f"-{process.pid}"], check=True)
            process.wait()
        _wait_for(lambda: not asleep(connection))


def test_a_client_that_is_cut_off_fails_the_run(
    database: DatabaseAccess, db_host: DatabaseHost, bin_dir: str, run_job: Run
) -> None:
    benchmark = small(SHIPPED["pgbench_tpcb"])
    workload = workload_for(benchmark, DBMS)
    assert isinstance(workload, PgbenchWorkload)
    assert run_job(workload.load(database, bin_dir)).exit_code == 0
    with cutting_off_one_client(db_host, database.database):
        done = run_job(workload.run(database, plan(benchmark, 0, 1), bin_dir))
    assert done.exit_code != 0
    with pytest.raises(BenchmarkFailed, match=r"pgbench gave up: .*client \d+ .*aborted in command"):
        workload.parse(done.results, done.log)


def own_stream(folder: Path, query: str) -> Benchmark:
    """A stream of one query over a table of its own."""
    for part, text in (
        ("session.sql", "SET client_min_messages = warning;"),
        ("load/10_table.sql", "DROP TABLE IF EXISTS numbers; CREATE TABLE numbers AS SELECT :scale AS n;"),
        ("queries/only.sql", query),
    ):
        path = folder / "stream" / part
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    record = {
        "name": "own",
        "title": "own",
        "kind": "analytics",
        "objective": "run_time",
        "workload": {"driver": "analytics", "sql": "stream", "scale": 1, "bytes_per_scale": 8192},
        "warmup_passes": 0,
        "passes": 1,
        "load_timeout_s": 60,
        "run_timeout_s": 60,
    }
    return Benchmark.model_validate(record, context={"folder": folder})


@contextmanager
def holding(db_host: DatabaseHost, database: str, lock: LiteralString) -> Iterator[psycopg.Connection[Any]]:
    """A transaction that holds what a run needs: the run cannot end before it was looked at."""
    with db_host.cluster.connect(database, autocommit=False) as holder:
        holder.execute(lock)
        yield holder


@contextmanager
def cutting_off_one_client(db_host: DatabaseHost, database: str) -> Iterator[None]:
    """Ends one client's connection as soon as several are at work."""
    ended = threading.Event()

    def cut(holder: psycopg.Connection[Any]) -> None:
        at_work = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
        with db_host.cluster.connect("postgres") as connection:
            while not ended.wait(0.1):
                pids = [row[0] for row in connection.execute(at_work, [database]).fetchall()]
                if len(pids) > 2:
                    connection.execute("SELECT pg_terminate_backend(%s)", [pids[-1]])
                    holder.rollback()
                    return

    with holding(db_host, database, ONE_BRANCH) as holder:
        thread = threading.Thread(target=cut, args=(holder,))
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def _wait_for(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def _secret_of(access: DatabaseAccess) -> set[str]:
    return {access.pgpass.strip().rsplit(":", 1)[1]}


def test_the_driver_host_has_the_programs_that_are_asked_for() -> None:
    found: list[Workload] = [workload_for(SHIPPED[name], DBMS) for name in RUNNABLE]
    for program in {program for workload in found for program in workload.programs()} - {"psql", "pgbench"}:
        assert subprocess.run(["bash", "-c", f"command -v {program}"], check=False).returncode == 0
