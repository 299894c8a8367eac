"""The numbers of a benchmark's result by name, as objectives and constraints speak of them.

All are bare numbers in the units of `UNITS`. A user-defined metric is `metrics.<name>`; a number that only some
benchmarks give (new orders per minute) is `numbers.<name>`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from otterflow.knobs.expressions import Dimension

if TYPE_CHECKING:
    from otterflow.workloads.definition import Benchmark
    from otterflow.workloads.result import BenchmarkResult

UNITS = {
    "throughput": "1/s",
    "latency_mean": "ms",
    "latency_p50": "ms",
    "latency_p95": "ms",
    "latency_p99": "ms",
    "run_time": "s",
    "errors": "",
    "error_share": "",
    "transactions": "",
    "seconds": "s",
}
"""The names with their units. `error_share` is errors / (errors + transactions), `seconds` the measured time."""
METRICS, NUMBERS = "metrics.", "numbers."


def names_for(benchmark: Benchmark, further: Iterable[str] = ()) -> dict[str, Dimension]:
    """The names that every result of this benchmark has a number for, and `further` ones, as an expression wants them.

    `further` are full names, such as `metrics.queue_length`.
    """
    timed = [objective.value for objective in benchmark.objectives]
    always = ["errors", "error_share", "transactions", "seconds"]
    return dict.fromkeys([*timed, *always, *further], "number")


def measures(result: BenchmarkResult, metrics: Mapping[str, float] | None = None) -> dict[str, float]:
    """A result's numbers by name, those that are absent left out; `metrics` are the user-defined ones."""
    found = {
        "throughput": result.throughput,
        "run_time": result.run_time_s,
        **{f"latency_{name}": value for name, value in result.latency_ms.items()},
        "errors": float(result.errors),
        "error_share": result.errors / max(1, result.errors + result.transactions),
        "transactions": float(result.transactions),
        "seconds": result.seconds,
        **{NUMBERS + name: value for name, value in result.numbers.items()},
        **{METRICS + name: value for name, value in (metrics or {}).items()},
    }
    return {name: value for name, value in found.items() if value is not None}
