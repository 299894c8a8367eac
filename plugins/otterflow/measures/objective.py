"""The objective: which number of a benchmark's result is to improve, and in which direction."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from otterflow.errors import BenchmarkFailed

if TYPE_CHECKING:
    from otterflow.measures.result import BenchmarkResult


class InvalidResult(BenchmarkFailed):
    """The result lacks the objective's number, or the number is none that a score can be made of."""


class Directed(Protocol):
    """What has a better end: an objective, a formula, or what a record still says of one."""

    @property
    def maximise(self) -> bool:
        """Whether a larger number is better."""


class Objective(StrEnum):
    """The numbers of a result that an experiment can tune for."""

    throughput = "throughput"
    latency_mean = "latency_mean"
    latency_p50 = "latency_p50"
    latency_p95 = "latency_p95"
    latency_p99 = "latency_p99"
    run_time = "run_time"
    total_time = "total_time"
    server_time = "server_time"

    @property
    def maximise(self) -> bool:
        """Whether a larger number is better."""
        return self is Objective.throughput

    @property
    def unit(self) -> str:
        """The unit of `read`'s number."""
        if self is Objective.throughput:
            return "1/s"
        return "s" if self in TIMES_OF_WORK else "ms"

    def read(self, result: BenchmarkResult) -> float:
        """The objective's number in a result, in `unit`. Raises InvalidResult if it is absent or not above zero."""
        if self is Objective.throughput:
            value = result.throughput
        elif self is Objective.run_time:
            value = result.run_time_s
        elif self is Objective.total_time:
            value = result.total_time_s
        elif self is Objective.server_time:
            value = result.server_time_s
        else:
            value = result.latency_ms.get(self.value.removeprefix("latency_"))
        if value is None:
            absent = f"objective {self.value}: the benchmark's result has no such number"
            raise InvalidResult(": ".join([absent, *filter(None, [result.absent.get(self.value)])]))
        if not (math.isfinite(value) and value > 0):
            raise InvalidResult(f"objective {self.value}: {value:g} {self.unit} is not a positive number")
        return value


TIMES_OF_WORK = (Objective.run_time, Objective.total_time, Objective.server_time)
"""How long a given piece of work took; a load without an end has none of these."""
