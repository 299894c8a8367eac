"""Objectives: their number in a result, its direction and unit, and the score that the tuner maximises."""

from __future__ import annotations

import math

import pytest

from otterflow.errors import BenchmarkFailed
from otterflow.measures.objective import InvalidResult, Objective
from otterflow.measures.result import BenchmarkResult

RESULT = BenchmarkResult(
    throughput=800.0,
    latency_ms={"mean": 1.0, "p50": 0.8, "p95": 2.5, "p99": 4.0},
    errors=0,
    transactions=8000,
    seconds=10.0,
    run_time_s=3.5,
    total_time_s=7.25,
    server_time_s=6.5,
)


@pytest.mark.parametrize(
    ("objective", "value", "unit"),
    [
        (Objective.throughput, 800.0, "1/s"),
        (Objective.latency_mean, 1.0, "ms"),
        (Objective.latency_p50, 0.8, "ms"),
        (Objective.latency_p95, 2.5, "ms"),
        (Objective.latency_p99, 4.0, "ms"),
        (Objective.run_time, 3.5, "s"),
        (Objective.total_time, 7.25, "s"),
        (Objective.server_time, 6.5, "s"),
    ],
)
def test_each_objective_reads_its_number(objective: Objective, value: float, unit: str) -> None:
    assert objective.read(RESULT) == value
    assert objective.unit == unit


def test_only_throughput_is_to_be_maximised() -> None:
    assert [objective for objective in Objective if objective.maximise] == [Objective.throughput]


@pytest.mark.parametrize("objective", list(Objective))
def test_an_absent_number_is_an_invalid_result(objective: Objective) -> None:
    empty = BenchmarkResult(throughput=None, latency_ms={}, errors=0, transactions=1, seconds=1.0)
    with pytest.raises(InvalidResult, match=f"objective {objective.value}: .* no such number"):
        objective.read(empty)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf, -math.inf])
def test_a_number_without_a_logarithm_is_refused(bad: float) -> None:
    result = BenchmarkResult(throughput=bad, latency_ms={}, errors=0, transactions=1, seconds=1.0)
    with pytest.raises(BenchmarkFailed, match=r"throughput: .* not a positive number"):
        Objective.throughput.read(result)
