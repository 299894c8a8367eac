"""The shipped benchmarks that load their own data, and runs of them that are as short as the machine allows."""

from __future__ import annotations

from collections.abc import Callable

from otterflow import settings
from otterflow.errors import BenchmarkFailed
from otterflow.measures.result import BenchmarkResult
from otterflow.workloads.base import plan
from otterflow.workloads.belief import believe
from otterflow.workloads.definition import Benchmark, RunPlan, benchmarks

SHIPPED = benchmarks(settings.include_dir() / "benchmarks")
LOADED = {name: found for name, found in SHIPPED.items() if not (found.is_live or found.is_recorded)}
"""Those that load their data themselves."""
LENGTHS_S = (2, 8, 30)
"""How long a benchmark of a given time runs. On a busy machine the shorter ones are rightly not believed."""


def runnable(dbms: str) -> list[str]:
    """Those that load that DBMS, but BenchBase's, which is not a package that the tests could install."""
    return [name for name, found in LOADED.items() if dbms in (found.dbms or ()) and found.driver != "benchbase"]


def short_plan(benchmark: Benchmark, seconds: float = LENGTHS_S[0]) -> RunPlan:
    return plan(benchmark, seed=11) if benchmark.workload.in_passes else plan(benchmark, 2, seconds, seed=11)


def check_believed(
    benchmark: Benchmark,
    run: Callable[[RunPlan], BenchmarkResult],
    check: Callable[[BenchmarkResult, float], None],
) -> None:
    """What `run` measures is believed and passes `check`, which is told the run's length: of some length at least."""
    for seconds in LENGTHS_S:
        asked = short_plan(benchmark, seconds)
        result = run(asked)
        try:
            believe(result, benchmark, asked)
            check(result, seconds)
        except (AssertionError, BenchmarkFailed):
            if seconds == LENGTHS_S[-1] or benchmark.workload.in_passes:
                raise
        else:
            return
