"""sysbench on MariaDB and MySQL: its commands, where the password is, and what a report of MariaDB says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from otterflow.dbms.mysql_family.access import CLIENT_FILE, DatabaseAccess
from otterflow.errors import InvalidInput
from otterflow.workloads.definition import RunPlan
from otterflow.workloads.sysbench.mysql_family import CONFIG_FILE
from otterflow.workloads.sysbench.output import REPORT_FILE, read_result
from otterflow.workloads.sysbench.settings import SysbenchSettings
from otterflow.workloads.sysbench.ways import WAYS
from otterflow.workloads.sysbench.workload import SysbenchWorkload

ACCESS = DatabaseAccess("db.example.org", 3306, "tuner", "bench", "top-secret")
ASKED = RunPlan(warmup_s=2, duration_s=30, seed=4)
LOGIN = "--mysql-user=tuner --mysql-db=bench --tables=3 --table-size=500"


def workload(dbms: str = "mariadb", **changes: Any) -> SysbenchWorkload:
    settings = {"driver": "sysbench", "test": "oltp_read_write", "tables": 3, "table_size": 500} | changes
    return SysbenchWorkload(SysbenchSettings.model_validate(settings), WAYS[dbms], 100, 20)


def test_load() -> None:
    way = f"--config-file={CONFIG_FILE} --db-driver=mysql --mysql-host=db.example.org --mysql-port=3306 {LOGIN}"
    assert workload().load(ACCESS, None).script.splitlines()[-3:] == [
        f"sysbench oltp_read_write {way} cleanup",
        f"stdbuf -oL sysbench oltp_read_write {way} --threads=2 --rand-seed=1 prepare",
        "sql_client '--execute=ANALYZE TABLE sbtest1, sbtest2, sbtest3'",
    ]


def test_the_client_that_tends_the_tables_is_the_products_own() -> None:
    assert {name: workload(name).programs() for name in ("mariadb", "mysql")} == {
        "mariadb": ("sysbench", "mariadb", "stdbuf", "tee"),
        "mysql": ("sysbench", "mysql", "stdbuf", "tee"),
    }


def test_a_socket() -> None:
    script = workload().run(replace(ACCESS, host="/run/db/sock"), ASKED, None).script
    assert "--mysql-socket=/run/db/sock --mysql-user=tuner" in script
    assert "--mysql-host" not in script


def test_the_password_is_in_files_alone_and_in_every_job() -> None:
    chosen = workload()
    for job in (chosen.load(ACCESS, None), chosen.warm_up(ACCESS, ASKED, None), chosen.run(ACCESS, ASKED, None)):
        assert job is not None
        assert "secret" not in job.script
        assert job.files.keys() == {CLIENT_FILE, CONFIG_FILE}
        assert job.files[CONFIG_FILE] == 'mysql-password="top-secret"\n'


def test_a_user_without_a_password() -> None:
    job = workload().run(replace(ACCESS, password=""), ASKED, None)
    assert CONFIG_FILE not in job.files
    assert "--config-file" not in job.script


@pytest.mark.parametrize(
    ("password", "line"),
    [("a#b c=d\\e$f", 'mysql-password="a#b c=d\\e$f"\n'), (' "x', "mysql-password=' \"x'\n")],
)
def test_a_password_is_quoted_and_not_escaped(password: str, line: str) -> None:
    assert workload().run(replace(ACCESS, password=password), ASKED, None).files[CONFIG_FILE] == line


@pytest.mark.parametrize("password", ["both ' and \"", "two\nlines"])
def test_a_password_that_the_file_cannot_carry_is_refused_without_being_told(password: str) -> None:
    with pytest.raises(InvalidInput, match="cannot carry; give the SQL user another") as caught:
        workload().run(replace(ACCESS, password=password), ASKED, None)
    assert password not in str(caught.value)


def test_a_report_of_mariadb(output: Callable[[str], str]) -> None:
    result = read_result({REPORT_FILE: output("sysbench_mariadb.report.txt")}, "")
    assert (result.throughput, result.transactions, result.errors, result.seconds) == (99.28, 305, 5, 3.0716)
    assert result.latency_ms["mean"] == pytest.approx(24182.35 / 305)
    assert result.latency_ms["p99"] == pytest.approx(204.11, abs=0.01)


def test_progress(output: Callable[[str], str]) -> None:
    said = [workload().progress(line) for line in output("sysbench_mariadb.report.txt").splitlines()]
    assert "2 s: 105 transactions/s, latency p99 204.11 ms, 3 errors/s" in said
    loading = [workload().progress(line) for line in output("sysbench_mariadb_load.log").splitlines()]
    assert "loading: inserting 1000 records into sbtest1" in loading
