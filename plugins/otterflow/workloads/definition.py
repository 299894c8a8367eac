"""A benchmark as its YAML file defines it: the workload and its size, how long it runs, and what it is tuned for."""

from __future__ import annotations

import math
from collections.abc import Collection
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from otterflow.errors import InvalidInput, Problem
from otterflow.target import NAME_PATTERN, problems_of
from otterflow.user_metrics import UserMetric
from otterflow.workloads.analytics.settings import AnalyticsSettings
from otterflow.workloads.benchbase.settings import BenchbaseSettings
from otterflow.workloads.command.settings import BatchSettings, CommandSettings
from otterflow.workloads.live.settings import LiveSettings
from otterflow.workloads.objective import Objective
from otterflow.workloads.percentiles import LEAST_TIMES
from otterflow.workloads.pgbench.scripts_settings import PgbenchScriptsSettings
from otterflow.workloads.pgbench.settings import PgbenchSettings
from otterflow.workloads.sysbench.settings import SysbenchSettings
from otterflow.yaml_files import read_mapping


class WorkloadKind(StrEnum):
    """What sort of load it is; the rule-based configuration depends on it."""

    oltp = "oltp"
    web = "web"
    analytics = "analytics"
    mixed = "mixed"


DriverSettings = Annotated[
    PgbenchSettings
    | PgbenchScriptsSettings
    | AnalyticsSettings
    | SysbenchSettings
    | BenchbaseSettings
    | CommandSettings
    | BatchSettings
    | LiveSettings,
    Field(discriminator="driver"),
]
"""One block for each driver; `otterflow.workloads.base` has the class that runs it."""

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class Benchmark(BaseModel):
    """A workload with how to load it, run it and read its result.

    A timed workload (pgbench, sysbench) warms up for `warmup_s` and is measured for `duration_s`. A stream of queries
    runs `warmup_passes` times unmeasured and `passes` times measured; with `duration_s` it is measured for more passes,
    as many as fit. A live server is observed for `duration_s`, `warmup_s` after a new configuration came into force.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    title: Annotated[str, Field(min_length=1, max_length=80)]
    description: str = ""
    kind: WorkloadKind
    workload: DriverSettings
    objective: Objective
    """What it is usually tuned for."""
    warmup_s: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] | None = None
    duration_s: Seconds | None = None
    warmup_passes: Annotated[int, Field(ge=0, le=1000)] | None = None
    passes: Annotated[int, Field(ge=1, le=1000)] | None = None
    load_timeout_s: Seconds = 3600
    run_timeout_s: Seconds
    """How much longer than the asked time a run may take before it is ended; for a stream, the time of all passes."""
    max_error_share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The share of transactions that may fail before a result is no longer believed."""
    metrics: tuple[UserMetric, ...] = ()
    """Numbers of your own, read on every target that runs this benchmark."""

    @property
    def driver(self) -> str:
        """The name of the program or class that runs the workload."""
        return self.workload.driver

    @property
    def is_live(self) -> bool:
        """Whether there is no load but that of the server's own users, whose data and sessions are to be left alone."""
        return isinstance(self.workload, LiveSettings)

    @property
    def scale(self) -> int:
        """The size of the data, in the driver's own unit."""
        return self.workload.scale

    @model_validator(mode="after")
    def _length_fits_the_driver(self) -> Benchmark:
        needed: tuple[str, ...]
        foreign: tuple[str, ...]
        if self.workload.in_passes:
            needed, foreign = ("passes", "warmup_passes"), ("warmup_s",)
        else:
            needed, foreign = ("warmup_s", "duration_s"), ("passes", "warmup_passes")
        lacking = [name for name in needed if getattr(self, name) is None]
        if lacking:
            raise ValueError(f"{' and '.join(lacking)} must be given for driver {self.driver!r}")
        surplus = [name for name in foreign if getattr(self, name) is not None]
        if surplus:
            raise ValueError(f"{' and '.join(surplus)} mean nothing for driver {self.driver!r}; take them out")
        return self

    @model_validator(mode="after")
    def _objective_is_measured(self) -> Benchmark:
        if self.objective not in self.objectives:
            offered = ", ".join(self.objectives)
            raise ValueError(f"objective {self.objective.value} is not measured by this benchmark; one of: {offered}")
        return self

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """The objectives that every result of this benchmark has a number for.

        A timed workload has no run time; a stream has the percentiles that its number of query times can hold; of a
        live server's statements only sums are counted; a user's own command says what it measures.
        """
        if isinstance(self.workload, CommandSettings):
            return self.workload.measures
        if self.is_live:
            return Objective.throughput, Objective.latency_mean
        if not self.workload.in_passes:
            return tuple(objective for objective in Objective if objective is not Objective.run_time)
        times = len(self.workload.query_names) * (self.passes or 0)
        too_few = {f"latency_p{percent}" for percent, least in LEAST_TIMES.items() if times < least}
        return tuple(objective for objective in Objective if objective.value not in too_few)

    def fewest_passes(self, names: Collection[str]) -> int:
        """How many passes of a stream are enough for a result to have the objectives called `names`."""
        times = max((least for percent, least in LEAST_TIMES.items() if f"latency_p{percent}" in names), default=1)
        return min(self.passes or 1, math.ceil(times / max(1, len(self.workload.query_names))))

    @property
    def further_numbers(self) -> tuple[str, ...]:
        """The names of what its results have beside the objectives' numbers, such as `types.new_order.p95`."""
        return self.workload.further_numbers if isinstance(self.workload, PgbenchScriptsSettings) else ()


def load_benchmark(path: Path) -> Benchmark:
    """Read and check one benchmark file; paths in it are relative to its folder.

    Raises InvalidInput that lists every wrong field, each with the file, the value and what would be right.
    """
    record = read_mapping(path, field="benchmark", plural="benchmarks", example="include/benchmarks/ for examples")
    try:
        benchmark = Benchmark.model_validate(record, context={"folder": path.parent})
    except ValidationError as error:
        raise InvalidInput(problems_of(error, path.name)) from None
    if benchmark.name != path.stem:
        advice = f"name the file {benchmark.name}.yaml or the benchmark {path.stem!r}"
        raise InvalidInput(Problem(f"{path.name}: name", f"{benchmark.name!r} differs from the file's name", advice))
    return benchmark


def benchmarks(folder: Path) -> dict[str, Benchmark]:
    """All benchmarks of a folder by name, sorted. Raises InvalidInput with the problems of all files at once."""
    loaded: dict[str, Benchmark] = {}
    problems: list[Problem] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            loaded[path.stem] = load_benchmark(path)
        except InvalidInput as error:
            problems += error.problems
    if problems:
        raise InvalidInput(problems)
    return loaded
