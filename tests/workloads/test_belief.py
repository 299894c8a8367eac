"""What makes a result unbelievable."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from otterflow import settings
from otterflow.errors import BenchmarkFailed
from otterflow.measures.result import BenchmarkResult
from otterflow.workloads.belief import believe
from otterflow.workloads.definition import Benchmark, RunPlan, load_benchmark
from tests.measures.results import TIMED, TYPED


@pytest.fixture(scope="module")
def tpcb() -> Benchmark:
    return load_benchmark(settings.include_dir() / "benchmarks" / "pgbench_tpcb.yaml")


@pytest.fixture(scope="module")
def analytics() -> Benchmark:
    return load_benchmark(settings.include_dir() / "benchmarks" / "analytics.yaml")


@pytest.fixture(scope="module")
def stream(analytics: Benchmark) -> BenchmarkResult:
    queries = {name: 250.0 for name in analytics.workload.query_names}
    return BenchmarkResult(
        throughput=4.0,
        latency_ms={"mean": 250.0, "p50": 250.0},
        errors=0,
        transactions=3 * len(queries),
        seconds=3 * len(queries) / 4.0,
        run_time_s=3.5,
        passes_s=(3.5, 3.4, 3.6),
        queries_ms=queries,
    )


def test_good_results_are_believed(tpcb: Benchmark, analytics: Benchmark, stream: BenchmarkResult) -> None:
    believe(TIMED, tpcb, RunPlan(duration_s=60))
    believe(TYPED, tpcb, RunPlan(duration_s=60))
    believe(stream, analytics, RunPlan(passes=3))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"throughput": math.nan}, "throughput is nan, not a finite number"),
        ({"throughput": math.inf}, "throughput is inf, not a finite number"),
        ({"throughput": -1.0}, "throughput is -1, not above zero"),
        ({"throughput": 0.0}, "throughput is 0, not above zero"),
        ({"seconds": 0.0}, "seconds is 0, not above zero"),
        ({"latency_ms": {"p99": -1.0}}, "latency_ms.p99 is -1, not above zero"),
        ({"latency_ms": {"p50": math.nan}}, "latency_ms.p50 is nan"),
        ({"transactions": 0}, "transactions is 0: nothing was done"),
        ({"errors": -1}, "errors is -1, below zero"),
        ({"errors": 100}, r"100 of 6100 transactions failed \(1.64%\), more than max_error_share 1.00%"),
        ({"seconds": 55.0, "transactions": 5500}, "covers 55.0 s of the 60 s asked for"),
        ({"transactions": 3000}, "makes 6000 transactions, but 3000 were counted"),
        ({"latency_ms": {"p50": 5.0, "p95": 4.0}}, "latency percentiles fall: 5 ms, 4 ms"),
    ],
)
def test_wrong_numbers_are_not_believed(tpcb: Benchmark, change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BenchmarkFailed, match=f"benchmark pgbench_tpcb: .*{sentence}"):
        believe(replace(TIMED, **change), tpcb, RunPlan(duration_s=60))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"counted": None}, "makes 2700 transactions, but 6000 were counted"),
        ({"counted": 100}, "makes 2700 transactions, but 100 were counted"),
        ({"numbers": {"new_orders_per_minute": math.nan}}, "numbers.new_orders_per_minute is nan"),
        ({"types": {"payment": {"p99": 0.0}}}, "types.payment.p99 is 0, not above zero"),
        ({"types": {"payment": {"p50": 5.0, "p99": 4.0}}}, "percentiles of payment fall: 5 ms, 4 ms"),
    ],
)
def test_wrong_numbers_of_a_type_are_not_believed(tpcb: Benchmark, change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BenchmarkFailed, match=sentence):
        believe(replace(TYPED, **change), tpcb, RunPlan(duration_s=60))


def test_connecting_may_take_a_little_of_the_asked_time(tpcb: Benchmark) -> None:
    believe(replace(TIMED, seconds=57.0, transactions=5700), tpcb, RunPlan(duration_s=60))
    believe(replace(TIMED, seconds=1.6, transactions=160), tpcb, RunPlan(duration_s=2))
    with pytest.raises(BenchmarkFailed, match=r"covers 0\.8 s of the 2 s asked for"):
        believe(replace(TIMED, seconds=0.8, transactions=80), tpcb, RunPlan(duration_s=2))


def test_few_errors_are_within_the_limit(tpcb: Benchmark) -> None:
    believe(replace(TIMED, errors=60), tpcb, RunPlan(duration_s=60))


def test_a_stream_with_too_few_passes_or_a_missing_query(analytics: Benchmark, stream: BenchmarkResult) -> None:
    with pytest.raises(BenchmarkFailed, match="3 of the 4 passes asked for"):
        believe(stream, analytics, RunPlan(passes=4))
    name = analytics.workload.query_names[6]
    fewer = {query: ms for query, ms in stream.queries_ms.items() if query != name}
    with pytest.raises(BenchmarkFailed, match=f"no time for {name}"):
        believe(replace(stream, queries_ms=fewer), analytics, RunPlan(passes=3))
    with pytest.raises(BenchmarkFailed, match=f"queries_ms.{name} is 0, not above zero"):
        believe(replace(stream, queries_ms=stream.queries_ms | {name: 0.0}), analytics, RunPlan(passes=3))
    with pytest.raises(BenchmarkFailed, match=r"passes_s.2 is -1"):
        believe(replace(stream, passes_s=(3.0, -1.0, 3.0)), analytics, RunPlan(passes=3))
    with pytest.raises(BenchmarkFailed, match="run_time_s is nan"):
        believe(replace(stream, run_time_s=math.nan), analytics, RunPlan(passes=3))


def test_all_that_is_wrong_is_said_at_once(tpcb: Benchmark) -> None:
    with pytest.raises(BenchmarkFailed) as caught:
        believe(replace(TIMED, errors=3000, seconds=30.0), tpcb, RunPlan(duration_s=60))
    for part in ("failed (33.33%)", "covers 30.0 s", "makes 3000 transactions"):
        assert part in str(caught.value)
