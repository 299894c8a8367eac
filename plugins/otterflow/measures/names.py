"""The numbers of a benchmark's result by name, as objectives and constraints speak of them.

All are bare numbers in the units of `UNITS`. A user-defined metric is `metrics.<name>`, a transaction type's number
`types.<type>.<number>` (throughput per second, mean and percentiles in ms), a benchmark's own one `numbers.<name>`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from otterflow.language.expressions import Dimension
from otterflow.measures.objective import Objective
from otterflow.measures.result import BenchmarkResult

UNITS = {
    "throughput": "1/s",
    "latency_mean": "ms",
    "latency_p50": "ms",
    "latency_p95": "ms",
    "latency_p99": "ms",
    "run_time": "s",
    "total_time": "s",
    "server_time": "s",
    "errors": "",
    "error_share": "",
    "transactions": "",
    "seconds": "s",
}
"""The names with their units. `error_share` is errors / (errors + transactions), `seconds` the measured time."""
METRICS, NUMBERS, TYPES = "metrics.", "numbers.", "types."


class Offer(Protocol):
    """What is known of a benchmark's results before there is one; `otterflow.workloads.definition.Benchmark` is one."""

    @property
    def name(self) -> str:
        """How errors call the benchmark."""

    @property
    def objective(self) -> Objective:
        """What it is usually tuned for."""

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """The objectives that every result of it has a number for."""

    @property
    def further_numbers(self) -> tuple[str, ...]:
        """The names of what its results have beside the objectives' numbers."""


def names_for(offer: Offer | None, further: Iterable[str] = ()) -> dict[str, Dimension]:
    """The names that every result of this benchmark has a number for, with the dimension that an expression sees.

    `further` are the names of the user's own metrics. Without an offer: all names that there are.
    """
    timed = Objective if offer is None else offer.objectives
    own = () if offer is None else offer.further_numbers
    always = ["errors", "error_share", "transactions", "seconds", *own]
    return dict.fromkeys([*(o.value for o in timed), *always, *(METRICS + name for name in further)], "number")


def measures(result: BenchmarkResult) -> dict[str, float]:
    """A result's numbers by name, those that are absent left out."""
    found = {
        "throughput": result.throughput,
        "run_time": result.run_time_s,
        "total_time": result.total_time_s,
        "server_time": result.server_time_s,
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
