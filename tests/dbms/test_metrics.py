from __future__ import annotations

import json
from typing import Any

import pytest

from otterflow.dbms.postgresql.metric_queries import VIEWS, collect_sql, discover_sql
from otterflow.dbms.postgresql.metrics import MetricSnapshot, snapshot, window
from otterflow.dbms.postgresql.quoting import literal


def taken(epoch_s: float = 100.0, **changes: Any) -> MetricSnapshot:
    record: dict[str, Any] = {
        "taken_at": f"t{epoch_s:g}", "epoch_s": epoch_s, "server_started_at": "s", "server_version": 150018,
        "database": "bench", "sources": {}, "objects": {}, "resets": {}, "queries": {},
    }  # fmt: skip
    return MetricSnapshot.from_dict(record | changes)


def test_counters_become_rates_and_gauges_stay() -> None:
    before = taken(sources={"pg_stat_database": {"xact_commit": 1000, "numbackends": 9}})
    after = taken(110.0, sources={"pg_stat_database": {"xact_commit": 1500, "numbackends": 3}})
    found = window(before, after)
    assert found.metrics == {"pg_stat_database.xact_commit": 50.0, "pg_stat_database.numbackends": 3.0}
    assert (found.seconds, found.reset) == (10.0, [])


def test_large_counters_lose_nothing() -> None:
    before = taken(sources={"pg_wal": {"lsn_bytes": 2**60}})
    after = taken(101.0, sources={"pg_wal": {"lsn_bytes": 2**60 + 1}})
    assert window(before, after).metrics == {"pg_wal.lsn_bytes": 1.0}


def test_a_reset_source_is_named_and_only_its_gauges_are_kept() -> None:
    columns = {"n_live_tup": 5, "n_tup_ins": 500}
    before = taken(sources={"x": columns, "y": {"calls": 1}}, resets={"x": "2026-01-01", "y": "2026-01-01"})
    after = taken(110.0, sources={"x": columns, "y": {"calls": 2}}, resets={"x": "2026-02-02", "y": "2026-01-01"})
    found = window(before, after)
    assert found.metrics == {"x.n_live_tup": 5.0, "y.calls": 0.1}
    assert found.reset == ["x"]


def test_a_counter_that_went_backwards_is_named_and_left_out() -> None:
    before = taken(sources={"pg_stat_wal": {"wal_bytes": 10, "wal_fpi": 1}})
    after = taken(110.0, sources={"pg_stat_wal": {"wal_bytes": 4, "wal_fpi": 2}})
    found = window(before, after)
    assert found.metrics == {"pg_stat_wal.wal_fpi": 0.1}
    assert found.reset == ["pg_stat_wal.wal_bytes"]


def test_a_restart_within_the_window_is_noticed() -> None:
    assert window(taken(), taken(110.0, server_started_at="later")).reset == ["server"]


def test_a_source_that_is_new_gives_no_rates() -> None:
    assert window(taken(), taken(110.0, sources={"x": {"calls": 5}})).metrics == {}


@pytest.mark.parametrize("epoch_s", [100.0, 99.0])
def test_no_time_between_is_an_error(epoch_s: float) -> None:
    with pytest.raises(ValueError, match="not later"):
        window(taken(), taken(epoch_s))


def test_the_busiest_objects_are_kept_with_the_statements_texts() -> None:
    def objects(calls: int) -> dict[str, dict[str, int]]:
        statements = {f"pg_stat_statements[{i}]": {"total_exec_time": i * calls, "calls": calls} for i in range(20)}
        return statements | {"pg_stat_user_tables[public.idle]": {"seq_tup_read": 7}}

    queries = {str(i): f"SELECT {i}" for i in range(20)}
    found = window(taken(objects=objects(1)), taken(110.0, objects=objects(11), queries=queries))
    assert len(found.objects) == 10
    assert found.objects["pg_stat_statements[19]"] == {"total_exec_time": 19.0, "calls": 1.0}
    assert found.queries["19"] == "SELECT 19"
    assert set(found.queries) == {str(i) for i in range(10, 20)}


def test_a_statement_first_seen_in_the_window_counts_from_zero() -> None:
    after = taken(110.0, objects={"pg_stat_statements[5]": {"total_exec_time": 20, "calls": 10}})
    assert window(taken(), after).objects == {"pg_stat_statements[5]": {"total_exec_time": 2.0, "calls": 1.0}}
    all_read = {f"pg_stat_statements[{i}]": {"calls": 1} for i in range(100, 150)}
    assert window(taken(objects=all_read), after).objects == {}


CLOCK = {"taken_at": "t", "epoch_s": 1.5, "server_started_at": "s", "server_version": 180000, "database": "it's"}


def answers(*rows: tuple[str, str | None, dict[str, Any]]) -> MetricSnapshot:
    asked: list[str] = []

    def query(sql: str) -> list[dict[str, Any]]:
        asked.append(sql)
        if len(asked) == 1:
            return [{"view": "pg_stat_io", "qualified": "pg_catalog.pg_stat_io"}]
        base = [("clock", None, CLOCK), ("pg_stat_database", "it's", {"xact_commit": 2, "datname": "it's"})]
        return [{"source": s, "key": k, "row": json.dumps(r)} for s, k, r in [*base, *rows]]

    found = snapshot(query)
    assert len(asked) == 2
    return found


def test_rows_are_summed_and_what_is_no_number_is_left_out() -> None:
    found = answers(
        ("pg_stat_io", "client backend.relation.normal", {"reads": 1, "read_bytes": 8192, "object": "relation"}),
        ("pg_stat_io", "checkpointer.relation.normal", {"reads": None, "writes": 4, "stats_reset": "2026-01-01"}),
        ("pg_stat_bgwriter", None, {"buffers_alloc": 3, "stats_reset": "2026-01-02"}),
        ("pg_stat_statements", "77", {"calls": 3, "mean_exec_time": 5.5, "toplevel": True, "query": "SELECT $1"}),
        ("pg_stat_statements", None, {"calls": 9, "queryid": 123, "max_exec_time": 5.5}),
        ("pg_stat_database", "other", {"xact_commit": 5, "checksum_failures": None}),
    )
    assert found.sources == {
        "pg_stat_io": {"reads": 1, "read_bytes": 8192, "writes": 4},
        "pg_stat_bgwriter": {"buffers_alloc": 3},
        "pg_stat_statements": {"calls": 9},
        "pg_stat_database": {"xact_commit": 2},
        "pg_stat_database_all": {"xact_commit": 7},
    }
    assert found.objects["pg_stat_statements[77]"] == {"calls": 3}
    assert found.queries == {"77": "SELECT $1"}
    assert found.resets["pg_stat_io"] == "2026-01-01"
    assert found.resets["pg_stat_bgwriter"] == "2026-01-02"
    assert MetricSnapshot.from_dict(json.loads(json.dumps(found.as_dict()))) == found


def test_the_reset_that_counts_is_of_the_benchmarks_database() -> None:
    found = answers(
        ("pg_stat_database", "it's", {"xact_commit": 2, "stats_reset": "2026-01-01"}),
        ("pg_stat_database", "other", {"xact_commit": 5, "stats_reset": "2026-03-03"}),
    )
    assert found.resets["pg_stat_database"] == "2026-01-01"
    assert found.resets["pg_stat_database_all"] == "2026-03-03"


def test_every_view_that_may_be_there_can_be_asked() -> None:
    sql = collect_sql({name: f"pg_catalog.{name}" for name in VIEWS if "database" not in name})
    assert sql.count("UNION ALL") > len(VIEWS)
    assert "pg_stat_checkpointer" in discover_sql()


def test_literals() -> None:
    assert literal("it's") == "'it''s'"
    assert literal("a\\b").strip() == "E'a\\\\b'"
    with pytest.raises(ValueError, match="NUL"):
        literal("\0")
