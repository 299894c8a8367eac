"""The server's counters under a load: which fall, what a flush and a restart do, and who may read them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from threading import Thread

import pytest
import yaml

from otterflow.dbms.mariadb import metrics
from otterflow.dbms.mariadb.client import CLIENT
from otterflow.dbms.mysql_family.status_gauges import GAUGES, is_gauge
from otterflow.dbms.values import Login, Query
from stack.mariadb import USER, PrivateMariadb
from tests.dbms.mysql_family.conftest import target_of

pytestmark = pytest.mark.integration

Open = Callable[..., Query]


@pytest.fixture
def opened(mariadb: PrivateMariadb) -> Iterator[Open]:
    with ExitStack() as stack:

        def open_one(user: str = USER, password: str | None = None) -> Query:
            login = Login(mariadb.host, mariadb.port, user, password or mariadb.password, None, {}, "connection 'x'")
            return stack.enter_context(CLIENT.open_query(login, target_of(), database="bench"))

        yield open_one


@pytest.fixture
def load(opened: Open) -> Iterator[Query]:
    query = opened()
    query("CREATE OR REPLACE TABLE worked (a INT PRIMARY KEY, b VARCHAR(200), KEY (b))")
    query("INSERT INTO worked SELECT seq, md5(seq) FROM seq_1_to_5000")
    yield query
    query("DROP TABLE worked")


def work(opened: Open, sessions: int = 4) -> None:
    """Some of everything: rows, temporary tables, sorts, rollbacks, prepared statements, tables opened and dropped."""

    def one(number: int) -> None:
        query = opened()
        query(f"CREATE OR REPLACE TABLE of_{number} LIKE worked")
        query(f"INSERT INTO of_{number} SELECT * FROM worked")
        for at in range(10):
            query("BEGIN")
            query(f"UPDATE of_{number} SET b = reverse(b) WHERE a % 7 = {at % 7}")
            query("ROLLBACK" if at % 3 == 0 else "COMMIT")
            query("SELECT b, count(*) AS n FROM worked GROUP BY b ORDER BY n, b LIMIT 3")
            query("SELECT count(*) AS n FROM worked x JOIN worked y USING (b) WHERE x.a < 50")
        query("PREPARE p FROM 'SELECT ?'")
        query("EXECUTE p USING 1")
        query("CREATE TEMPORARY TABLE passing AS SELECT * FROM worked")
        query(f"DROP TABLE of_{number}")

    threads = [Thread(target=one, args=(number,)) for number in range(sessions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_what_falls_on_a_running_server_is_listed_as_a_gauge(
    load: Query, opened: Open, mariadb: PrivateMariadb
) -> None:
    readings = [metrics.counters(load)]
    for step in range(4):
        with ExitStack() as stack:
            sessions = [stack.enter_context(mariadb.connect()) for _ in range(6)]
            work(opened, sessions=2)
            readings.append(metrics.counters(load))
            assert len(sessions) == 6
        if step == 1:
            load("FLUSH TABLES")
        if step == 2:
            load("SET GLOBAL innodb_max_dirty_pages_pct = 0, GLOBAL innodb_max_dirty_pages_pct_lwm = 0")
        readings.append(metrics.counters(load))
    load("SET GLOBAL innodb_max_dirty_pages_pct = 90")
    fell = {
        name
        for before, after in pairwise(readings)
        for name, value in after["sources"]["global_status"].items()
        if value < before["sources"]["global_status"].get(name, value)
    }
    assert {name for name in fell if not is_gauge(name)} == set()
    assert {"threads_connected", "open_tables", "innodb_buffer_pool_pages_dirty"} <= fell, (
        "the test did not see them fall"
    )
    fell = {
        name
        for before, after in pairwise(readings)
        for name, value in after["sources"]["innodb_metrics"].items()
        if value < before["sources"]["innodb_metrics"].get(name, value)
    }
    assert fell - set(readings[0]["gauges"]) == set()


def test_most_of_the_list_is_there(load: Query) -> None:
    there = set(metrics.counters(load)["sources"]["global_status"])
    assert len(there) > 400
    assert len(GAUGES & there) > 45


def test_a_window_of_sysbench_has_its_transactions(load: Query, mariadb: PrivateMariadb) -> None:
    common = [
        "sysbench", "oltp_read_write", "--db-driver=mysql", f"--mysql-host={mariadb.host}",
        f"--mysql-port={mariadb.port}", f"--mysql-user={USER}", "--mysql-db=bench", "--tables=1", "--table-size=2000",
        "--threads=2",
    ]  # fmt: skip
    environment = {"MYSQL_PWD": mariadb.password, "PATH": "/usr/bin:/bin"}
    subprocess.run([*common, "prepare"], check=True, capture_output=True, env=environment)
    try:
        before = metrics.counters(load)
        done = subprocess.run([*common, "--events=300", "--time=0", "run"], check=True, capture_output=True, text=True,
                              env=environment)  # fmt: skip
        after = metrics.counters(load)
    finally:
        load("DROP TABLE sbtest1")
    assert "transactions:                        300" in done.stdout
    window = metrics.window_between(json.loads(json.dumps(before)), json.loads(json.dumps(after)))
    assert window.metrics["global_status.com_commit"] * window.seconds == pytest.approx(300, abs=3)
    assert window.reset == []
    assert window.metrics["write_debt.redo_bytes"] > 0
    assert window.metrics["write_debt.redo_bytes_growth"] > 0


def test_a_flush_in_the_window_is_noticed(load: Query, opened: Open) -> None:
    before = metrics.counters(load)
    load("SELECT sleep(4)")
    load("FLUSH STATUS")
    window = metrics.window_between(before, metrics.counters(load))
    assert window.reset[0] == "global_status"
    assert "global_status.innodb_data_reads" in window.metrics
    assert "global_status.questions" not in window.metrics


def test_a_restart_in_the_window_is_noticed(opened: Open, mariadb: PrivateMariadb) -> None:
    before = metrics.counters(opened())
    mariadb.restart()
    window = metrics.window_between(before, metrics.counters(opened()))
    assert window.reset == ["server"]
    assert "global_status.questions" not in window.metrics


def test_with_fewer_privileges_there_is_less(load: Query, opened: Open, mariadb: PrivateMariadb) -> None:
    mariadb.sql("CREATE USER small@'%' IDENTIFIED BY 'small'; GRANT SELECT ON bench.* TO small@'%';")
    try:
        found = metrics.counters(opened("small", "small"))
    finally:
        mariadb.sql("DROP USER small@'%';")
    assert set(found["sources"]) == {"global_status"}
    assert found["sources"]["global_status"]["questions"] > 0


def test_statements_and_tables_come_with_the_performance_schema(opened: Open, mariadb: PrivateMariadb) -> None:
    mariadb.user.write_file(mariadb.knobs_file, "[mysqld]\nperformance_schema=ON\n")
    mariadb.restart()
    query = opened()
    query("CREATE OR REPLACE TABLE worked (a INT PRIMARY KEY)")
    query("INSERT INTO worked SELECT seq FROM seq_1_to_5000")
    try:
        before = metrics.counters(query)
        for number in range(20):
            query(f"SELECT count(*) AS n FROM worked WHERE a <> {number} /* s3cret */")
        query("SET @x = 's3cret'")
        window = metrics.window_between(before, metrics.counters(query))
        silent = metrics.counters(query, texts=False)
    finally:
        query("DROP TABLE worked")
    (key,) = (key for key, text in window.queries.items() if "`worked` WHERE `a` != ?" in text)
    assert window.objects[f"statements[{key}]"]["calls"] * window.seconds == pytest.approx(20)
    assert window.objects["tables[bench.worked]"]["row_reads"] > 0
    assert "s3cret" not in json.dumps([window.queries, window.objects])
    assert silent["queries"] == {}
    assert silent["objects"]


def test_the_guides_metric_of_ones_own_is_a_number(opened: Open) -> None:
    guide = (Path(__file__).parents[3] / "docs" / "own_metrics.md").read_text()
    blocks = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", guide, re.M | re.S)]
    [sql] = [m["sql"] for block in blocks for m in block.get("metrics", []) if "GLOBAL_STATUS" in m.get("sql", "")]
    [row] = CLIENT.first_rows(opened(), sql, most=2, timeout_s=10)
    assert isinstance(row["tmp_disk_tables"], int)
