"""A result as plain data."""

from __future__ import annotations

import json
from typing import Any

import pytest

from otterflow.errors import BenchmarkFailed
from otterflow.measures.result import BenchmarkResult
from tests.measures.results import REPLAY, STREAM, TIMED, TYPED


@pytest.mark.parametrize("result", [TIMED, TYPED, STREAM, REPLAY], ids=["timed", "typed", "stream", "replay"])
def test_a_result_survives_json(result: BenchmarkResult) -> None:
    assert BenchmarkResult.from_dict(json.loads(json.dumps(result.as_dict()))) == result


def test_absent_numbers_are_left_out() -> None:
    assert TIMED.as_dict() == {
        "throughput": 100.0,
        "latency_ms": {"mean": 8.0, "p50": 7.0, "p95": 20.0, "p99": 30.0},
        "errors": 0,
        "transactions": 6000,
        "seconds": 60.0,
    }


@pytest.mark.parametrize(
    "record",
    [{}, {"transactions": 1, "errors": 0}, {"transactions": "x", "errors": 0, "seconds": 1}, {"latency_ms": 3}],
)
def test_a_record_of_another_shape_is_refused(record: dict[str, Any]) -> None:
    with pytest.raises(BenchmarkFailed, match="no benchmark result"):
        BenchmarkResult.from_dict(record)
