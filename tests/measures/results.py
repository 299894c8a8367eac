"""Results as tests of several rooms take them."""

from __future__ import annotations

from dataclasses import replace

from otterflow.measures.result import BenchmarkResult

TIMED = BenchmarkResult(
    throughput=100.0,
    latency_ms={"mean": 8.0, "p50": 7.0, "p95": 20.0, "p99": 30.0},
    errors=0,
    transactions=6000,
    seconds=60.0,
)

TYPED = replace(
    TIMED,
    throughput=45.0,
    counted=2700,
    types={
        "new_order": {"transactions": 2700.0, "errors": 0.0, "mean": 9.0, "p50": 8.0, "p95": 20.0, "p99": 31.0},
        "stock_level": {"transactions": 3300.0, "errors": 0.0, "mean": 7.0},
    },
    numbers={"new_orders_per_minute": 2700.0},
)
"""A run of two types of transactions, of which one makes the throughput."""

REPLAY = replace(TIMED, throughput=None, total_time_s=48.0, replay={"schedule": "think", "errors": {"40P01": 2}})
"""A recorded load at its recorded pace."""

STREAM = BenchmarkResult(
    throughput=4.0,
    latency_ms={"mean": 250.0, "p50": 250.0},
    errors=0,
    transactions=6,
    seconds=1.5,
    run_time_s=0.5,
    passes_s=(0.5, 0.4, 0.6),
    queries_ms={"q1": 240.0, "q2": 260.0},
)
"""Three passes of two queries."""
