"""Reads what the passes of a stream left: each query's time as psql measured it, and each pass's time."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean, median

from otterflow.errors import BenchmarkFailed
from otterflow.measures.percentiles import LEAST_TIMES
from otterflow.measures.result import BenchmarkResult

TIMINGS_FILE = "timings.txt"

_LINE = re.compile(
    r"pass (?P<pass>\d+)|query (?P<query>[a-z0-9_]+)|pass_ms (?P<pass_ms>\d+)|measured_ms (?P<measured_ms>\d+)"
    r"|Time: (?P<time>[\d.]+) ms(?: \(.*\))?"
)


@dataclass
class _Pass:
    """One pass as far as it got: each query's milliseconds in the order in which they ran."""

    queries_ms: dict[str, float] = field(default_factory=dict)
    ended: bool = False


def read_result(text: str, log: str, expected: Sequence[str]) -> BenchmarkResult:
    """The result of a stream whose every pass runs the `expected` queries.

    Run time is the sum of a pass's query times, and the result's the median over the passes. A percentile of the
    single queries' times is given only where the sample can hold it (p95 from 20 times on, p99 from 100).
    Raises BenchmarkFailed with a sentence for output that is empty, cut short, or lacks a query.
    """
    passes, measured_ms = _read(text, log)
    for number, one in enumerate(passes, 1):
        lacking = [name for name in expected if name not in one.queries_ms]
        if lacking:
            raise BenchmarkFailed(f"pass {number} of the stream has no time for {', '.join(lacking)}{_said(log)}")
        if not one.ended:
            raise BenchmarkFailed(f"pass {number} of the stream did not end{_said(log)}")
    if not passes:
        raise BenchmarkFailed(f"the stream's timings hold no whole pass{_said(log)}")
    if measured_ms is None:
        raise BenchmarkFailed(f"the stream was cut short after pass {len(passes)}{_said(log)}")
    times = sorted(ms for one in passes for ms in one.queries_ms.values())
    passes_s = tuple(sum(one.queries_ms.values()) / 1000 for one in passes)
    seconds = measured_ms / 1000
    return BenchmarkResult(
        throughput=len(times) / seconds if seconds else None,
        latency_ms=_latencies(times),
        errors=0,
        transactions=len(times),
        seconds=seconds,
        run_time_s=median(passes_s),
        passes_s=passes_s,
        queries_ms={name: median(one.queries_ms[name] for one in passes) for name in expected},
    )


def _read(text: str, log: str) -> tuple[list[_Pass], int | None]:
    """The passes, and the milliseconds of all of them; None if the last line is missing."""
    if not text.strip():
        raise BenchmarkFailed(f"the stream left no timings{_said(log)}")
    passes: list[_Pass] = []
    query, measured_ms = "", None
    for line in text.splitlines():
        found = _LINE.fullmatch(line.strip())
        if not found:
            raise BenchmarkFailed(f"the stream's timings hold the line {line.strip()[:100]!r}, which is none")
        kind, value = found.lastgroup, found.group(found.lastgroup or 0)
        if kind == "pass":
            passes.append(_Pass())
        elif kind == "measured_ms":
            measured_ms = int(value)
        elif not passes:
            raise BenchmarkFailed(f"the stream's timings hold {line.strip()!r} before their first pass")
        elif kind == "query":
            query = value
        elif kind == "pass_ms":
            passes[-1].ended = True
        else:
            passes[-1].queries_ms[query] = passes[-1].queries_ms.get(query, 0.0) + _milliseconds(value)
    return passes, measured_ms


def _milliseconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BenchmarkFailed(f"the time {text!r} ms is no number") from None


def _latencies(times_ms: Sequence[float]) -> dict[str, float]:
    """Mean and percentiles by nearest rank of sorted times."""
    latencies = {"mean": fmean(times_ms)}
    for percent, least in LEAST_TIMES.items():
        if len(times_ms) >= least:
            latencies[f"p{percent}"] = times_ms[math.ceil(len(times_ms) * percent / 100) - 1]
    return latencies


def _said(log: str) -> str:
    errors = [line.strip() for line in log.splitlines() if "ERROR" in line or "error" in line or "FATAL" in line]
    return f": {errors[-1]}" if errors else ""
