"""A benchmark's result, as its driver reads it and the repository keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from otterflow.errors import BenchmarkFailed

PERCENTILES = ("p50", "p95", "p99")
LATENCIES = ("mean", *PERCENTILES)
AGREEMENT = 0.10
"""How far throughput times seconds may lie from the number of transactions."""


@dataclass(frozen=True)
class BenchmarkResult:
    """What a measured run gave. Throughput is per second; None and missing keys mean that the run has no such number.

    For a stream of queries `run_time_s` is the median over the passes of a pass's time, `passes_s` the time of each
    pass, `queries_ms` each query's median over the passes, and a transaction is one query. `total_time_s` is what all
    statements of a recorded load took together as its clients saw it, `server_time_s` by the server's own counters, and
    `replay` what became of them: of which shape says `otterflow.workloads.replay.output`.
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
    total_time_s: float | None = None
    server_time_s: float | None = None
    passes_s: tuple[float, ...] = ()
    queries_ms: dict[str, float] = field(default_factory=dict)
    counted: int | None = None
    types: dict[str, dict[str, float]] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    replay: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The result as plain JSON data; numbers that are absent are left out."""
        record: dict[str, Any] = {
            "throughput": self.throughput,
            "latency_ms": dict(self.latency_ms),
            "errors": self.errors,
            "transactions": self.transactions,
            "seconds": self.seconds,
            "run_time_s": self.run_time_s,
            "total_time_s": self.total_time_s,
            "server_time_s": self.server_time_s,
            "passes_s": list(self.passes_s),
            "queries_ms": dict(self.queries_ms),
            "counted": self.counted,
            "types": {name: dict(numbers) for name, numbers in self.types.items()},
            "numbers": dict(self.numbers),
            "metrics": dict(self.metrics),
            "absent": dict(self.absent),
            "replay": dict(self.replay),
        }
        return {name: value for name, value in record.items() if value is not None and value not in ({}, [])}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> BenchmarkResult:
        """The result that `as_dict` made this record of. Raises BenchmarkFailed for a record of another shape."""
        try:
            throughput, run_time_s = record.get("throughput"), record.get("run_time_s")
            total_time_s, server_time_s = record.get("total_time_s"), record.get("server_time_s")
            counted = record.get("counted")
            return cls(
                throughput=None if throughput is None else float(throughput),
                latency_ms=_numbers(record.get("latency_ms", {})),
                errors=int(record["errors"]),
                transactions=int(record["transactions"]),
                seconds=float(record["seconds"]),
                run_time_s=None if run_time_s is None else float(run_time_s),
                total_time_s=None if total_time_s is None else float(total_time_s),
                server_time_s=None if server_time_s is None else float(server_time_s),
                passes_s=tuple(float(value) for value in record.get("passes_s", ())),
                queries_ms=_numbers(record.get("queries_ms", {})),
                counted=None if counted is None else int(counted),
                types={str(name): _numbers(numbers) for name, numbers in record.get("types", {}).items()},
                numbers=_numbers(record.get("numbers", {})),
                metrics=_numbers(record.get("metrics", {})),
                absent={str(name): str(why) for name, why in record.get("absent", {}).items()},
                replay=dict(record.get("replay", {})),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BenchmarkFailed(f"the record is no benchmark result: {error!r}") from error


def _numbers(record: Mapping[str, Any]) -> dict[str, float]:
    return {str(name): float(value) for name, value in record.items()}
