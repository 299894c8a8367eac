"""TPC-C against a real PostgreSQL: what is loaded, and what a run leaves; the last but one test breaks the data."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otterflow import settings
from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.errors import BenchmarkFailed
from otterflow.measures.result import BenchmarkResult
from otterflow.remote.script import JobScript
from otterflow.workloads.belief import believe
from otterflow.workloads.definition import Benchmark, RunPlan, load_benchmark
from otterflow.workloads.pgbench.scripts_settings import PgbenchScriptsSettings
from otterflow.workloads.pgbench.scripts_workload import PgbenchScriptsWorkload
from stack.host import DatabaseHost
from tests.workloads.conftest import Ran

pytestmark = pytest.mark.integration

FOLDER = settings.include_dir() / "benchmarks"
TPCC = load_benchmark(FOLDER / "tpcc.yaml")
WAREHOUSES = 2
Run = Callable[[JobScript], Ran]
Query = Callable[..., list[tuple[Any, ...]]]

CONDITIONS = {
    1: "SELECT w_id FROM warehouse WHERE w_ytd <> (SELECT sum(d_ytd) FROM district WHERE d_w_id = w_id)",
    2: """SELECT d_w_id, d_id FROM district
          WHERE d_next_o_id - 1 <> (SELECT max(o_id) FROM orders WHERE o_w_id = d_w_id AND o_d_id = d_id)
             OR d_next_o_id - 1 <> (SELECT max(no_o_id) FROM new_order WHERE no_w_id = d_w_id AND no_d_id = d_id)""",
    3: """SELECT no_w_id, no_d_id FROM new_order GROUP BY 1, 2
          HAVING max(no_o_id) - min(no_o_id) + 1 <> count(*)""",
    4: """SELECT d_w_id, d_id FROM district
          WHERE (SELECT sum(o_ol_cnt) FROM orders WHERE o_w_id = d_w_id AND o_d_id = d_id)
             <> (SELECT count(*) FROM order_line WHERE ol_w_id = d_w_id AND ol_d_id = d_id)""",
    5: """SELECT o_w_id, o_d_id, o_id FROM orders
          LEFT JOIN new_order ON no_w_id = o_w_id AND no_d_id = o_d_id AND no_o_id = o_id
          WHERE (o_carrier_id IS NULL) <> (no_o_id IS NOT NULL)""",
    6: """SELECT o_w_id, o_d_id, o_id FROM orders
          JOIN (SELECT ol_w_id, ol_d_id, ol_o_id, count(*) AS n FROM order_line GROUP BY 1, 2, 3) AS lines
            ON ol_w_id = o_w_id AND ol_d_id = o_d_id AND ol_o_id = o_id WHERE n <> o_ol_cnt""",
    7: """SELECT ol_w_id, ol_d_id, ol_o_id FROM order_line
          JOIN orders ON ol_w_id = o_w_id AND ol_d_id = o_d_id AND ol_o_id = o_id
          WHERE (ol_delivery_d IS NULL) <> (o_carrier_id IS NULL)""",
    8: "SELECT w_id FROM warehouse WHERE w_ytd <> (SELECT sum(h_amount) FROM history WHERE h_w_id = w_id)",
    9: """SELECT d_w_id, d_id FROM district
          WHERE d_ytd <> (SELECT sum(h_amount) FROM history WHERE h_w_id = d_w_id AND h_d_id = d_id)""",
    10: """SELECT c_w_id, c_d_id, c_id FROM customer
           LEFT JOIN delivered ON w = c_w_id AND d = c_d_id AND c = c_id
           JOIN (SELECT h_c_w_id, h_c_d_id, h_c_id, sum(h_amount) AS paid FROM history GROUP BY 1, 2, 3) AS payments
             ON h_c_w_id = c_w_id AND h_c_d_id = c_d_id AND h_c_id = c_id
           WHERE c_balance <> coalesce(amount, 0) - paid""",
    11: """SELECT d_w_id, d_id FROM district
           WHERE (SELECT count(*) FROM orders WHERE o_w_id = d_w_id AND o_d_id = d_id)
               - (SELECT count(*) FROM new_order WHERE no_w_id = d_w_id AND no_d_id = d_id)
              <> 2100 + (SELECT sum(c_delivery_cnt) FROM customer WHERE c_w_id = d_w_id AND c_d_id = d_id)""",
    12: """SELECT c_w_id, c_d_id, c_id FROM customer LEFT JOIN delivered ON w = c_w_id AND d = c_d_id AND c = c_id
           WHERE c_balance + c_ytd_payment <> coalesce(amount, 0)""",
}
"""Rows that break a condition of clause 3.3.2; the eleventh reckons with deliveries, as the clause's own does not."""

DELIVERED = """CREATE TEMPORARY TABLE delivered AS
    SELECT o_w_id AS w, o_d_id AS d, o_c_id AS c, sum(ol_amount) AS amount
    FROM orders JOIN order_line ON ol_w_id = o_w_id AND ol_d_id = o_d_id AND ol_o_id = o_id
    WHERE ol_delivery_d IS NOT NULL GROUP BY 1, 2, 3"""


def tpcc(**changes: Any) -> PgbenchScriptsWorkload:
    assert isinstance(TPCC.workload, PgbenchScriptsSettings)
    return PgbenchScriptsWorkload(TPCC.workload.model_copy(update={"scale": WAREHOUSES, **changes}), 600, 60)


@pytest.fixture
def measured(database: DatabaseAccess, bin_dir: str, run_job: Run) -> Callable[..., BenchmarkResult]:
    """Runs a mix for some seconds and believes the result."""

    def run(seconds: float, benchmark: Benchmark = TPCC, **changes: Any) -> BenchmarkResult:
        asked, workload = RunPlan(duration_s=seconds, seed=7), tpcc(**changes)
        done = run_job(workload.run(database, asked, bin_dir))
        assert done.exit_code == 0, done.log
        result = workload.parse(done.results, done.log)
        believe(result, benchmark, asked)
        return result

    return run


@pytest.fixture
def query(database: DatabaseAccess, db_host: DatabaseHost) -> Query:
    """SQL on the loaded tables."""

    def run(*statements: str) -> list[tuple[Any, ...]]:
        with db_host.cluster.connect(database.database) as connection:
            connection.execute("SET search_path = tpcc")
            for statement in statements[:-1]:
                connection.execute(statement.encode())
            cursor = connection.execute(statements[-1].encode())
            return cursor.fetchall() if cursor.description else []

    return run


@pytest.fixture(scope="module")
def loaded(database: DatabaseAccess, db_host: DatabaseHost, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The log of the load of two warehouses."""
    folder = tmp_path_factory.mktemp("tpcc-load")
    job = tpcc().load(database, str(db_host.cluster.bin_dir))
    for name, text in job.files.items():
        assert isinstance(text, str)
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    done = subprocess.run(["bash", "-c", job.script], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def broken(query: Query) -> dict[int, list[tuple[Any, ...]]]:
    """The conditions that do not hold, with the first rows that break each."""
    found = {number: query(*([DELIVERED] if "delivered" in sql else []), sql)[:3] for number, sql in CONDITIONS.items()}
    return {number: rows for number, rows in found.items() if rows}


@pytest.mark.usefixtures("loaded")
def test_what_is_loaded_is_what_the_specification_asks_for(query: Query) -> None:
    counts = {
        table: query(f"SELECT count(*) FROM {table}")[0][0]
        for table in ("warehouse", "district", "customer", "history", "orders", "new_order", "item", "stock")
    }
    assert counts == {
        "warehouse": WAREHOUSES,
        "district": 10 * WAREHOUSES,
        "customer": 30_000 * WAREHOUSES,
        "history": 30_000 * WAREHOUSES,
        "orders": 30_000 * WAREHOUSES,
        "new_order": 9_000 * WAREHOUSES,
        "item": 100_000,
        "stock": 100_000 * WAREHOUSES,
    }
    assert query("SELECT min(o_ol_cnt), max(o_ol_cnt), round(avg(o_ol_cnt)) FROM orders") == [(5, 15, 10)]
    assert query("SELECT count(DISTINCT (o_w_id, o_d_id, o_c_id)), min(o_c_id), max(o_c_id) FROM orders") == [
        (30_000 * WAREHOUSES, 1, 3000)
    ]
    assert query(
        "SELECT min(n), max(n) FROM (SELECT count(DISTINCT c_last) AS n FROM customer GROUP BY c_w_id, c_d_id) AS x"
    )[0] == (1000, 1000)
    assert query("SELECT c_last FROM customer WHERE c_w_id = 2 AND c_d_id = 3 AND c_id = 372") == [("PRICALLYOUGHT",)]
    for table, column in (("item", "i_data"), ("stock", "s_data")):
        ((share, shortest, longest),) = query(
            f"SELECT avg(({column} LIKE '%ORIGINAL%')::int), min(length({column})), max(length({column})) FROM {table}"
        )
        assert 0.095 < share < 0.105
        assert (shortest, longest) == (26, 50)
    ((bad_credit, shortest, longest),) = query(
        "SELECT avg((c_credit = 'BC')::int), min(length(c_data)), max(length(c_data)) FROM customer"
    )
    assert 0.09 < bad_credit < 0.11
    assert (shortest, longest) == (300, 500)
    keys = query("SELECT count(*) FROM pg_index WHERE indisprimary AND indrelid::regclass::text NOT LIKE 'pg_%'")
    assert keys == [(8,)], "history has no key"
    ((size,),) = query(
        "SELECT sum(pg_total_relation_size(oid)) FROM pg_class "
        "WHERE relnamespace = 'tpcc'::regnamespace AND relkind = 'r'"
    )
    assert float(size) == pytest.approx(tpcc().estimated_bytes(), rel=0.15)


@pytest.mark.usefixtures("loaded")
def test_the_mix_keeps_all_twelve_conditions(measured: Callable[..., BenchmarkResult], query: Query) -> None:
    before = query("SELECT sum(d_next_o_id) FROM district")[0][0]
    result = measured(3)
    made = query("SELECT sum(d_next_o_id) FROM district")[0][0] - before
    assert not broken(query)
    assert result.counted is not None
    assert 0 <= result.counted - made < 0.05 * result.counted + 5, "about one order in a hundred is rolled back"
    assert result.numbers["new_orders_per_minute"] == pytest.approx(60 * (result.throughput or 0))
    assert set(result.types) == {"new_order", "payment", "order_status", "delivery", "stock_level"}
    remote = query("SELECT avg((ol_supply_w_id <> ol_w_id)::int) FROM order_line WHERE ol_o_id > 3000")[0][0]
    assert 0 < remote < 0.03
    paid_elsewhere = query("SELECT avg((h_c_w_id <> h_w_id)::int) FROM history WHERE h_amount <> 10")[0][0]
    assert 0.05 < paid_elsewhere < 0.3


@pytest.mark.usefixtures("loaded")
def test_pauses_leave_the_latencies_alone(measured: Callable[..., BenchmarkResult]) -> None:
    paused = measured(3, pause_ms=200)
    worked_s, clients_s = paused.transactions * paused.latency_ms["mean"] / 1000, 8 * paused.seconds
    assert worked_s + 0.2 * paused.transactions < 1.5 * clients_s, "pauses of a fifth of a second are no latency"


@pytest.mark.usefixtures("loaded")
def test_the_check_is_not_counted_as_load(measured: Callable[..., BenchmarkResult], query: Query) -> None:
    scans = "SELECT seq_scan + idx_scan FROM pg_stat_user_tables WHERE relname = 'order_line'"
    query("VACUUM (ANALYZE) order_line")  # so that none comes of itself
    before = query(scans)
    measured(3, scripts={"payment": 1}, throughput_of=None)
    assert query("SELECT pg_sleep(0.5)", scans) == before


@pytest.mark.usefixtures("loaded")
def test_a_mistaken_order_leaves_nothing_behind(
    measured: Callable[..., BenchmarkResult], query: Query, tmp_path: Path
) -> None:
    state = (
        "SELECT (SELECT sum(d_next_o_id) FROM district), (SELECT count(*) FROM orders), "
        "(SELECT count(*) FROM new_order), (SELECT count(*) FROM order_line), "
        "(SELECT sum(s_ytd + s_order_cnt + s_quantity) FROM stock)"
    )
    before = query(state)
    result = measured(
        1, scripts={"new_order": 1}, sql=with_script(tmp_path / "bad", r"\set mistake .*", r"\set mistake 1")
    )
    assert result.transactions > 0
    assert query(state) == before
    good = with_script(tmp_path / "good", r"\set mistake .*", r"\set mistake 2")
    result = measured(1, scripts={"new_order": 1}, sql=good)
    assert query(state)[0][0] - before[0][0] == result.transactions


@pytest.mark.usefixtures("loaded")
def test_the_check_after_a_run_refuses_inconsistent_data(
    database: DatabaseAccess, bin_dir: str, run_job: Run, query: Query
) -> None:
    workload = tpcc(scripts={"stock_level": 1}, throughput_of=None)
    query("UPDATE warehouse SET w_ytd = w_ytd + 1 WHERE w_id = 2")
    query("DELETE FROM order_line WHERE ol_w_id = 1 AND ol_d_id = 3 AND ol_o_id = 5 AND ol_number = 1")
    query("DELETE FROM new_order WHERE no_w_id = 1 AND no_d_id = 4 AND no_o_id = 2990")
    query("UPDATE district SET d_next_o_id = d_next_o_id + 1 WHERE d_w_id = 1 AND d_id = 5")
    done = run_job(workload.run(database, RunPlan(duration_s=1), bin_dir))
    assert done.exit_code == 0, done.log
    with pytest.raises(BenchmarkFailed) as caught:
        workload.parse(done.results, done.log)
    for sentence in (
        r"the data are wrong after the run: condition 1: w_ytd of warehouse 2 is [\d.]+, but the d_ytd of its",
        r"condition 2: the next order of district 5 of warehouse 1 is \d+, but its last order is \d+ and",
        r"condition 3: district 4 of warehouse 1 has \d+ new orders, but they are numbered from \d+ to \d+",
        r"condition 4: the orders of district 3 of warehouse 1 have \d+ lines by their o_ol_cnt, but there are \d+",
    ):
        assert re.search(sentence, str(caught.value))


def test_a_load_that_leaves_wrong_data_fails(
    database: DatabaseAccess, bin_dir: str, run_job: Run, tmp_path: Path
) -> None:
    for name in ("load/10_table.sql", "scripts/one.sql", "check.sql"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / "load" / "10_table.sql").write_text("CREATE TABLE rows AS SELECT :depth AS n;\n")
    (tmp_path / "scripts" / "one.sql").write_text("SELECT 1;\n")
    (tmp_path / "check.sql").write_text("SELECT format('n is %s, not 4', n) FROM rows WHERE n <> 4;\n")
    changes = {"sql": tmp_path, "scripts": {"one": 1}, "throughput_of": None}
    done = run_job(tpcc(**changes, variables={"depth": 3}).load(database, bin_dir))
    assert done.exit_code != 0
    assert "n is 3, not 4" in done.log
    (tmp_path / "load" / "10_table.sql").write_text("DROP TABLE rows; CREATE TABLE rows AS SELECT :depth AS n;\n")
    done = run_job(tpcc(**changes, variables={"depth": 4}).load(database, bin_dir))
    assert done.exit_code == 0, done.log


def with_script(folder: Path, found: str, put: str) -> Path:
    """A copy of the benchmark's folder whose New-Order is changed."""
    for path in (FOLDER / "tpcc").rglob("*.sql"):
        copy = folder / path.relative_to(FOLDER / "tpcc")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text())
    script = folder / "scripts" / "new_order.sql"
    changed, times = re.subn(rf"^\{found}$", lambda _: put, script.read_text(), flags=re.M)
    assert times == 1
    script.write_text(changed)
    return folder
