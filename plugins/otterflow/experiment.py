"""What an experiment is: the trigger form's fields, checked together, with the files they name.

`ExperimentSpec` is what the repository keeps of the form; `load_plan` reads the target and the benchmark that it
names. All that can be known to be wrong without touching a host is found here, and all of it is reported at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from otterflow import settings
from otterflow.errors import InvalidInput, Problem
from otterflow.goal import BENCHMARK_DEFAULT, Direction, Goal, goal
from otterflow.knobs.catalog import KnobCatalog, KnobSetName, Risk, load_catalog
from otterflow.target import NAME_PATTERN, Target, load_target, problems_of
from otterflow.user_metrics import UserMetric, name_problems
from otterflow.workloads.definition import Benchmark, load_benchmark
from otterflow.workloads.formula import Formula
from otterflow.workloads.objective import Objective

MAX_ITERATIONS = 1000
"""The hard ceiling of one experiment's trials; more is a mistake in the form rather than a wish."""

Formulation = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
"""An expression over a result's numbers, as the user writes it."""
KnobName = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_.]{0,62}$")]


class AlgorithmName(StrEnum):
    """Where suggestions come from; `otterflow.tuner.algorithms` has what each does."""

    default = "default"
    gpr = "gpr"
    dnn = "dnn"
    forest = "forest"
    random = "random"
    lhs = "lhs"
    optuna_tpe = "optuna_tpe"
    optuna_gp = "optuna_gp"


_ANYWHERE = (AlgorithmName.random, AlgorithmName.lhs, AlgorithmName.optuna_tpe, AlgorithmName.optuna_gp)


class SearchMode(StrEnum):
    """How far from what is known to work the search goes."""

    explore = "explore"
    safe = "safe"


class ExperimentSpec(BaseModel):
    """The form's fields. Times carry their unit in the name; None means the benchmark's own value."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    experiment: Annotated[str, Field(pattern=NAME_PATTERN)]
    target: Annotated[str, Field(pattern=NAME_PATTERN)]
    benchmark: Annotated[str, Field(pattern=NAME_PATTERN)]
    objective: Formulation = BENCHMARK_DEFAULT
    direction: Direction = Direction.own
    constraints: Annotated[tuple[Formulation, ...], Field(max_length=10)] = ()
    iterations: Annotated[int, Field(ge=1, le=MAX_ITERATIONS)] = 30
    time_budget_min: Annotated[float, Field(gt=0, le=60 * 24 * 30)] | None = None
    stop_below_percent: Annotated[float, Field(gt=0, le=1000)] | None = None
    stop_confidence: Annotated[float, Field(ge=0.5, lt=1)] = 0.9
    knob_set: KnobSetName = KnobSetName.core
    extra_knobs: tuple[KnobName, ...] = ()
    excluded_knobs: tuple[KnobName, ...] = ()
    risks_allowed: tuple[Risk, ...] = ()
    algorithm: AlgorithmName = AlgorithmName.default
    mode: SearchMode = SearchMode.explore
    ranking: bool = False
    transfer: bool = True
    restore_every: Annotated[int, Field(ge=0, le=MAX_ITERATIONS)] = 10
    drop_cache: bool = False
    repeats: Annotated[int, Field(ge=1, le=50)] = 1
    warmup_s: Annotated[float, Field(ge=0, le=3600)] | None = None
    duration_s: Annotated[float, Field(gt=0, le=24 * 3600)] | None = None
    reference_every: Annotated[int, Field(ge=0, le=MAX_ITERATIONS)] = 5
    final_rounds: Annotated[int, Field(ge=1, le=50)] = 5
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    resume: bool = False

    @model_validator(mode="after")
    def _fields_agree(self) -> ExperimentSpec:
        both = sorted(set(self.extra_knobs) & set(self.excluded_knobs))
        if both:
            raise ValueError(
                f"extra_knobs and excluded_knobs both name {', '.join(both)}; name each knob in one of them"
            )
        if self.reference_every == 1:
            raise ValueError(
                "reference_every is 1, so every trial would measure a known configuration again and iterations "
                f"({self.iterations}) could try nothing new; use 0 (never) or at least 2"
            )
        if self.mode is SearchMode.safe and self.algorithm in _ANYWHERE:
            raise ValueError(
                f"mode safe is not to be had with algorithm {self.algorithm.value}, which searches everywhere; use "
                "mode explore, or algorithm default, gpr, dnn or forest"
            )
        if self.time_budget_min is not None and self.duration_s is not None:
            wanted_s = self.duration_s * self.repeats
            if wanted_s > self.time_budget_min * 60:
                raise ValueError(
                    f"duration_s x repeats ({wanted_s:g} s) is longer than time_budget_min ({self.time_budget_min:g} "
                    "min), so not one trial would fit; shorten the one or raise the other"
                )
        return self

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> ExperimentSpec:
        """Read the trigger form. Raises InvalidInput that names every wrong field, its value and what is right."""
        try:
            return cls.model_validate(dict(params))
        except ValidationError as error:
            raise InvalidInput([_in_the_forms_words(p) for p in problems_of(error, "form")]) from None

    def record(self) -> dict[str, Any]:
        """The spec as plain JSON, for the repository. `resume` is the trigger's word, not the experiment's."""
        return self.model_dump(mode="json", exclude={"resume"})


@dataclass(frozen=True)
class Plan:
    """A spec with the files that it names, read and checked."""

    spec: ExperimentSpec
    target: Target
    benchmark: Benchmark
    goal: Goal
    catalog: KnobCatalog

    @property
    def objective(self) -> Objective | Formula:
        """The number to improve."""
        return self.goal.objective

    @property
    def is_live(self) -> bool:
        """Whether the server has users of its own: it is never restarted, and its data are never touched."""
        return self.benchmark.is_live

    @property
    def restores(self) -> bool:
        """Whether a snapshot of the data is kept, and the data are put back from it."""
        return self.spec.restore_every > 0 and not self.is_live

    @property
    def metrics(self) -> tuple[UserMetric, ...]:
        """The metrics that the user defined for the target and for the benchmark."""
        return (*self.target.metrics, *self.benchmark.metrics)


def _in_the_forms_words(problem: Problem) -> Problem:
    """The field without the file prefix, and the name pattern said in words."""
    field = problem.field.removeprefix("form: ")
    advice = problem.advice
    if "pattern" in advice and field in ("experiment", "target", "benchmark"):
        advice = "use 1 to 63 letters, digits, '_' or '-', beginning with a letter or a digit"
    return Problem("form" if field == "(whole file)" else field, problem.found, advice.removeprefix("Value error, "))


def known(kind: Literal["targets", "benchmarks"]) -> list[str]:
    """The names of the target or benchmark files, sorted; read from the folder only, so cheap enough for a Dag file."""
    folder = settings.targets_dir() if kind == "targets" else settings.include_dir() / "benchmarks"
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load_plan(spec: ExperimentSpec) -> Plan:
    """Read what the spec names: target, benchmark, objective, knob catalog.

    Raises InvalidInput that lists everything wrong at once.
    """
    problems: list[Problem] = []
    target = benchmark = catalog = None
    try:
        target = load_target(settings.targets_dir() / f"{spec.target}.yaml")
    except InvalidInput as error:
        problems += error.problems
    try:
        catalog = load_catalog(settings.include_dir() / "knob_catalogs" / "postgresql.yaml")
        problems += _unknown_knobs(spec, catalog)
    except InvalidInput as error:
        problems += error.problems
    try:
        benchmark = load_benchmark(settings.include_dir() / "benchmarks" / f"{spec.benchmark}.yaml")
    except InvalidInput as error:
        problems += error.problems
    if benchmark is not None and benchmark.is_live:
        problems += _live_problems(spec)
    elif benchmark is not None and target is not None and target.has_users:
        problems += _user_problems(spec)
    defined = {f"{file.name}.yaml": file.metrics for file in (target, benchmark) if file is not None}
    problems += name_problems(defined)
    problems += _not_installed(spec)
    found: Goal | None = None
    metrics = [name for file in defined.values() for metric in file for name in metric.numbers]
    try:
        found = goal(spec.objective, spec.direction, spec.constraints, benchmark, metrics)
    except InvalidInput as error:
        problems += error.problems
    if problems or target is None or benchmark is None or catalog is None or found is None:
        raise InvalidInput(problems)
    return Plan(spec, target, benchmark, found, catalog)


def _user_problems(spec: ExperimentSpec) -> list[Problem]:
    found = f"{spec.benchmark!r} loads data and restarts the server, and target {spec.target!r} has users (has_users)"
    return [Problem("benchmark", found, "choose a live benchmark, or a target of its own")]


def _live_problems(spec: ExperimentSpec) -> list[Problem]:
    """What must not be done to a server with users. `restore_every` has a default and means nothing there."""
    if not spec.drop_cache:
        return []
    found = f"would empty the page cache under the users of a live server (benchmark {spec.benchmark!r})"
    return [Problem("drop_cache", found, "switch it off, or choose a benchmark that brings its own load")]


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
    for field in ("extra_knobs", "excluded_knobs"):
        for name in getattr(spec, field):
            if name not in names:
                close = ", ".join(difflib.get_close_matches(name, names, n=3)) or "see docs/knobs.md"
                problems.append(Problem(field, f"{name!r} is no knob of the catalog", f"did you mean: {close}"))
    return problems
