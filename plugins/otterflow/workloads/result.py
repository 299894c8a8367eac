"""A benchmark's result, and whether it is to be believed.

A wrong number is worse than none: the tuner would learn from it. So a result counts only if it is finite, positive,
covers what was asked for, agrees with itself, and its errors are within the benchmark's limit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from otterflow.errors import BenchmarkFailed
from otterflow.workloads.definition import Benchmark
from otterflow.workloads.job import RunPlan

PERCENTILES = ("p50", "p95", "p99")
LATENCIES = ("mean", *PERCENTILES)
COVERED_SHARE, CONNECTING_S = 0.95, 1.0
"""The transactions must span this share of the asked duration, less a second in which a busy server lets clients in."""
AGREEMENT = 0.10
"""How far throughput times seconds may lie from the number of transactions."""


@dataclass(frozen=True)
class BenchmarkResult:
    """What a measured run gave. Throughput is per second; None and missing keys mean that the run has no such number.

    For a stream of queries `run_time_s` is the median over the passes of a pass's time, `passes_s` the time of each
    pass, `queries_ms` each query's median over the passes, and a transaction is one query.
    A workload of several transaction types has each type's numbers in `types` (`transactions`, `errors`, `retries`,
    `throughput`, and the latencies `mean`, `p50`, `p95`, `p99` in ms where there are any). Where throughput is that of
    one type, `counted` is how many of those there were; None if every transaction counts. `numbers` are further ones
    by name, such as new orders per minute, `metrics` those that the user defined. `absent` says by name, as objectives
    speak of it, why a number is not to be had that is otherwise given.
    """

    throughput: float | None
    latency_ms: dict[str, float]
    errors: int
    transactions: int
    seconds: float
    run_time_s: float | None = None
    passes_s: tuple[float, ...] = ()
    queries_ms: dict[str, float] = field(default_factory=dict)
    counted: int | None = None
    types: dict[str, dict[str, float]] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The result as plain JSON data; numbers that are absent are left out."""
        record: dict[str, Any] = {
            "throughput": self.throughput,
            "latency_ms": dict(self.latency_ms),
            "errors": self.errors,
            "transactions": self.transactions,
            "seconds": self.seconds,
            "run_time_s": self.run_time_s,
            "passes_s": list(self.passes_s),
            "queries_ms": dict(self.queries_ms),
            "counted": self.counted,
            "types": {name: dict(numbers) for name, numbers in self.types.items()},
            "numbers": dict(self.numbers),
            "metrics": dict(self.metrics),
            "absent": dict(self.absent),
        }
        return {name: value for name, value in record.items() if value is not None and value not in ({}, [])}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> BenchmarkResult:
        """The result that `as_dict` made this record of. Raises BenchmarkFailed for a record of another shape."""
        try:
            throughput, run_time_s = record.get("throughput"), record.get("run_time_s")
            counted = record.get("counted")
            return cls(
                throughput=None if throughput is None else float(throughput),
                latency_ms=_numbers(record.get("latency_ms", {})),
                errors=int(record["errors"]),
                transactions=int(record["transactions"]),
                seconds=float(record["seconds"]),
                run_time_s=None if run_time_s is None else float(run_time_s),
                passes_s=tuple(float(value) for value in record.get("passes_s", ())),
                queries_ms=_numbers(record.get("queries_ms", {})),
                counted=None if counted is None else int(counted),
                types={str(name): _numbers(numbers) for name, numbers in record.get("types", {}).items()},
                numbers=_numbers(record.get("numbers", {})),
                metrics=_numbers(record.get("metrics", {})),
                absent={str(name): str(why) for name, why in record.get("absent", {}).items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BenchmarkFailed(f"the record is no benchmark result: {error!r}") from error


def _numbers(record: Mapping[str, Any]) -> dict[str, float]:
    return {str(name): float(value) for name, value in record.items()}


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
    numbers = {"seconds": result.seconds}
    if result.throughput is not None:
        numbers["throughput"] = result.throughput
    if result.run_time_s is not None:
        numbers["run_time_s"] = result.run_time_s
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
