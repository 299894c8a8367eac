"""BenchBase on MariaDB and MySQL: where it is told the database is, and its own build."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from otterflow.dbms.mysql_family.access import DatabaseAccess
from otterflow.errors import InvalidInput
from otterflow.settings import include_dir
from otterflow.workloads.benchbase.configuration import configuration
from otterflow.workloads.benchbase.settings import BenchbaseSettings
from otterflow.workloads.benchbase.ways import WAYS
from otterflow.workloads.benchbase.workload import BenchbaseWorkload
from otterflow.workloads.definition import load_benchmark

ACCESS = DatabaseAccess("db", 3307, "tuner", "a b?c", "top-secret")
SETTINGS = load_benchmark(include_dir() / "benchmarks" / "benchbase_tpcc.yaml").workload


@pytest.mark.parametrize(
    ("dbms", "driver"), [("mariadb", "org.mariadb.jdbc.Driver"), ("mysql", "com.mysql.cj.jdbc.Driver")]
)
def test_the_configuration_leads_to_the_database(dbms: str, driver: str) -> None:
    assert isinstance(SETTINGS, BenchbaseSettings)
    root = ElementTree.fromstring(configuration(SETTINGS, WAYS[dbms], ACCESS))
    url = f"jdbc:{dbms}://db:3307/a%20b%3Fc?rewriteBatchedStatements=true&allowPublicKeyRetrieval=true"
    assert (root.findtext("type"), root.findtext("driver"), root.findtext("url")) == (dbms.upper(), driver, url)
    assert root.findtext("password") == "top-secret"


def test_each_dbms_has_a_build_of_its_own() -> None:
    assert isinstance(SETTINGS, BenchbaseSettings)
    for dbms, build in (("postgresql", "postgres"), ("mariadb", "mariadb"), ("mysql", "mysql")):
        programs = BenchbaseWorkload(SETTINGS, WAYS[dbms], 1, 1).programs()
        assert f"/opt/benchbase-{build}/benchbase.jar" in programs


def test_the_tables_statistics_are_taken_by_the_client() -> None:
    assert isinstance(SETTINGS, BenchbaseSettings)
    script = BenchbaseWorkload(SETTINGS, WAYS["mariadb"], 1, 1).load(ACCESS, None).script
    assert "| sql_client\n" in script
    assert "secret" not in script


def test_java_reaches_no_socket() -> None:
    with pytest.raises(InvalidInput, match="driver_host: '/run/sock' is a socket"):
        WAYS["mysql"].jdbc_url(DatabaseAccess("/run/sock", 0, "u", "d"))
