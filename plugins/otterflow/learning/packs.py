"""Experience as files: packs of measured trials under `include/experience/`, shipped or shared (docs/experience.md).

This is the format; `pack_files.py` reads and writes it. A pack holds experiments: their tuned knobs with units, and of
each trial the knobs' values and how many times as good as the baseline it was. Imports the tuner, and so scikit-learn:
import it inside a task only.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.facts import Disk
from otterflow.knobs.knob import KnobScale, KnobType
from otterflow.knobs.space import KnobSpace
from otterflow.tuner.past import MIN_MEASURED
from otterflow.tuner.trial import OK, Trial, check_trials
from otterflow.yaml_files import NAME_PATTERN

FORMAT = "otterflow experience"
VERSION = 1
"""Raised when a reader of the version before would misunderstand a file."""
MOST = 1e6
"""How many times as good as the baseline a trial may be: a model could not tell what is beyond from a mistake."""
OWN = "own"
"""The objective of an experiment that tuned for a formula or a number of its user's."""

Line = Annotated[str, Field(min_length=3, max_length=400, pattern=r"^[^\x00-\x1f\x7f]*$")]
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
KnobName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.]{0,127}$")]
Number = Annotated[float, Field(ge=-1e30, le=1e30)]
State = Literal["ok", "crashed", "failed", "timed_out"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class PackedKnob(_Strict):
    """A tuned knob, as in a record of a knob space, and the unit of its numbers as the server reports it."""

    name: KnobName
    type: KnobType
    unit: Annotated[str, Field(max_length=16)] | None = None
    min: int | Number | None = None
    max: int | Number | None = None
    scale: KnobScale = "linear"
    special: tuple[int | Number, ...] = ()
    values: tuple[Annotated[str, Field(max_length=128)], ...] = ()
    default: bool | int | Number | Annotated[str, Field(max_length=128)]
    """What was in force before the experiment."""

    def record(self) -> dict[str, Any]:
        """The record that `KnobSpace.from_records` takes."""
        record: dict[str, Any] = {"name": self.name, "type": self.type, "default": self.default}
        if self.type == "enum":
            record["values"] = list(self.values)
        if self.type in ("integer", "real"):
            record |= {"min": self.min, "max": self.max, "scale": self.scale, "special": list(self.special)}
        return record


class PackedTrial(_Strict):
    """One trial: its state, the knobs' values in the order of `knobs`, and how good it was."""

    state: State = "ok"
    value: Annotated[float, Field(ge=-MOST, le=MOST)] | None = None
    """How many times as good as the baseline, the machine's drift taken out; larger is better, 1 is the baseline."""
    kept: bool = True
    """Whether it kept the constraints of its experiment."""
    knobs: tuple[bool | int | Number | str, ...]


class PackedExperiment(_Strict):
    """What was learned in one experiment."""

    name: Name
    dbms: Name
    dbms_version: Annotated[str, Field(pattern=r"^\d+(\.\d+){0,3}$")] | None = None
    workload: Line
    """The load in words."""
    benchmark: Name | None = None
    """Its name where it is one that comes with otterflow."""
    objective: Name
    """One of otterflow's objectives, or `own`."""
    origin: Literal["measured", "modelled"]
    """`modelled`: read from a model that was fitted to measurements; `source` says which."""
    ram_gb: Annotated[float, Field(gt=0, le=1e6)] | None = None
    cores: Annotated[int, Field(gt=0, le=100_000)] | None = None
    disk: Disk | None = None
    noise_percent: Annotated[float, Field(ge=0, le=1000)] | None = None
    """Standard deviation of measurements of one and the same configuration."""
    knobs: Annotated[tuple[PackedKnob, ...], Field(min_length=1, max_length=2000)]
    trials: Annotated[tuple[PackedTrial, ...], Field(max_length=10_000)]

    @cached_property
    def space(self) -> KnobSpace:
        """The knobs that it tuned, in the units that they have in the pack. Raises InvalidInput for wrong ones."""
        return KnobSpace.from_records([knob.record() for knob in self.knobs])

    @property
    def measured(self) -> int:
        """How many trials have a value."""
        return sum(trial.state == OK for trial in self.trials)

    @property
    def words(self) -> str:
        """What it is, for a log."""
        version = f" {self.dbms_version}" if self.dbms_version else ""
        return f"{len(self.trials)} {self.origin} trials of {self.workload} on {self.dbms}{version}"

    def told(self) -> list[Trial]:
        """The trials as the tuner takes them, in the pack's units; values as in the pack.

        Raises InvalidInput that names knobs and trials by their positions.
        """
        problems = [
            Problem(f"trials[{i}].knobs", f"{len(trial.knobs)} values for {len(self.knobs)} knobs", "give one for each")
            for i, trial in enumerate(self.trials)
            if len(trial.knobs) != len(self.knobs)
        ]
        problems += [
            Problem(f"trials[{i}].value", f"{trial.value!r} of a trial that {trial.state}", "leave it out")
            for i, trial in enumerate(self.trials)
            if trial.state != OK and trial.value is not None
        ]
        if self.measured < MIN_MEASURED:
            found = f"{self.measured} with a value"
            problems.append(
                Problem("trials", found, f"fewer than {MIN_MEASURED} teach nothing: leave the experiment out")
            )
        if problems:
            raise InvalidInput(problems)
        names = self.space.names
        trials = [
            Trial(dict(zip(names, trial.knobs, strict=True)), trial.value, trial.state, _slacks(trial))
            for trial in self.trials
        ]
        check_trials(self.space, trials)
        return trials


def _slacks(trial: PackedTrial) -> tuple[float, ...]:
    return (0.0 if trial.kept else -1.0,) if trial.state == OK else ()


class Pack(_Strict):
    """A file of experience, checked."""

    format: Literal["otterflow experience"]
    version: Annotated[int, Field(ge=1, le=VERSION)]
    title: Line
    source: Line
    """Where the trials are from, and how values that are not measurements were made."""
    licence: Line
    """An SPDX name, such as CC0-1.0 or MIT."""
    copyright: Line | None = None
    experiments: Annotated[tuple[PackedExperiment, ...], Field(min_length=1, max_length=200)]

    @field_validator("version", mode="before")
    @classmethod
    def _a_version_that_is_read(cls, value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool) and value > VERSION:
            raise ValueError(f"this release reads version {VERSION}: use a newer one, or have the pack made anew")
        return value

    @model_validator(mode="after")
    def _names_once(self) -> Pack:
        names = [experiment.name for experiment in self.experiments]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"experiments with the same name: {', '.join(twice)}")
        return self
