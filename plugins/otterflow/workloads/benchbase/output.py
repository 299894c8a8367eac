"""Reads the `*.summary.json` that a BenchBase run leaves."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from otterflow.errors import BenchmarkFailed
from otterflow.measures.percentiles import told, untold
from otterflow.measures.result import AGREEMENT, BenchmarkResult

SUMMARY_FILE = "summary.json"

WHOLE = "EXIT"
"""The state of a run that ended as it should."""
_RATES = ("Throughput (requests/second)", "Goodput (requests/second)")
_REQUESTS, _ELAPSED = "Measured Requests", "Elapsed Time (nanoseconds)"
_DISTRIBUTION = "Latency Distribution"
_LATENCIES = {
    "mean": "Average Latency (microseconds)",
    "p50": "Median Latency (microseconds)",
    "p95": "95th Percentile Latency (microseconds)",
    "p99": "99th Percentile Latency (microseconds)",
}
_OTHER_LATENCIES = tuple(
    f"{name} Latency (microseconds)"
    for name in ("Minimum", "25th Percentile", "75th Percentile", "90th Percentile", "Maximum")
)


def read_result(results: Mapping[str, str], log: str) -> BenchmarkResult:
    """The result from the summary: what was committed is the throughput, and other measured requests are errors.

    BenchBase's goodput counts the requests that were committed; those that were aborted, also on purpose as TPC-C asks
    of one new order in a hundred, are in its throughput alone. Raises BenchmarkFailed with a sentence for a summary
    that is absent, cut short or of another shape, whose final state is not EXIT, or that holds a negative number.
    """
    summary = _summary(results.get(SUMMARY_FILE, ""), log)
    state = summary.get("Final State")
    if state != WHOLE:
        raise BenchmarkFailed(f"BenchBase ended in the state {state!r}, not {WHOLE!r}{_said(log)}")
    for name, value in _numbers(summary):
        if value < 0 or not math.isfinite(value):
            raise BenchmarkFailed(f"BenchBase's summary has {name} = {value:g}: nothing was measured{_said(log)}")
    throughput, goodput = (_number(summary, name) for name in _RATES)
    requests, seconds = _number(summary, _REQUESTS), _number(summary, _ELAPSED) / 1e9
    distribution = summary.get(_DISTRIBUTION)
    if not isinstance(distribution, dict):
        raise BenchmarkFailed(f"BenchBase's summary has no {_DISTRIBUTION!r}")
    latencies = {name: _number(distribution, name) for name in (*_LATENCIES.values(), *_OTHER_LATENCIES)}
    if abs(throughput * seconds - requests) > AGREEMENT * requests + 1:
        raise BenchmarkFailed(
            f"BenchBase's summary disagrees with itself: {throughput:g} requests per second over {seconds:g} s, "
            f"but {requests:g} requests"
        )
    if goodput > throughput * (1 + AGREEMENT):
        raise BenchmarkFailed(f"BenchBase's goodput {goodput:g} is above its throughput {throughput:g} per second")
    committed = min(round(goodput * seconds), round(requests))
    return BenchmarkResult(
        throughput=goodput,
        latency_ms=told({name: latencies[key] / 1000 for name, key in _LATENCIES.items()}, round(requests)),
        errors=round(requests) - committed,
        transactions=committed,
        seconds=seconds,
        absent=untold(round(requests)),
    )


def _summary(text: str, log: str) -> dict[str, Any]:
    if not text.strip():
        raise BenchmarkFailed(f"BenchBase left no summary{_said(log)}")
    try:
        summary = json.loads(text, parse_int=float)  # which no length overflows
    except ValueError as error:
        raise BenchmarkFailed(f"BenchBase's summary is cut short or no JSON: {error}") from None
    if not isinstance(summary, dict):
        raise BenchmarkFailed(f"BenchBase's summary is no JSON object: {text.strip()[:100]!r}")
    return summary


def _numbers(value: object, name: str = "") -> Iterator[tuple[str, float]]:
    """Every number of the summary with its key; those that BenchBase writes as text (scalefactor) are its input."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _numbers(inner, str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _numbers(inner, name)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield name, float(value)


def _number(record: Mapping[str, Any], name: str) -> float:
    if name not in record:
        raise BenchmarkFailed(f"BenchBase's summary has no {name!r}")
    value = record[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BenchmarkFailed(f"BenchBase's summary has {name!r} = {value!r}, which is no number")
    return float(value)


def _said(log: str) -> str:
    errors = [line.strip() for line in log.splitlines() if "ERROR" in line or "Exception" in line]
    return f": {errors[-1]}" if errors else ""
