"""YCSB against a real PostgreSQL: the records, their popularity, and what each operation does to them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from otterflow import settings
from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.errors import BenchmarkFailed
from otterflow.measures.result import BenchmarkResult
from otterflow.remote.script import JobScript
from otterflow.workloads.belief import believe
from otterflow.workloads.definition import RunPlan, benchmarks
from otterflow.workloads.pgbench.scripts_settings import PgbenchScriptsSettings
from otterflow.workloads.pgbench.scripts_workload import PgbenchScriptsWorkload
from stack.host import DatabaseHost
from tests.workloads.conftest import Ran

pytestmark = pytest.mark.integration

SHIPPED = benchmarks(settings.include_dir() / "benchmarks")
YCSB = {name: found for name, found in SHIPPED.items() if name[:5] == "ycsb_" and found.driver == "pgbench_scripts"}
MIXES = {
    "ycsb_a": {"read": 50, "update": 50},
    "ycsb_b": {"read": 95, "update": 5},
    "ycsb_c": {"read": 100},
    "ycsb_d": {"read_latest": 95, "insert": 5},
    "ycsb_e": {"scan": 95, "insert": 5},
    "ycsb_f": {"read": 50, "read_modify_write": 50},
}
RECORDS = 1000
Run = Callable[[JobScript], Ran]
Query = Callable[[str], list[tuple[Any, ...]]]


def ycsb(name: str, **changes: Any) -> PgbenchScriptsWorkload:
    """One of the six at 1,000 records, with every transaction logged."""
    chosen = YCSB[name].workload
    assert isinstance(chosen, PgbenchScriptsSettings)
    small = chosen.model_copy(update={"scale": RECORDS // 1000, "latency_sample": 1.0, **changes})
    return PgbenchScriptsWorkload(small, 600, 60)


@pytest.fixture
def query(database: DatabaseAccess, db_host: DatabaseHost) -> Query:
    """SQL on the loaded table."""

    def run(statement: str) -> list[tuple[Any, ...]]:
        with db_host.cluster.connect(database.database) as connection:
            connection.execute("SET search_path = ycsb")
            done = connection.execute(statement.encode())
            return done.fetchall() if done.description else []

    return run


@pytest.fixture
def loaded(database: DatabaseAccess, bin_dir: str, run_job: Run, db_host: DatabaseHost) -> None:
    """The records, as they are after a load, and an empty table for tests to note which were asked for."""
    done = run_job(ycsb("ycsb_a").load(database, bin_dir))
    assert done.exit_code == 0, done.log
    with db_host.cluster.connect(database.database) as connection:
        connection.execute("CREATE TABLE ycsb.asked (record bigint)")


ASKED, COVERED = RunPlan(duration_s=3, seed=3), RunPlan(duration_s=1)
"""Until all clients are connected two of three seconds may pass on a busy machine."""


def run(workload: PgbenchScriptsWorkload, access: DatabaseAccess, bin_dir: str, run_job: Run) -> BenchmarkResult:
    done = run_job(workload.run(access, ASKED, bin_dir))
    assert done.exit_code == 0, done.log
    return workload.parse(done.results, done.log)


def test_the_six_mixes_share_their_data() -> None:
    shipped = {name: found.workload.scripts for name, found in YCSB.items()}  # type: ignore[union-attr]
    assert {name: shipped[name] for name in MIXES} == MIXES
    assert len({PgbenchScriptsWorkload(found.workload, 1, 1).data_fingerprint() for found in YCSB.values()}) == 1  # type: ignore[arg-type]


@pytest.mark.usefixtures("loaded")
def test_the_records(query: Query) -> None:
    assert query("SELECT count(*), count(DISTINCT ycsb_key), min(length(ycsb_key)) FROM usertable") == [
        (RECORDS, RECORDS, 23)
    ]
    lengths = ", ".join(f"min(length(field{n})), max(length(field{n}))" for n in range(10))
    assert query(f"SELECT {lengths} FROM usertable") == [(100,) * 20]
    assert query("SELECT count(DISTINCT value) FROM usertable, LATERAL (VALUES (field0), (field9)) AS f (value)") == [
        (2 * RECORDS,)
    ]
    assert query("SELECT last_value FROM record") == [(RECORDS,)]
    query("VACUUM FULL usertable")  # two sessions that load at once may leave pages half empty
    ((size,),) = query("SELECT pg_total_relation_size('usertable')")
    assert size == pytest.approx(ycsb("ycsb_a").estimated_bytes(), rel=0.15)


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("name", MIXES)
def test_a_mix_runs_and_changes_what_it_should(
    name: str, database: DatabaseAccess, bin_dir: str, run_job: Run, query: Query
) -> None:
    result = run(ycsb(name), database, bin_dir, run_job)
    believe(result, YCSB[name], COVERED)
    assert list(result.types) == list(MIXES[name])
    ((records, wrong),) = query(
        "SELECT count(*), count(*) FILTER (WHERE length(field0 || field9) <> 200) FROM usertable"
    )
    inserted = result.types.get("insert", {}).get("transactions", 0)
    assert (records, wrong) == (RECORDS + inserted, 0)
    assert query("SELECT last_value FROM record") == [(RECORDS + inserted,)]
    fields = ", ".join(f"field{n}" for n in range(10))
    loaded = ", ".join(f"value(10 * r::bigint + {n})" for n in range(10))
    ((changed,),) = query(
        f"SELECT count(*) FROM generate_series(1, {RECORDS}) AS r JOIN usertable ON ycsb_key = key(r) "
        f"WHERE ({fields}) IS DISTINCT FROM ({loaded})"
    )
    writes = sum(result.types.get(kind, {}).get("transactions", 0) for kind in ("update", "read_modify_write"))
    assert (changed > 0) == (writes > 0)


@pytest.mark.usefixtures("loaded")
def test_a_few_records_are_asked_for_most_and_are_no_neighbours(
    database: DatabaseAccess, bin_dir: str, run_job: Run, query: Query, tmp_path: Path
) -> None:
    asked_for = with_asked(tmp_path, "read", "record")
    result = run(ycsb("ycsb_c", sql=asked_for), database, bin_dir, run_job)
    counts = query("SELECT record, count(*) FROM asked GROUP BY record ORDER BY count(*) DESC")
    assert sum(count for _, count in counts) == result.transactions
    harmonic = sum(rank**-1.01 for rank in range(1, RECORDS + 1))
    for rank in (1, 2, 3):
        expected = result.transactions * rank**-1.01 / harmonic
        assert counts[rank - 1][1] == pytest.approx(expected, abs=6 * expected**0.5)
    hottest = sorted(record for record, _ in counts[:5])
    assert min(after - before for before, after in pairwise(hottest)) > 1
    again = run(ycsb("ycsb_c", sql=asked_for, variables={"zipf": 3.0}), database, bin_dir, run_job)
    assert again.transactions > 0
    more = query("SELECT record FROM asked GROUP BY record ORDER BY count(*) DESC LIMIT 1")
    assert more[0][0] == counts[0][0], "the same records are hot in every run"


@pytest.mark.usefixtures("loaded")
def test_the_newest_records_are_asked_for_most(
    database: DatabaseAccess, bin_dir: str, run_job: Run, query: Query, tmp_path: Path
) -> None:
    asked_for = with_asked(tmp_path, "read_latest", "back")
    result = run(ycsb("ycsb_d", sql=asked_for), database, bin_dir, run_job)
    ((back, count),) = query("SELECT record, count(*) FROM asked GROUP BY 1 ORDER BY count(*) DESC LIMIT 1")
    assert back == 0
    harmonic = sum(rank**-1.01 for rank in range(1, RECORDS + 1))
    expected = result.types["read_latest"]["transactions"] / harmonic
    assert count == pytest.approx(expected, abs=6 * expected**0.5)


@pytest.mark.usefixtures("loaded")
def test_lost_records_refuse_the_result(
    database: DatabaseAccess, bin_dir: str, run_job: Run, db_host: DatabaseHost
) -> None:
    with db_host.cluster.connect(database.database) as connection:
        connection.execute("DELETE FROM ycsb.usertable WHERE ycsb_key = ycsb.key(7)")
    with pytest.raises(
        BenchmarkFailed, match="wrong after the run: there are 999 records, but at least 1000 were loaded"
    ):
        run(ycsb("ycsb_c"), database, bin_dir, run_job)


def with_asked(folder: Path, script: str, variable: str) -> Path:
    """A copy of the benchmark's folder whose script also notes which record it asked for."""
    source = settings.include_dir() / "benchmarks" / "ycsb"
    for path in source.rglob("*.sql"):
        copy = folder / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text())
    changed = folder / "scripts" / f"{script}.sql"
    changed.write_text(changed.read_text() + f"INSERT INTO ycsb.asked VALUES (:{variable});\n")
    return folder
