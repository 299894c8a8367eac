"""RawCounters of ours in OtterTune's shape, and back, where the two differ."""

from __future__ import annotations

from typing import Any

from otterflow.dbms.postgresql.metrics import MetricSnapshot
from otterflow.ottertune.counters import read_metrics, write_metrics


def snapshot(**objects: dict[str, float]) -> MetricSnapshot:
    """Of a server of version 17; `objects` by name, the dot of a schema written as two underscores."""
    named = {f"pg_stat_user_tables[{name.replace('__', '.')}]": row for name, row in objects.items()}
    total = {"seq_scan": sum(row["seq_scan"] for row in objects.values())}
    return MetricSnapshot(
        taken_at="2026-01-01T00:00:00Z",
        epoch_s=1.0,
        server_started_at="0",
        server_version=170002,
        database="tpcc",
        sources={
            "pg_stat_bgwriter": {"buffers_clean": 3},
            "pg_stat_checkpointer": {"num_timed": 2, "write_time": 1.5},
            "pg_stat_user_tables": total,
            "pg_stat_database": {"xact_commit": 7},
            "pg_stat_database_all": {"xact_commit": 9},
            "pg_locks": {"granted": 4},
        },
        objects={
            **named,
            "pg_stat_database[tpcc]": {"xact_commit": 7},
            "pg_stat_database[(shared)]": {"xact_commit": 2},
            "pg_stat_user_indexes[public.orders_pkey]": {"idx_scan": 1},
            "pg_stat_user_indexes[public.orders_date]": {"idx_scan": 5},
        },
        resets={"pg_stat_bgwriter": "2026-01-01 00:00:00+00"},
    )


def written(**objects: dict[str, float]) -> dict[str, Any]:
    return write_metrics(snapshot(**objects))


def test_views_of_later_versions_stand_beside_the_old_ones() -> None:
    assert written()["global"] == {
        "pg_stat_bgwriter": {"buffers_clean": "3", "stats_reset": "2026-01-01 00:00:00+00"},
        "pg_stat_checkpointer": {"num_timed": "2", "write_time": "1.5"},
    }


def test_a_bare_name_where_it_is_the_only_one_else_with_its_schema() -> None:
    content = written(a__orders={"seq_scan": 1}, b__orders={"seq_scan": 2}, b__item={"seq_scan": 4})
    rows = content["local"]["table"]["pg_stat_user_tables"]
    assert set(rows) == {"a.orders", "b.orders", "item"}
    assert rows["a.orders"] == {"relname": "orders", "schemaname": "a", "seq_scan": "1"}


def test_several_indexes_of_a_table_are_all_there() -> None:
    rows = written()["local"]["indexes"]["pg_stat_user_indexes"]
    assert {name: row["idx_scan"] for name, row in rows.items()} == {"orders_pkey": "1", "orders_date": "5"}


def test_the_database_of_shared_objects_counts_in_the_sum() -> None:
    content = written()
    assert set(content["local"]["database"]["pg_stat_database"]) == {"tpcc", "(shared)"}
    rows = read_metrics(content, "metrics_after")
    assert sum(row["xact_commit"] for row in rows.numbers["pg_stat_database"].values()) == 9
    assert rows.problems == []


def test_what_is_read_back_has_our_names() -> None:
    rows = read_metrics(written(a__orders={"seq_scan": 1}, b__orders={"seq_scan": 2}), "metrics_after")
    assert rows.numbers["pg_stat_user_tables"] == {"a.orders": {"seq_scan": 1}, "b.orders": {"seq_scan": 2}}
    assert set(rows.numbers["pg_stat_user_indexes"]) == {"public.orders_pkey", "public.orders_date"}


def test_rows_of_one_name_are_not_added_up() -> None:
    row = {"datname": "tpcc", "xact_commit": "1"}
    rows = read_metrics({"local": {"database": {"pg_stat_database": {"a": row, "b": row}}}}, "metrics_after")
    assert rows.numbers["pg_stat_database"] == {"tpcc": {"xact_commit": 1}}
    [problem] = rows.problems
    assert problem.field == "metrics_after.local.database.pg_stat_database.b"
