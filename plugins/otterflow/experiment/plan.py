"""A spec with the files that it names: target, benchmark and knob catalog, read and checked against each other.

`load_plan` reads the files when an experiment begins, and `experiment.frozen` keeps what they said. All that can be
known to be wrong without touching a host is found here, and all of it is reported at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from otterflow import settings
from otterflow.dbms.base import Dbms
from otterflow.dbms.registry import UNSAID, dbms_named, load_target
from otterflow.dbms.target import Target
from otterflow.dbms.values import Capability
from otterflow.errors import InvalidInput, Problem
from otterflow.experiment.arms import compared, knobs_of
from otterflow.experiment.comparison import LEAST_ROUNDS
from otterflow.experiment.recorded import Recordings, with_recording
from otterflow.experiment.spec import ExperimentSpec
from otterflow.knobs.catalog import KnobCatalog, catalog_for
from otterflow.measures.formula import Formula
from otterflow.measures.goal import Goal, goal
from otterflow.measures.objective import Objective
from otterflow.measures.user_metrics import UserMetric, name_problems
from otterflow.workloads.definition import Benchmark, load_benchmark

_EMPTY = "leave it empty"
MEASURING_LIMIT_H = 48
"""How long the task `benchmark` of one trial, and `compare` with all its turns, may take."""


_RESTORE_EVERY = 10
"""Where the form does not say it."""


@dataclass(frozen=True)
class Plan:
    """A spec with the files that it names, read and checked."""

    spec: ExperimentSpec
    target: Target
    benchmark: Benchmark
    goal: Goal
    catalog: KnobCatalog

    @property
    def dbms(self) -> Dbms:
        """The target's DBMS."""
        return dbms_named(self.target.dbms)

    @property
    def objective(self) -> Objective | Formula:
        """The number to improve."""
        return self.goal.objective

    @property
    def is_live(self) -> bool:
        """Whether the server has users of its own: it is never restarted, and its data are never touched."""
        return self.benchmark.is_live

    @property
    def is_own_copy(self) -> bool:
        """Whether the database is a copy that the user has made, into which nothing is loaded."""
        return self.benchmark.is_on_own_copy

    @property
    def restore_every(self) -> int:
        """After how many trials, or turns of each arm, the data are put back; 0 for never."""
        given = self.spec.restore_every
        return given if given is not None else 1 if self.benchmark.is_recorded else _RESTORE_EVERY

    @property
    def restores(self) -> bool:
        """Whether a snapshot of the data is kept, and the data are put back from it."""
        return self.restore_every > 0 and not self.is_live

    @property
    def metrics(self) -> tuple[UserMetric, ...]:
        """The metrics that the user defined for the target and for the benchmark."""
        return (*self.target.metrics, *self.benchmark.metrics)


def known(kind: Literal["targets", "benchmarks"]) -> list[str]:
    """The names of the target or benchmark files, sorted; read from the folder only, so cheap enough for a Dag file."""
    folder = settings.targets_dir() if kind == "targets" else settings.include_dir() / "benchmarks"
    return sorted(path.stem for path in folder.glob("*.yaml"))


def catalog_of(dbms: str) -> KnobCatalog:
    """The knob catalog of a DBMS. Raises InvalidInput that lists everything wrong in it."""
    return catalog_for(dbms, dbms_named(dbms).versions)


def load_plan(spec: ExperimentSpec, recordings: Recordings | None = None) -> Plan:
    """Read what the spec names: target, benchmark, objective, knob catalog; `recordings` knows a recording's folder.

    Raises InvalidInput that lists everything wrong at once.
    """
    problems: list[Problem] = []
    target = benchmark = catalog = None
    try:
        target = load_target(settings.targets_dir() / f"{spec.target}.yaml")
    except InvalidInput as error:
        problems += error.problems
    try:
        catalog = catalog_of(UNSAID if target is None else target.dbms)
    except InvalidInput as error:
        problems += error.problems
    try:
        benchmark = load_benchmark(settings.include_dir() / "benchmarks" / f"{spec.benchmark}.yaml")
        benchmark = with_recording(benchmark, spec.recording, recordings)
    except InvalidInput as error:
        problems += error.problems
    return checked_plan(spec, target, benchmark, catalog, problems)


def checked_plan(
    spec: ExperimentSpec,
    target: Target | None,
    benchmark: Benchmark | None,
    catalog: KnobCatalog | None,
    problems: Sequence[Problem] = (),
) -> Plan:
    """The plan of a form and its files, checked against each other; what could not be read is None.

    Raises InvalidInput with the `problems` found so far and with all that is found here.
    """
    problems = list(problems)
    if catalog is not None:
        problems += _unknown_knobs(spec, catalog)
    if benchmark is not None and benchmark.is_live:
        problems += _live_problems(spec)
    if benchmark is not None and target is not None:
        problems += _dbms_problems(benchmark, target)
    if benchmark is not None and not benchmark.is_live and target is not None and target.has_users:
        problems += _user_problems(spec)
    defined = {f"{file.name}.yaml": file.metrics for file in (target, benchmark) if file is not None}
    problems += name_problems(defined)
    problems += _not_installed(spec)
    if benchmark is not None:
        problems += _too_long(spec, benchmark)
        problems += _own_length(spec, benchmark)
    found: Goal | None = None
    try:
        found = goal(spec.objective, spec.direction, spec.constraints, benchmark, metric_names(target, benchmark))
    except InvalidInput as error:
        problems += error.problems
    if problems or target is None or benchmark is None or catalog is None or found is None:
        raise InvalidInput(problems)
    return Plan(spec, target, benchmark, found, catalog)


def metric_names(*files: Target | Benchmark | None) -> list[str]:
    """The names of the numbers that the user's own metrics give, by the files that define them."""
    return [name for file in files if file is not None for metric in file.metrics for name in metric.numbers]


def _dbms_problems(benchmark: Benchmark, target: Target) -> list[Problem]:
    """Whether the benchmark can be run on the target's DBMS at all."""
    dbms = dbms_named(target.dbms)
    if benchmark.is_live and not dbms.has(Capability.observe):
        found = f"{benchmark.name!r} observes a server under its users' load, which is not to be had with {dbms.title}"
        return [Problem("benchmark", found, "choose a benchmark that brings its own load, or another target")]
    if benchmark.dbms is None or target.dbms in benchmark.dbms:
        return []
    able = ", ".join(sorted(benchmark.dbms))
    found = (
        f"{benchmark.name!r} is run by driver {benchmark.driver!r}, which is for {able}, and target {target.name!r} is "
        f"of dbms {target.dbms!r}"
    )
    return [Problem("benchmark", found, f"choose a benchmark for {target.dbms}, or a target of dbms {able}")]


def trial_problems(plan: Plan) -> list[Problem]:
    """What keeps an experiment from being made, though its target can be watched under its users' load."""
    dbms = dbms_named(plan.target.dbms)
    if not plan.is_live or dbms.has(Capability.reload):
        return []
    found = (
        f"{plan.benchmark.name!r} tries configurations on a server with users, and {dbms.title} takes one at a start "
        "alone: each trial would send them away"
    )
    advice = "find one on a target without users, and bring it there by promote_configuration"
    return [Problem("benchmark", found, advice)]


def _user_problems(spec: ExperimentSpec) -> list[Problem]:
    found = f"{spec.benchmark!r} loads data and restarts the server, and target {spec.target!r} has users (has_users)"
    return [Problem("benchmark", found, "choose a live benchmark, or a target of its own")]


def _live_problems(spec: ExperimentSpec) -> list[Problem]:
    """What must not be done to a server with users. `restore_every` means nothing there."""
    if not spec.drop_cache:
        return []
    found = f"would empty the page cache under the users of a live server (benchmark {spec.benchmark!r})"
    return [Problem("drop_cache", found, "switch it off, or choose a benchmark that brings its own load")]


def _own_length(spec: ExperimentSpec, benchmark: Benchmark) -> list[Problem]:
    """Times that are asked for of what lasts as long as it lasts, and a second run on the data that the first left."""
    if not benchmark.has_own_length:
        return []
    problems = [
        Problem(field, f"{value:g} s of benchmark {benchmark.name!r}, which lasts as long as its recording", _EMPTY)
        for field, value in (("warmup_s", spec.warmup_s), ("duration_s", spec.duration_s))
        if value is not None
    ]
    if spec.repeats > 1:
        found = f"{spec.repeats} replays by {benchmark.name!r}, each but the first on the data that one has left"
        problems.append(Problem("repeats", found, "use 1; more final_rounds make the comparison surer"))
    return problems


def _too_long(spec: ExperimentSpec, benchmark: Benchmark) -> list[Problem]:
    """Measurements of a known length that no task could take to their end."""
    duration_s = spec.duration_s or benchmark.duration_s
    if duration_s is None:
        return []
    warmup_s = (benchmark.warmup_s or 0) if spec.warmup_s is None else spec.warmup_s
    once_h = (warmup_s + duration_s) / 3600
    arms = len(compared(spec.arms)) if spec.arms else spec.most_arms
    is_timed = spec.final_min is not None and spec.final_min / 60 < MEASURING_LIMIT_H
    rounds = LEAST_ROUNDS if is_timed else spec.final_rounds
    tasks = (
        ("repeats", spec.repeats, "benchmark", f"{spec.repeats} repeats", "lower repeats"),
        (
            "final_rounds",
            rounds * arms,
            "compare",
            f"{rounds} rounds of {arms} configurations",
            "lower final_rounds, say how many minutes they may take (final_min)",
        ),
    )
    return [
        Problem(
            field,
            f"{words} of {warmup_s:g} s of warm-up and {duration_s:g} s take {once_h * times:.3g} h, and task {task} "
            f"may take {MEASURING_LIMIT_H} h",
            f"{advice}, or shorten duration_s",
        )
        for field, times, task, words, advice in tasks
        if once_h * times >= MEASURING_LIMIT_H
    ]


def _not_installed(spec: ExperimentSpec) -> list[Problem]:
    """The tuner says the same, but only once there are trials."""
    if not spec.algorithm.value.startswith("optuna_") or find_spec("optuna") is not None:
        return []
    advice = "install it where the tasks run (pip install optuna), or choose another algorithm"
    return [Problem("algorithm", f"{spec.algorithm.value!r} needs optuna, which is not installed", advice)]


def _unknown_knobs(spec: ExperimentSpec, catalog: KnobCatalog) -> list[Problem]:
    import difflib

    names = {entry.name for entry in catalog.knobs} | {name for family in catalog.untuned for name in family.knobs}
    problems = []
    fields = {"extra_knobs": spec.extra_knobs, "excluded_knobs": spec.excluded_knobs, "arms": knobs_of(spec.arms)}
    for field, listed in fields.items():
        for name in listed:
            if name not in names:
                close = ", ".join(difflib.get_close_matches(name, names, n=3)) or "see docs/knobs.md"
                problems.append(Problem(field, f"{name!r} is no knob of the catalog", f"did you mean: {close}"))
    return problems
