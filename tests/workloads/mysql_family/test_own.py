"""What the guide says of one's own statements and commands, tried on a real MariaDB as it says it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from otterflow.dbms.mysql_family.access import DatabaseAccess
from otterflow.remote.script import JobScript
from otterflow.workloads.base import Workload, plan, workload_for
from otterflow.workloads.belief import believe
from otterflow.workloads.definition import Benchmark, load_benchmark
from tests.workloads.conftest import Ran
from tests.workloads.mysql_family.test_integration import MARIADB

pytestmark = pytest.mark.integration

GUIDE = (Path(__file__).parents[3] / "docs" / "own_benchmarks.md").read_text()
SHOWN = {block["name"]: block for block in map(yaml.safe_load, re.findall(r"^```yaml\n(.*?)^```", GUIDE, re.M | re.S))}
SHORT = {"warmup_s": 1, "duration_s": 1, "load_timeout_s": 60, "run_timeout_s": 60}
Run = Callable[[JobScript], Ran]

REPLAY = """
import os, sys, time
import pymysql
connection = pymysql.connect(
    read_default_file=os.environ["MYSQL_OPTION_FILE"], database=os.environ["MYSQL_DATABASE"])
times, begun = [], time.monotonic()
with connection.cursor() as cursor:
    while time.monotonic() - begun < float(sys.argv[2]):
        at = time.monotonic()
        cursor.execute("SELECT sum(n) FROM numbers")
        assert cursor.fetchone()[0] == 6
        times.append(1000 * (time.monotonic() - at))
seconds, times = time.monotonic() - begun, sorted(times)
print('{"throughput": %f, "latency_ms": {"p95": %f}, "errors": 0, "transactions": %d, "seconds": %f}' % (
    len(times) / seconds, times[int(0.95 * len(times))], len(times), seconds))
"""


def written(folder: Path, record: dict[str, Any]) -> tuple[Benchmark, Workload]:
    path = folder / f"{record['name']}.yaml"
    path.write_text(yaml.safe_dump(record))
    benchmark = load_benchmark(path)
    return benchmark, workload_for(benchmark, MARIADB)


def ran(workload: Workload, benchmark: Benchmark, database: DatabaseAccess, bin_dir: str, run_job: Run) -> Any:
    """The result of a load, a warm-up and a run."""
    asked = plan(benchmark, seed=3)
    for job in (workload.load(database, bin_dir), workload.warm_up(database, asked, bin_dir)):
        done = None if job is None else run_job(job)
        assert done is None or done.exit_code == 0, done.log
    done = run_job(workload.run(database, asked, bin_dir))
    assert done.exit_code == 0, done.log
    assert database.password not in done.log
    result = workload.parse(done.results, done.log)
    believe(result, benchmark, asked)
    return result


def test_a_command_of_ones_own_reaches_the_database_by_the_option_file(
    tmp_path: Path, database: DatabaseAccess, bin_dir: str, run_job: Run
) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "replay.py").write_text(REPLAY)
    (tmp_path / "shop.sql").write_text(
        "CREATE OR REPLACE TABLE numbers AS SELECT 1 AS n UNION SELECT 2 UNION SELECT 3;"
    )
    record = SHOWN["shop_replay_mariadb"] | SHORT
    shown = record["workload"]
    record["workload"] = shown | {
        "load": shown["load"].replace("zcat /var/backups/shop.sql.gz", f"cat {tmp_path}/shop.sql"),
        "run": shown["run"].replace("python3", sys.executable),
        "programs": [sys.executable, "mariadb"],
    }
    benchmark, workload = written(tmp_path, record)
    result = ran(workload, benchmark, database, bin_dir, run_job)
    assert result.transactions > 0
    assert result.latency_ms["p95"] > 0


def test_its_environment_says_where_the_server_is_and_holds_no_password(
    tmp_path: Path, database: DatabaseAccess, bin_dir: str, run_job: Run
) -> None:
    record = SHOWN["shop_replay_mariadb"] | SHORT
    record["workload"] = {**record["workload"], "files": [], "load": "env"}
    log = run_job(written(tmp_path, record)[1].load(database, bin_dir)).log
    said = dict(line.split("=", 1) for line in log.splitlines() if line.startswith("MYSQL_"))
    assert said["MYSQL_HOST"] == database.host
    assert said["MYSQL_TCP_PORT"] == str(database.port)
    assert (said["MYSQL_USER"], said["MYSQL_DATABASE"]) == (database.user, database.database)
    assert Path(said["MYSQL_OPTION_FILE"]).name == "client.cnf"
    assert database.password not in log


def test_a_job_of_ones_own_is_timed(tmp_path: Path, database: DatabaseAccess, bin_dir: str, run_job: Run) -> None:
    client = 'mariadb --defaults-file="$MYSQL_OPTION_FILE"'
    record = SHOWN["shop_night"] | {"passes": 2}
    record["workload"] = {
        **record["workload"],
        "programs": ["mariadb"],
        "load": f"{client} -e 'CREATE OR REPLACE TABLE day AS SELECT 1 AS n'",
        "run": f"{client} -e 'UPDATE day SET n = n + 1; SELECT SLEEP(0.2)'",
    }
    benchmark, workload = written(tmp_path, record)
    result = ran(workload, benchmark, database, bin_dir, run_job)
    assert result.transactions == 2
    assert result.run_time_s > 0.15


def test_the_guides_script_runs(tmp_path: Path, database: DatabaseAccess, bin_dir: str, run_job: Run) -> None:
    [script] = re.findall(r"^```lua\n(.*?)^```", GUIDE, re.M | re.S)
    files = {
        "load/10_schema.sql": "DROP TABLE IF EXISTS customer;"
        " CREATE TABLE customer (id INT PRIMARY KEY, credit INT NOT NULL);",
        "load/20_customers.sql": "INSERT INTO customer WITH RECURSIVE n (i) AS (SELECT @part + 1 UNION ALL"
        " SELECT i + @parts FROM n WHERE i + @parts <= @goods) SELECT i, 1000000 FROM n;",
        "load/30_statistics.sql": "ANALYZE TABLE customer;",
        "scripts/order.lua": script,
        "scripts/report.lua": 'return function(db, own) db:row("SELECT sum(credit) FROM customer") end\n',
        "check.sql": "SELECT 'customers are missing' FROM customer HAVING count(*) <> @goods;",
    }
    for name, text in files.items():
        path = tmp_path / "shop_lua" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    record = SHOWN["shop_lua"] | SHORT
    record["workload"] = {**record["workload"], "scale": 1, "variables": {"goods": 1000}, "load_parts": 2, "threads": 2}
    benchmark, workload = written(tmp_path, record)
    result = ran(workload, benchmark, database, bin_dir, run_job)
    assert result.types["order"]["transactions"] > result.types["report"]["transactions"] > 0
