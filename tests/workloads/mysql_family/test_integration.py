"""Every shipped benchmark for MariaDB, small and short, against a real one: load, warm up, run, read, believe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from otterflow.dbms.base import Dbms
from otterflow.dbms.mysql_family.access import DatabaseAccess
from otterflow.errors import BenchmarkFailed
from otterflow.measures.result import BenchmarkResult
from otterflow.remote.script import JobScript
from otterflow.workloads.base import Workload, workload_for
from otterflow.workloads.definition import Benchmark, RunPlan
from stack.mariadb_host import MariadbHost
from tests.workloads.conftest import Ran
from tests.workloads.shipped import SHIPPED, check_believed, runnable, short_plan

pytestmark = pytest.mark.integration

MARIADB = cast(Dbms, SimpleNamespace(name="mariadb"))
RUNNABLE = runnable("mariadb")
Run = Callable[[JobScript], Ran]


def small(benchmark: Benchmark) -> Benchmark:
    least: dict[str, object] = {"scale": 1}
    if benchmark.driver == "sysbench":  # so few rows that `special` would wait for deadlocks most of the time
        least = {"tables": 2, "table_size": 5000, "rand_type": "uniform"}
    changes: dict[str, object] = {"workload": benchmark.workload.model_copy(update=least)}
    if benchmark.workload.in_passes:
        changes["passes"] = 1
    return benchmark.model_copy(update=changes)


def test_there_are_benchmarks_of_each_kind() -> None:
    kinds = {SHIPPED[name].driver for name in RUNNABLE}
    assert kinds >= {"sysbench", "sysbench_scripts", "analytics"}


@pytest.mark.parametrize("name", RUNNABLE)
def test_a_shipped_benchmark_loads_runs_and_is_believed(
    name: str, database: DatabaseAccess, bin_dir: str, run_job: Run
) -> None:
    benchmark = small(SHIPPED[name])
    workload, asked = workload_for(benchmark, MARIADB), short_plan(benchmark)
    for job in (workload.load(database, bin_dir), workload.warm_up(database, asked, bin_dir)):
        assert job is not None
        done = run_job(job)
        assert done.exit_code == 0, done.log
        assert any(map(workload.progress, done.log.splitlines())), done.log

    def run(asked: RunPlan) -> BenchmarkResult:
        done = run_job(workload.run(database, asked, bin_dir))
        assert done.exit_code == 0, done.log
        assert not [left for left in done.left if left.startswith("numbers.") and left != "numbers.txt"]
        assert database.password not in done.log
        return workload.parse(done.results, done.log)

    def check(result: BenchmarkResult, seconds: float) -> None:
        assert benchmark.objective.read(result) > 0
        assert set(result.queries_ms) == set(benchmark.workload.query_names)

    check_believed(benchmark, run, check)


@pytest.fixture
def tpcc(database: DatabaseAccess, bin_dir: str, run_job: Run) -> Workload:
    """TPC-C, loaded."""
    workload = workload_for(small(SHIPPED["tpcc_lua"]), MARIADB)
    done = run_job(workload.load(database, bin_dir))
    assert done.exit_code == 0, done.log
    return workload


def test_data_that_are_wrong_after_a_run_refuse_its_result(
    tpcc: Workload, mariadb_host: MariadbHost, database: DatabaseAccess, bin_dir: str, run_job: Run
) -> None:
    mariadb_host.mariadb.sql(f"UPDATE {database.database}.district SET d_ytd = d_ytd + 1 WHERE d_id = 3")
    done = run_job(tpcc.run(database, RunPlan(duration_s=1), bin_dir))
    with pytest.raises(BenchmarkFailed, match=r"are wrong: condition 1: w_ytd of warehouse 1"):
        tpcc.parse(done.results, done.log)


def test_a_load_that_makes_wrong_data_fails(database: DatabaseAccess, bin_dir: str, run_job: Run) -> None:
    job = workload_for(small(SHIPPED["tpcc_lua"]), MARIADB).load(database, bin_dir)
    orders = cast("str", job.files["20_orders.sql"])
    broken = {**job.files, "20_orders.sql": orders.replace("WHERE o > 2100", "WHERE o % 2 = 1")}
    done = run_job(replace(job, files=broken))
    assert done.exit_code != 0
    assert "condition 3: district 1 of warehouse 1" in done.log


def test_a_script_whose_statement_fails_ends_the_run_with_its_error(
    tpcc: Workload, database: DatabaseAccess, bin_dir: str, run_job: Run
) -> None:
    job = tpcc.run(database, RunPlan(duration_s=1), bin_dir)
    done = run_job(replace(job, files={**job.files, "payment.lua": 'return function(db) db:run("SELECT x") end\n'}))
    with pytest.raises(BenchmarkFailed, match=r"sysbench gave up: FATAL: .*Unknown column 'x'"):
        tpcc.parse(done.results, done.log)


def test_records_that_ycsb_asks_for_are_there(
    mariadb_host: MariadbHost, database: DatabaseAccess, bin_dir: str, run_job: Run
) -> None:
    """The scripts make the keys that the load made: an update of one that is not there would change nothing."""
    workload = workload_for(small(SHIPPED["ycsb_a_lua"]), MARIADB)
    assert run_job(workload.load(database, bin_dir)).exit_code == 0

    def handled() -> dict[str, int]:
        with mariadb_host.mariadb.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SHOW GLOBAL STATUS LIKE 'Handler_update'")
            row: Any = cursor.fetchone()
            return {"updated": int(row["Value"])}

    before = handled()
    done = run_job(workload.run(database, RunPlan(duration_s=2), bin_dir))
    result = workload.parse(done.results, done.log)
    assert handled()["updated"] - before["updated"] == result.types["update"]["transactions"]


def test_the_estimate_of_the_datas_size(
    mariadb_host: MariadbHost, database: DatabaseAccess, bin_dir: str, run_job: Run
) -> None:
    for name in ("tpcc_lua", "ycsb_a_lua"):
        benchmark = SHIPPED[name]
        workload = workload_for(benchmark.model_copy(
            update={"workload": benchmark.workload.model_copy(update={"scale": 1 if name == "tpcc_lua" else 20})}
        ), MARIADB)  # fmt: skip
        mariadb_host.mariadb.sql(f"DROP DATABASE {database.database}; CREATE DATABASE {database.database}")
        assert run_job(workload.load(database, bin_dir)).exit_code == 0
        with mariadb_host.mariadb.connect() as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT sum(data_length + index_length) AS bytes FROM information_schema.tables "
                "WHERE table_schema = %s", [database.database],
            )  # fmt: skip
            row: Any = cursor.fetchone()
        assert float(row["bytes"]) == pytest.approx(workload.estimated_bytes(), rel=0.25), name
