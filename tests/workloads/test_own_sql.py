"""A user's own SQL, run by pgbench: own load files and a dump, scripts with weights and variables, for real."""

from __future__ import annotations

import math
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.dbms.postgresql.dbms import DBMS
from otterflow.errors import BenchmarkFailed
from otterflow.remote.script import JobScript
from otterflow.workloads.base import plan, workload_for
from otterflow.workloads.belief import believe
from otterflow.workloads.definition import load_benchmark
from stack.host import DatabaseHost
from tests.workloads.conftest import Ran

pytestmark = pytest.mark.integration

GOOD = Path(__file__).parent / "good"
Run = Callable[[JobScript], Ran]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The benchmark file and its SQL, to be changed at will."""
    shutil.copytree(GOOD / "own_sql", tmp_path / "own_sql")
    shutil.copy(GOOD / "own_sql.yaml", tmp_path)
    return tmp_path


def test_scripts_run_by_their_weights(
    database: DatabaseAccess, db_host: DatabaseHost, bin_dir: str, run_job: Run
) -> None:
    benchmark = load_benchmark(GOOD / "own_sql.yaml")
    workload, asked = workload_for(benchmark, DBMS), plan(benchmark, warmup_s=0, seed=5)
    assert run_job(workload.load(database, bin_dir)).exit_code == 0
    done = run_job(workload.run(database, asked, bin_dir))
    assert done.exit_code == 0, done.log
    result = workload.parse(done.results, done.log)
    believe(result, benchmark, asked)
    orders, reports = (result.types[name]["transactions"] for name in ("order", "report"))
    assert orders + reports == result.transactions
    spread = math.sqrt(0.75 * 0.25 * result.transactions)
    assert abs(orders - 0.75 * result.transactions) < 5 * spread, "they are drawn three to one"
    with db_host.cluster.connect(database.database) as connection:
        row = connection.execute("SELECT count(*) - 1000, count(DISTINCT good), max(good) FROM own_orders").fetchone()
    assert row == (orders, 20, 19)


def test_a_script_that_fails_is_a_failed_run(
    database: DatabaseAccess, bin_dir: str, run_job: Run, folder: Path
) -> None:
    (folder / "own_sql" / "scripts" / "report.sql").write_text("SELECT 1 / 0;\n")
    benchmark = load_benchmark(folder / "own_sql.yaml")
    workload = workload_for(benchmark, DBMS)
    assert run_job(workload.load(database, bin_dir)).exit_code == 0
    done = run_job(workload.run(database, plan(benchmark), bin_dir))
    assert done.exit_code != 0
    with pytest.raises(BenchmarkFailed, match=r"pgbench gave up: .*division by zero"):
        workload.parse(done.results, done.log)


def test_data_from_a_dump(
    database: DatabaseAccess, db_host: DatabaseHost, bin_dir: str, run_job: Run, folder: Path
) -> None:
    with db_host.cluster.connect(database.database) as connection:
        connection.execute("DROP TABLE IF EXISTS own_orders")
        connection.execute(
            "CREATE TABLE own_orders AS SELECT n AS id, n % 20 AS good, 1 AS amount FROM generate_series(1, 500) AS n"
        )
    (folder / "pgpass").write_text(database.pgpass)
    (folder / "pgpass").chmod(0o600)
    subprocess.run(
        [f"{bin_dir}/pg_dump", "--format=custom", f"--file={folder}/shop.dump", "--table=own_orders"],
        env=database.environment() | {"PGPASSFILE": f"{folder}/pgpass"},
        check=True,
    )
    (folder / "own_sql" / "load" / "10_orders.sql").write_text(
        "DROP TABLE IF EXISTS own_orders;\n"
        rf'\! pg_restore --no-owner --exit-on-error --dbname="$PGDATABASE" {folder}/shop.dump' + "\n"
        "VACUUM (ANALYZE) own_orders;\n"
    )
    workload = workload_for(load_benchmark(folder / "own_sql.yaml"), DBMS)
    assert run_job(workload.load(database, bin_dir)).exit_code == 0
    with db_host.cluster.connect(database.database) as connection:
        assert connection.execute("SELECT count(*) FROM own_orders").fetchone() == (500,)
    (folder / "shop.dump").unlink()
    done = run_job(workload.load(database, bin_dir))
    assert done.exit_code != 0
    assert "could not open input file" in done.log
