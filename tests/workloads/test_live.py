"""Observing a live server: what psql is told, and what is believed of what it left."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

import pytest

from otterflow.dbms.live_window import looks
from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.dbms.postgresql.dbms import DBMS
from otterflow.dbms.postgresql.observation import requirements
from otterflow.dbms.postgresql.observation_output import read_result
from otterflow.dbms.postgresql.observation_sql import LIVE_MARK, observe_sql
from otterflow.dbms.values import Requirements
from otterflow.errors import BenchmarkFailed
from otterflow.measures.objective import Objective
from otterflow.measures.result import BenchmarkResult
from otterflow.settings import include_dir
from otterflow.workloads.base import plan, workload_for
from otterflow.workloads.belief import believe
from otterflow.workloads.definition import RunPlan, load_benchmark
from otterflow.workloads.live.settings import LiveSettings
from otterflow.workloads.live.workload import LiveWorkload
from tests.waiting import wait_until

ACCESS = DatabaseAccess("127.0.0.1", 5432, "otter", "shop", "127.0.0.1:5432:*:otter:secret\n")
STATEMENTS = {"10/5/111": [1000, 2000.0], "10/5/-222": [50, 5000.0]}


def snapshot(**changes: Any) -> str:
    record: dict[str, Any] = {
        "epoch_s": 1000.0,
        "server_started_at": "2026-01-01 00:00:00+00",
        "own_transactions": 21,
        "databases": {"shop": {"commits": 5000, "rollbacks": 10, "stats_reset": None}},
        "statements": STATEMENTS,
        "has_statements": True,
        "evictions": 0,
        "statements_reset": "2026-01-01 00:00:00+00",
    }
    return json.dumps(record | changes)


def after(**changes: Any) -> str:
    later: dict[str, Any] = {
        "epoch_s": 1300.0,
        "databases": {"shop": {"commits": 35021, "rollbacks": 40, "stats_reset": None}},
        "statements": {"10/5/111": [61000, 122000.0], "10/5/-222": [150, 25000.0], "10/5/333": [900, 7000.0]},
    }
    return snapshot(**later | changes)


def read(before: str, later: str) -> BenchmarkResult:
    return read_result({"before.json": before, "after.json": later}, least_transactions=100)


def refused(before: str, later: str) -> str:
    with pytest.raises(BenchmarkFailed) as caught:
        read(before, later)
    return str(caught.value)


def test_a_window() -> None:
    result = read(snapshot(), after())
    assert result.transactions == 30_000, "its own 21 are not among them"
    assert result.throughput == 100
    assert result.errors == 30
    assert result.seconds == 300
    assert result.latency_ms == {"mean": (120_000 + 20_000 + 7000) / (60_000 + 100 + 900)}
    assert not result.absent
    benchmark = load_benchmark(include_dir() / "benchmarks" / "live.yaml")
    believe(result, benchmark, plan(benchmark))
    assert BenchmarkResult.from_dict(result.as_dict()) == result


def test_several_databases_one_of_them_made_in_the_window() -> None:
    shop = {"commits": 35021, "rollbacks": 40, "stats_reset": None}
    new = {"commits": 1500, "rollbacks": 0, "stats_reset": None}
    result = read(snapshot(), after(databases={"shop": shop, "new": new}))
    assert result.transactions == 31_500


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"statements_reset": "2026-01-02"}, "pg_stat_statements was reset within the window"),
        ({"statements": {"10/5/111": [61000, 122000.0], "10/5/-222": [3, 1.0]}}, "was reset within the window"),
        ({"evictions": 2}, "raise pg_stat_statements.max"),
        ({"evictions": None, "statements": {"10/5/111": [61000, 122000.0]}}, "raise pg_stat_statements.max"),
        ({"statements": STATEMENTS}, "pg_stat_statements.track"),
        ({"has_statements": False, "statements": None}, "pg_stat_statements is not installed"),
    ],
)
def test_statements_that_are_not_to_be_believed_leave_the_throughput(changes: dict[str, Any], sentence: str) -> None:
    before = snapshot(evictions=None) if changes.get("evictions", 0) is None else snapshot()
    result = read(before, after(**changes))
    assert result.throughput == 100
    assert result.latency_ms == {}
    assert sentence in result.absent["latency_mean"]


def test_statements_before_the_first_call() -> None:
    result = read(snapshot(statements=None), after())
    assert result.latency_ms["mean"] > 0


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"databases": {"shop": {"commits": 5020, "rollbacks": 10, "stats_reset": None}}}, "0 transactions were"),
        ({"databases": {"shop": {"commits": 5100, "rollbacks": 10, "stats_reset": None}}}, "79 transactions were"),
        (
            {"databases": {"shop": {"commits": 35000, "rollbacks": 10, "stats_reset": "2026-01-02"}}},
            "statistics of database 'shop' were reset",
        ),
        ({"databases": {"shop": {"commits": 4, "rollbacks": 0, "stats_reset": None}}}, "were reset within the window"),
        ({"server_started_at": "2026-01-02 00:00:00+00"}, "the server was restarted within the window"),
        ({"epoch_s": 990.0}, "clock went back by 10.0 s"),
    ],
)
def test_windows_that_are_no_measurement(changes: dict[str, Any], sentence: str) -> None:
    assert sentence in refused(snapshot(), after(**changes))


@pytest.mark.parametrize("text", ["", "\n"])
def test_an_observation_that_did_not_reach_its_end(text: str) -> None:
    assert "left no after.json: it did not reach that end of its window" in refused(snapshot(), text)
    assert "left no before.json" in refused(text, after())


@pytest.mark.parametrize("text", [after()[:-40], "[]", "{}", "null", "ERROR: out of memory", after(databases=None)])
def test_output_that_is_cut_short_or_something_else(text: str) -> None:
    assert "after.json is cut short or no snapshot" in refused(snapshot(), text)


def test_the_shipped_benchmark() -> None:
    benchmark = load_benchmark(include_dir() / "benchmarks" / "live.yaml")
    assert benchmark.is_live
    assert benchmark.objectives == (Objective.throughput, Objective.latency_mean)
    workload = workload_for(benchmark, DBMS)
    assert workload.estimated_bytes() == 0
    with pytest.raises(TypeError, match="nothing is ever loaded"):
        workload.load(ACCESS, None)


def test_the_jobs_hold_no_secret_and_wait_as_long_as_asked() -> None:
    workload = LiveWorkload(LiveSettings(driver="live"), DBMS.observation, run_timeout_s=120)
    job = workload.run(ACCESS, RunPlan(duration_s=300), "/usr/lib/postgresql/15/bin")
    assert "secret" not in job.script
    assert [name for name, text in job.files.items() if "secret" in text] == ["pgpass"]
    assert job.timeout_s == 420
    assert cast("str", job.files["observe.sql"]).count(r"\! sleep 15.000") == 20
    wait = workload.warm_up(ACCESS, RunPlan(warmup_s=10, duration_s=300), None)
    assert wait is not None
    assert wait.script == "sleep 10\n"
    assert workload.warm_up(ACCESS, RunPlan(duration_s=300), None) is None


@pytest.mark.parametrize(
    ("duration_s", "expected"), [(0.5, (1, 0.5)), (3, (3, 1.0)), (300, (20, 15.0)), (86400, (1440, 60.0))]
)
def test_how_often_a_window_is_looked_at(duration_s: float, expected: tuple[int, float]) -> None:
    assert looks(duration_s) == expected


def test_every_statement_of_the_observation_is_marked() -> None:
    files = observe_sql("server", 3)
    statements = "\n".join(files.values()).count("SELECT /* otterflow live */")
    ends = sum(text.count(r"\gset") + text.count(r"\g ") for text in files.values())
    assert statements == ends == 5


def test_progress() -> None:
    workload = LiveWorkload(LiveSettings(driver="live"), DBMS.observation, run_timeout_s=120)
    line = "live 30.0 s, 1412.5 commits/s, 7 active"
    assert workload.progress(line) == "30 s: 1,412.5 transactions/s, 7 active sessions"
    assert workload.progress("psql: error") is None


def row(**changes: Any) -> dict[str, Any]:
    well = {"name": "otter", "database": "shop", "may_reload": True, "preloaded": True, "made": True, "libraries": ""}
    return {**well, **changes}


def lacks(asked: dict[str, Any]) -> Requirements:
    return requirements(lambda _: [asked])


def test_what_a_server_must_offer() -> None:
    assert lacks(row()) == Requirements([], None)
    assert not lacks(row(preloaded=False, made=False)).problems
    (problem,) = lacks(row(may_reload=False)).problems
    assert problem.advice == 'GRANT EXECUTE ON FUNCTION pg_reload_conf() TO "otter"'
    statements = lacks(row(preloaded=False, made=False, libraries="auto_explain")).statements
    assert statements is not None
    assert "shared_preload_libraries = 'auto_explain, pg_stat_statements' and restart the server" in statements.advice
    assert "CREATE EXTENSION pg_stat_statements in database 'shop'" in statements.advice


@pytest.fixture
def no_autovacuum(db_host: Any) -> Iterator[None]:
    """Its commits count as the server's, and after other tests there is much to vacuum."""
    workers = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'"
    with db_host.cluster.connect("postgres") as connection:
        connection.execute("ALTER SYSTEM SET autovacuum = off")
        connection.execute("SELECT pg_reload_conf()")
        try:
            wait_until(lambda: connection.execute(workers).fetchone() == (0,))
            yield
        finally:
            connection.execute("ALTER SYSTEM RESET autovacuum")
            connection.execute("SELECT pg_reload_conf()")


@pytest.mark.integration
@pytest.mark.usefixtures("no_autovacuum")
@pytest.mark.parametrize("scope", ["database", "server"])
@pytest.mark.parametrize("extension", [True, False])
def test_on_a_real_server(
    scope: Any, extension: bool, database: DatabaseAccess, db_host: Any, bin_dir: str, run_job: Callable[..., Any]
) -> None:
    """Hand-counted: statements run by somebody else in the window, none of the observation's own."""
    with db_host.cluster.connect(database.database) as connection:
        verb = "CREATE EXTENSION IF NOT EXISTS" if extension else "DROP EXTENSION IF EXISTS"
        connection.execute(f"{verb} pg_stat_statements")
    workload = LiveWorkload(
        LiveSettings(driver="live", scope=scope, least_transactions=1), DBMS.observation, run_timeout_s=60
    )
    job = workload.run(database, RunPlan(duration_s=2), bin_dir)
    first, _ = job.results
    users = (
        "SELECT pg_sleep(0.6);\nSELECT 1 AS of_users;\nSELECT 1 AS of_users;\n\\! sleep 0.6\nSELECT 'last' AS last;\n"
    )
    begin_users = (
        f"(until test -s {first}; do sleep 0.1; done; psql --no-psqlrc -q -o /dev/null -f users.sql; sleep 0.5;"
        " touch users.ended) &\nexport PGOPTIONS"
    )
    observing = cast("str", job.files["observe.sql"])
    begin, snapshot, end = observing.rpartition(f"SELECT /* {LIVE_MARK} */ jsonb_build_object")
    observe = f"{begin}\\! until test -e users.ended; do sleep 0.1; done\n{snapshot}{end}"
    script = job.script.replace("export PGOPTIONS", begin_users) + "wait\n"
    done = run_job(replace(job, script=script, files={**job.files, "users.sql": users, "observe.sql": observe}))
    assert done.exit_code == 0, done.log
    assert [line for line in map(workload.progress, done.log.splitlines()) if line], done.log
    result = workload.parse(done.results, done.log)
    assert 2 <= result.seconds
    assert 3 <= result.transactions <= 12
    if extension:
        before, later = (json.loads(done.results[name])["statements"] or {} for name in job.results)
        assert sum(calls - before.get(key, [0])[0] for key, (calls, _) in later.items()) == 4
        assert result.latency_ms["mean"] > 600 / 4
    else:
        assert result.absent == {"latency_mean": "pg_stat_statements is not installed in the target's database"}
