"""Whether a benchmark's result is to be believed.

A wrong number is worse than none: the tuner would learn from it. So a result counts only if it is finite, positive,
covers what was asked for, agrees with itself, and its errors are within the benchmark's limit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from otterflow.errors import BenchmarkFailed
from otterflow.measures.result import AGREEMENT, LATENCIES, PERCENTILES, BenchmarkResult
from otterflow.workloads.definition import Benchmark, RunPlan

COVERED_SHARE, CONNECTING_S = 0.95, 1.0
"""The transactions must span this share of the asked duration, less a second in which a busy server lets clients in."""


def believe(result: BenchmarkResult, benchmark: Benchmark, asked: RunPlan) -> None:
    """Raise BenchmarkFailed, with all that is wrong in a sentence each, unless the result is to be believed."""
    wrong = list(_bad_numbers(result)) or [
        *_bad_errors(result, benchmark),
        *_not_covered(result, benchmark, asked),
        *_disagreements(result),
    ]
    if wrong:
        raise BenchmarkFailed(f"benchmark {benchmark.name}: the result is not to be believed: {'; '.join(wrong)}")


def _bad_numbers(result: BenchmarkResult) -> Iterator[str]:
    fields = ("throughput", "run_time_s", "total_time_s", "server_time_s")
    given = {name: getattr(result, name) for name in fields}
    numbers = {"seconds": result.seconds} | {name: value for name, value in given.items() if value is not None}
    numbers |= {f"latency_ms.{name}": value for name, value in result.latency_ms.items()}
    numbers |= {f"passes_s.{index}": value for index, value in enumerate(result.passes_s, 1)}
    numbers |= {f"queries_ms.{name}": value for name, value in result.queries_ms.items()}
    numbers |= {f"numbers.{name}": value for name, value in result.numbers.items()}
    for kind, own in result.types.items():
        numbers |= {f"types.{kind}.{name}": own[name] for name in LATENCIES if name in own}
    for name, value in numbers.items():
        if not math.isfinite(value):
            yield f"{name} is {value}, not a finite number"
        elif value <= 0:
            yield f"{name} is {value:g}, not above zero"
    if result.transactions <= 0:
        yield f"transactions is {result.transactions}: nothing was done"
    if result.errors < 0:
        yield f"errors is {result.errors}, below zero"


def _bad_errors(result: BenchmarkResult, benchmark: Benchmark) -> Iterator[str]:
    tried = result.transactions + result.errors
    share = result.errors / tried
    if share > benchmark.max_error_share:
        yield (
            f"{result.errors} of {tried} transactions failed ({share:.2%}), "
            f"more than max_error_share {benchmark.max_error_share:.2%}"
        )


def _not_covered(result: BenchmarkResult, benchmark: Benchmark, asked: RunPlan) -> Iterator[str]:
    if not benchmark.workload.in_passes:
        if result.seconds < COVERED_SHARE * asked.duration_s - CONNECTING_S:
            yield f"it covers {result.seconds:.1f} s of the {asked.duration_s:g} s asked for"
        return
    if len(result.passes_s) < asked.passes:
        yield f"it has {len(result.passes_s)} of the {asked.passes} passes asked for"
    missing = [name for name in benchmark.workload.query_names if name not in result.queries_ms]
    if missing:
        yield f"no time for {', '.join(missing)}"


def _disagreements(result: BenchmarkResult) -> Iterator[str]:
    if result.throughput is not None:
        expected = result.throughput * result.seconds
        counted = result.transactions if result.counted is None else result.counted
        if abs(expected - counted) > AGREEMENT * counted + 1:
            yield (
                f"{result.throughput:g} per second over {result.seconds:g} s makes {expected:.0f} transactions, "
                f"but {counted} were counted"
            )
    yield from _falling("", result.latency_ms)
    for kind, own in result.types.items():
        yield from _falling(f" of {kind}", own)


def _falling(whose: str, latencies: Mapping[str, float]) -> Iterator[str]:
    percentiles = [latencies[name] for name in PERCENTILES if name in latencies]
    if percentiles != sorted(percentiles):
        yield f"latency percentiles{whose} fall: {', '.join(f'{value:g} ms' for value in percentiles)}"
