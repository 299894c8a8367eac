"""A benchmark as its YAML file defines it: the workload and its size, how long it runs, and what it is tuned for."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from otterflow.dbms.values import WorkloadKind
from otterflow.errors import InvalidInput, Problem
from otterflow.measures.objective import TIMES_OF_WORK, Objective
from otterflow.measures.percentiles import LEAST_TIMES
from otterflow.measures.user_metrics import UserMetric
from otterflow.remote.script import LONGEST_S
from otterflow.workloads.analytics.settings import AnalyticsSettings
from otterflow.workloads.benchbase.settings import BenchbaseSettings
from otterflow.workloads.command.settings import BatchSettings, CommandSettings
from otterflow.workloads.live.settings import LiveSettings
from otterflow.workloads.pgbench.scripts_settings import PgbenchScriptsSettings
from otterflow.workloads.pgbench.settings import PgbenchSettings
from otterflow.workloads.replay.settings import Dumped, MixDriverSettings, RecordedLoad, ReplayDriverSettings
from otterflow.workloads.sysbench.scripts_settings import SysbenchScriptsSettings
from otterflow.workloads.sysbench.settings import SysbenchSettings
from otterflow.yaml_files import NAME_PATTERN, checked_name, read_model

DriverSettings = Annotated[
    PgbenchSettings
    | PgbenchScriptsSettings
    | AnalyticsSettings
    | SysbenchSettings
    | SysbenchScriptsSettings
    | BenchbaseSettings
    | CommandSettings
    | BatchSettings
    | LiveSettings
    | ReplayDriverSettings
    | MixDriverSettings,
    Field(discriminator="driver"),
]
"""One block for each driver; `otterflow.workloads.base` has the class that runs it."""

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class Benchmark(BaseModel):
    """A workload with how to load it, run it and read its result.

    A timed workload (pgbench, sysbench, a mix) warms up for `warmup_s` and is measured for `duration_s`. A stream of
    queries runs `warmup_passes` times unmeasured and `passes` times measured; with `duration_s` it is measured for more
    passes, as many as fit. A live server is observed for `duration_s`, `warmup_s` after a new configuration came into
    force. A replay lasts as long as its recording.
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
    """How much longer than the asked time a run may take before it is ended; of a stream or a replay, all its time."""
    max_error_share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The share of transactions that may fail before a result is no longer believed."""
    metrics: tuple[UserMetric, ...] = ()
    """Numbers of your own, read on every target that runs this benchmark."""

    @property
    def driver(self) -> str:
        """The name of the program or class that runs the workload."""
        return self.workload.driver

    @property
    def dbms(self) -> frozenset[str] | None:
        """The DBMSs that its driver can load and run on, by name; None where that is the user's own affair."""
        return self.workload.dbms

    @property
    def is_live(self) -> bool:
        """Whether there is no load but that of the server's own users, whose data and sessions are to be left alone."""
        return isinstance(self.workload, LiveSettings)

    @property
    def is_recorded(self) -> bool:
        """Whether its load is a recording's."""
        return isinstance(self.workload, RecordedLoad)

    @property
    def is_on_own_copy(self) -> bool:
        """Whether its data are the user's own copy, into which nothing is loaded."""
        return isinstance(self.workload, RecordedLoad) and self.dump is None

    @property
    def dump(self) -> str | None:
        """The dump on the target that its data are restored from; None where they come from elsewhere."""
        data = self.workload.data if isinstance(self.workload, RecordedLoad) else None
        return data.dump if isinstance(data, Dumped) else None

    def with_recording(self, folder: str) -> Benchmark:
        """The same load, of the recording in that folder on the driver host."""
        return self.model_copy(update={"workload": self.workload.model_copy(update={"recording": folder})})

    @property
    def has_own_length(self) -> bool:
        """Whether a run lasts as long as it lasts, and no time can be asked for."""
        return isinstance(self.workload, ReplayDriverSettings)

    @property
    def scale(self) -> int:
        """The size of the data, in the driver's own unit."""
        return self.workload.scale

    @property
    def sessions(self) -> int | None:
        """How many connections a run has at work at once; None where its file does not say."""
        match self.workload:
            case PgbenchSettings(clients=n) | PgbenchScriptsSettings(clients=n) | MixDriverSettings(clients=n):
                return n
            case SysbenchSettings(threads=n) | SysbenchScriptsSettings(threads=n) | BenchbaseSettings(terminals=n):
                return n
            case AnalyticsSettings():
                return 1
            case ReplayDriverSettings(connections=most):
                return most
        return None

    @model_validator(mode="after")
    def _length_fits_the_driver(self) -> Benchmark:
        needed: tuple[str, ...]
        foreign: tuple[str, ...]
        if self.has_own_length:
            needed, foreign = (), ("warmup_s", "duration_s", "warmup_passes", "passes")
        elif self.workload.in_passes:
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
        live server's statements only sums are counted; a user's own command says what it measures, and only a recorded
        load has a total time.
        """
        if isinstance(self.workload, CommandSettings | ReplayDriverSettings | MixDriverSettings):
            return self.workload.measures
        if self.is_live:
            return Objective.throughput, Objective.latency_mean
        if not self.workload.in_passes:
            return tuple(objective for objective in Objective if objective not in TIMES_OF_WORK)
        times = len(self.workload.query_names) * (self.passes or 0)
        absent = {f"latency_p{percent}" for percent, least in LEAST_TIMES.items() if times < least}
        return tuple(
            objective
            for objective in Objective
            if objective.value not in absent | {Objective.total_time, Objective.server_time}
        )

    def fewest_passes(self, names: Collection[str]) -> int:
        """How many passes of a stream are enough for a result to have the objectives called `names`."""
        times = max((least for percent, least in LEAST_TIMES.items() if f"latency_p{percent}" in names), default=1)
        return min(self.passes or 1, math.ceil(times / max(1, len(self.workload.query_names))))

    @property
    def further_numbers(self) -> tuple[str, ...]:
        """The names of what its results have beside the objectives' numbers, such as `types.new_order.p95`."""
        chosen = self.workload
        return chosen.further_numbers if isinstance(chosen, PgbenchScriptsSettings | SysbenchScriptsSettings) else ()


@dataclass(frozen=True)
class RunPlan:
    """How long a benchmark warms up and is measured, in seconds, in passes of its stream, or in both."""

    warmup_s: float = 0.0
    duration_s: float = 0.0
    warmup_passes: int = 0
    passes: int = 0
    seed: int = 0

    @property
    def warms_up(self) -> bool:
        """Whether anything is run before the measured window."""
        return self.warmup_s > 0 or self.warmup_passes > 0


def plan(
    benchmark: Benchmark, warmup_s: float | None = None, duration_s: float | None = None, seed: int = 0
) -> RunPlan:
    """The benchmark's own times, or the ones asked for.

    For a stream of queries, `duration_s` asks for as many whole passes as fit, and at least the benchmark's own number;
    `warmup_s` likewise, and 0 for no warm-up at all. Raises InvalidInput that names the fields.
    """
    problems = [
        Problem(name, f"{value!r} is not valid", f"give a number of seconds {'above' if above else 'from'} 0 to 86400")
        for name, value, above in (("warmup_s", warmup_s, False), ("duration_s", duration_s, True))
        if value is not None and not _valid_time(value, above)
    ]
    if not 0 <= seed < 2**62:
        problems.append(Problem("seed", f"{seed!r} is not valid", "give a whole number from 0 to 2^62 - 1"))
    if problems:
        raise InvalidInput(problems)
    return RunPlan(
        warmup_s=(benchmark.warmup_s or 0.0) if warmup_s is None else float(warmup_s),
        duration_s=(benchmark.duration_s or 0.0) if duration_s is None else float(duration_s),
        warmup_passes=_warmup_passes(benchmark, warmup_s),
        passes=benchmark.passes or 0,
        seed=seed,
    )


def _valid_time(value: float, above: bool) -> bool:
    return math.isfinite(value) and value <= LONGEST_S and (value > 0 if above else value >= 0)


def _warmup_passes(benchmark: Benchmark, warmup_s: float | None) -> int:
    if not benchmark.workload.in_passes or warmup_s == 0:
        return 0
    own = benchmark.warmup_passes or 0
    return own if warmup_s is None else max(own, 1)


def load_benchmark(path: Path) -> Benchmark:
    """Read and check one benchmark file; paths in it are relative to its folder.

    Raises InvalidInput that lists every wrong field, each with the file, the value and what would be right.
    """
    example, context = "include/benchmarks/ for examples", {"folder": path.parent}
    benchmark = read_model(Benchmark, path, field="benchmark", plural="benchmarks", example=example, context=context)
    return checked_name(benchmark, path, "benchmark")


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
