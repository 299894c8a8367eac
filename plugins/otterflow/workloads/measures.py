"""The numbers of a benchmark's result by name, as objectives and constraints speak of them.

All are bare numbers in the units of `UNITS`. A user-defined metric is `metrics.<name>`, a transaction type's number
`types.<type>.<number>` (throughput per second, mean and percentiles in ms), a benchmark's own one `numbers.<name>`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from otterflow.knobs.expressions import Dimension
from otterflow.workloads.objective import Objective

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
METRICS, NUMBERS, TYPES = "metrics.", "numbers.", "types."


def names_for(benchmark: Benchmark | None, further: Iterable[str] = ()) -> dict[str, Dimension]:
    """The names that every result of this benchmark has a number for, with the dimension that an expression sees.

    `further` are the names of the user's own metrics. Without a benchmark: all names that there are.
    """
    timed = Objective if benchmark is None else benchmark.objectives
    own = () if benchmark is None else benchmark.further_numbers
    always = ["errors", "error_share", "transactions", "seconds", *own]
    return dict.fromkeys([*(o.value for o in timed), *always, *(METRICS + name for name in further)], "number")


def measures(result: BenchmarkResult) -> dict[str, float]:
    """A result's numbers by name, those that are absent left out."""
    found = {
        "throughput": result.throughput,
        "run_time": result.run_time_s,
        **{f"latency_{name}": value for name, value in result.latency_ms.items()},
        "errors": float(result.errors),
        "error_share": result.errors / max(1, result.errors + result.transactions),
        "transactions": float(result.transactions),
        "seconds": result.seconds,
        **{METRICS + name: value for name, value in result.metrics.items()},
        **{NUMBERS + name: value for name, value in result.numbers.items()},
        **{f"{TYPES}{kind}.{name}": value for kind, own in result.types.items() for name, value in own.items()},
    }
    return {name: value for name, value in found.items() if value is not None}
