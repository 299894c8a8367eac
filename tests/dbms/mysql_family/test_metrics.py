from __future__ import annotations

import json
from typing import Any

import pytest

from otterflow.dbms.mysql_family.metrics import remarks, seconds_between, window_between
from otterflow.dbms.mysql_family.status_gauges import is_gauge


def snapshot(epoch_s: float, uptime: int, since_flush: int | None = None, **status: float) -> dict[str, Any]:
    clocks = {"uptime": uptime, "uptime_since_flush_status": uptime if since_flush is None else since_flush}
    return {
        "taken_at": f"at {epoch_s}", "epoch_s": epoch_s, "server_version": "10.11.19-MariaDB", "database": "bench",
        "sources": {"global_status": clocks | status}, "gauges": [], "objects": {}, "queries": {},
    }  # fmt: skip


def test_counters_become_rates_and_gauges_stay_as_they_are() -> None:
    before = snapshot(1000, 500, com_commit=100, threads_running=9)
    after = json.loads(json.dumps(snapshot(1010, 510, com_commit=350, threads_running=3)))
    window = window_between(before, after)
    assert (window.seconds, window.reset) == (10.0, [])
    assert window.metrics["global_status.com_commit"] == 25.0
    assert window.metrics["global_status.threads_running"] == 3.0
    assert seconds_between(before, after) == 10.0


def test_a_restart_leaves_the_gauges_alone() -> None:
    before = snapshot(1000, 500, com_commit=100, innodb_data_reads=7, threads_running=9)
    after = snapshot(1010, 4, com_commit=350, innodb_data_reads=9, threads_running=3)
    window = window_between(before, after)
    assert window.reset == ["server"]
    assert {name for name in window.metrics if "uptime" not in name} == {"global_status.threads_running"}


def test_a_restart_of_a_young_server_is_seen_though_its_uptime_did_not_fall() -> None:
    assert window_between(snapshot(1000, 3), snapshot(1100, 8)).reset == ["server"]


def test_a_flush_leaves_what_it_does_not_zero() -> None:
    before = snapshot(1000, 500, com_commit=100, innodb_data_reads=700)
    after = snapshot(1100, 600, 50, com_commit=350, innodb_data_reads=900)
    window = window_between(before, after)
    assert window.reset == ["global_status"]
    assert window.metrics["global_status.innodb_data_reads"] == 2.0
    assert "global_status.com_commit" not in window.metrics


def test_a_clock_in_whole_seconds_is_no_reset() -> None:
    assert window_between(snapshot(1000.9, 500, 0), snapshot(1010.1, 510, 8)).reset == []


def test_a_counter_that_fell_is_named_and_left_out() -> None:
    window = window_between(snapshot(1000, 500, qcache_hits=9), snapshot(1010, 510, qcache_hits=2))
    assert window.reset == ["global_status.qcache_hits"]
    assert "global_status.qcache_hits" not in window.metrics


def test_of_the_engines_metrics_the_server_says_which_are_counters() -> None:
    before, after = snapshot(1000, 500), snapshot(1010, 510)
    before["sources"]["innodb_metrics"] = {"lock_deadlocks": 1, "trx_rseg_history_len": 50}
    after["sources"]["innodb_metrics"] = {"lock_deadlocks": 21, "trx_rseg_history_len": 40}
    after["gauges"] = ["trx_rseg_history_len"]
    metrics = window_between(before, after).metrics
    assert metrics["innodb_metrics.lock_deadlocks"] == 2.0
    assert metrics["innodb_metrics.trx_rseg_history_len"] == 40.0


def test_the_statements_that_took_most_of_the_window_are_kept_with_their_texts() -> None:
    before, after = snapshot(1000, 500), snapshot(1010, 510)
    before["objects"] = {f"statements[{i}]": {"calls": 5, "total_ns": 10**9} for i in range(20)}
    after["objects"] = {f"statements[{i}]": {"calls": 15, "total_ns": 10**9 * (1 + i)} for i in range(20)}
    after["objects"]["statements[new]"] = {"calls": 2, "total_ns": 10**12}
    after["queries"] = {"19": "SELECT ?", "1": "SELECT ? + ?", "new": "CALL p ( )"}
    window = window_between(before, after)
    assert len(window.objects) == 10
    assert window.objects["statements[19]"] == {"calls": 1.0, "total_ns": 1.9e9}
    assert window.objects["statements[new]"]["calls"] == 0.2
    assert window.queries == {"19": "SELECT ?", "new": "CALL p ( )"}


@pytest.mark.parametrize(
    ("written", "checkpoint"),
    [("innodb_lsn_current", "innodb_lsn_last_checkpoint"),
     ("innodb_redo_log_current_lsn", "innodb_redo_log_checkpoint_lsn")],
)  # fmt: skip
def test_what_the_server_has_yet_to_write_is_told(written: str, checkpoint: str) -> None:
    before = snapshot(1000, 500, innodb_buffer_pool_bytes_dirty=300, **{written: 5000, checkpoint: 4000})
    after = snapshot(1010, 510, innodb_buffer_pool_bytes_dirty=100, **{written: 9000, checkpoint: 4000})
    metrics = window_between(before, after).metrics
    assert {name: value for name, value in metrics.items() if name.startswith("write_debt")} == {
        "write_debt.redo_bytes": 5000.0,
        "write_debt.redo_bytes_growth": 400.0,
        "write_debt.dirty_bytes": 100.0,
        "write_debt.dirty_bytes_growth": -20.0,
        "write_debt.redo_bytes_written": 400.0,
    }


def test_after_a_restart_no_growth_of_it_is_told() -> None:
    before = snapshot(1000, 500, innodb_lsn_current=5000, innodb_lsn_last_checkpoint=4000)
    after = snapshot(1010, 3, innodb_lsn_current=6000, innodb_lsn_last_checkpoint=5500)
    metrics = window_between(before, after).metrics
    assert {name: value for name, value in metrics.items() if name.startswith("write_debt")} == {
        "write_debt.redo_bytes": 500.0
    }


def test_no_time_is_no_window() -> None:
    with pytest.raises(ValueError, match="not later"):
        window_between(snapshot(1000, 500), snapshot(1000, 500))


@pytest.mark.parametrize(
    "name", ["Threads_running", "Innodb_checkpoint_age", "Uptime", "wsrep_cluster_size", "Memory_used"]
)
def test_states_are_gauges(name: str) -> None:
    assert is_gauge(name)


@pytest.mark.parametrize(
    "name",
    ["Com_commit", "Questions", "Innodb_data_reads", "Threads_created", "Opened_tables", "Innodb_row_lock_time",
     "Max_statement_time_exceeded", "Innodb_lsn_current", "Key_reads", "Created_tmp_disk_tables", "Ssl_accepts"],
)  # fmt: skip
def test_what_is_counted_is_none(name: str) -> None:
    assert not is_gauge(name)


def debt(*, left: float, growth: float, written: float) -> dict[str, float]:
    numbers = {"redo_bytes": left, "redo_bytes_growth": growth, "redo_bytes_written": written}
    return {f"write_debt.{name}": number * 2**20 for name, number in numbers.items()}


def test_a_run_that_put_off_most_of_its_writing_is_told_of() -> None:
    [remark] = remarks(debt(left=300, growth=4.5, written=5))
    assert "of 5 MB of redo a second 4.5 MB are left to be paid (300 MB in all)" in remark


@pytest.mark.parametrize(
    "metrics",
    [
        {},
        debt(left=300, growth=2, written=5),
        debt(left=300, growth=-1, written=0),
        debt(left=2, growth=5, written=5),
        {"write_debt.redo_bytes": 300.0 * 2**20},
    ],
    ids=["not told", "paid for the most part", "an idle server", "too little to matter", "restarted meanwhile"],
)
def test_a_run_that_paid_is_not(metrics: dict[str, float]) -> None:
    assert remarks(metrics) == []
