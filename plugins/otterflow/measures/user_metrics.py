"""Metrics that the user defines, in a target's or a benchmark's file: SQL or a command, read around every measured run.

Their numbers are recorded with each trial, and objectives and constraints may speak of them as `metrics.<name>`. A
number that cannot be read is absent with a reason, which fails a trial only where it is needed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from otterflow.errors import Problem

NumberName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
LATE_SHARE, LATE_S = 0.5, 60.0
"""A reading that comes later after the run than this share of it, and these seconds, is not of that run any more."""


class NumberKind(StrEnum):
    """What becomes of the readings before and after a run."""

    gauge = "gauge"
    """The reading after the run."""
    difference = "difference"
    """After less before; may be negative."""
    rate = "rate"
    """A counter's difference by the seconds in between; one that fell was reset, and is absent."""


class MetricUnreadable(ValueError):
    """A metric's SQL or command did not give the numbers it promises; the text says what it gave instead."""


class UserMetric(BaseModel):
    """SQL that gives one row, or a shell command on the target that prints a number or a JSON object of numbers.

    `numbers` is the name of each column (or key) to its kind. A command that prints a bare number has one name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sql: Annotated[str, Field(min_length=1)] | None = None
    """One SELECT, run in a transaction that writes nothing, with the DBMS's own search path."""
    command: Annotated[str, Field(min_length=1)] | None = None
    """Run by bash on the target as the SSH user."""
    numbers: Annotated[dict[NumberName, NumberKind], Field(min_length=1)]
    database: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    """Where the SQL is run; the target's database unless given."""
    timeout_s: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)] = 10.0

    @model_validator(mode="after")
    def _one_way_to_read(self) -> UserMetric:
        if (self.sql is None) == (self.command is None):
            raise ValueError("give either sql or command")
        if self.database is not None and self.sql is None:
            raise ValueError("database means nothing for a command; take it out")
        return self

    @property
    def title(self) -> str:
        """How errors call it."""
        return f"metric {', '.join(self.numbers)}"

    @property
    def compares(self) -> bool:
        """Whether it must be read before the run as well."""
        return any(kind is not NumberKind.gauge for kind in self.numbers.values())

    def from_rows(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """The numbers from the SQL's rows. Raises MetricUnreadable unless it is one row of exactly these numbers."""
        if len(rows) != 1:
            raise MetricUnreadable(f"its SQL gave {'more than one row' if rows else 'no row'}, not one")
        return self._numbers(rows[0], "column")

    def from_output(self, text: str) -> dict[str, float]:
        """The numbers from what the command printed. Raises MetricUnreadable as `from_rows` does."""
        try:
            found = json.loads(text)
        except ValueError:
            shown = text.strip()[:80]
            raise MetricUnreadable(f"its command printed {shown!r}, neither a number nor a JSON object") from None
        if isinstance(found, dict):
            return self._numbers(found, "key")
        if len(self.numbers) > 1:
            raise MetricUnreadable(f"its command printed one value for {len(self.numbers)} names; print a JSON object")
        return self._numbers(dict.fromkeys(self.numbers, found), "value")

    def _numbers(self, found: Mapping[str, Any], what: str) -> dict[str, float]:
        lacking = [name for name in self.numbers if name not in found]
        surplus = [name for name in found if name not in self.numbers]
        if lacking or surplus:
            said = ", ".join(found) or "nothing"
            raise MetricUnreadable(f"it promises {', '.join(self.numbers)} and gave the {what}s {said}")
        return {name: _number(f"{what} {name}", found[name]) for name in self.numbers}


def _number(what: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        shown = "NULL" if value is None else repr(value)
        raise MetricUnreadable(f"its {what} is {shown[:80]}, not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise MetricUnreadable(f"its {what} is {number}, not a finite number")
    return number


@dataclass(frozen=True)
class Reading:
    """All metrics read once, at `epoch_s` by the target's clock; `absent` says of those that could not be read why.

    `unmade` are those whose table or database is not there, as before the first load.
    """

    epoch_s: float
    numbers: dict[str, float]
    absent: dict[str, str] = field(default_factory=dict)
    unmade: tuple[str, ...] = ()

    def dumps(self) -> str:
        """The reading as a file keeps it."""
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, text: str) -> Reading:
        """The reading back from `dumps`."""
        record = json.loads(text)
        return cls(**record | {"unmade": tuple(record["unmade"])})


@dataclass(frozen=True)
class WindowNumbers:
    """The numbers of a run by name, and why others are absent; `late` if that is because nobody read them in time."""

    numbers: dict[str, float]
    absent: dict[str, str]
    late: bool = False


def window(metrics: Iterable[UserMetric], before: Reading | None, after: Reading, run_s: float) -> WindowNumbers:
    """The numbers of a run of `run_s` seconds from the readings around it; `before` where one compares."""
    kinds = {name: kind for metric in metrics for name, kind in metric.numbers.items()}
    elapsed = None if before is None else after.epoch_s - before.epoch_s
    if elapsed is not None and elapsed > run_s * (1 + LATE_SHARE) + LATE_S:
        why = f"was read {elapsed - run_s:.0f} s too late: nobody waited for the run's end"
        return WindowNumbers({}, dict.fromkeys(kinds, why), late=True)
    numbers: dict[str, float] = {}
    absent: dict[str, str] = {}
    for name, kind in kinds.items():
        try:
            numbers[name] = _of_window(name, kind, before, after)
        except MetricUnreadable as error:
            absent[name] = str(error)
    return WindowNumbers(numbers, absent)


def _of_window(name: str, kind: NumberKind, before: Reading | None, after: Reading) -> float:
    if name not in after.numbers:
        raise MetricUnreadable(after.absent.get(name, "was not read"))
    if kind is NumberKind.gauge:
        return after.numbers[name]
    if before is None or name not in before.numbers:
        why = before.absent.get(name) if before is not None else None
        raise MetricUnreadable(f"before the run: {why or 'it was not read'}")
    change = after.numbers[name] - before.numbers[name]
    if kind is NumberKind.difference:
        return change
    if change < 0:
        raise MetricUnreadable(f"its counter fell by {-change:g} within the run: it was reset")
    seconds = after.epoch_s - before.epoch_s
    if seconds <= 0:
        raise MetricUnreadable(f"the target's clock went back by {-seconds:g} s within the run")
    return change / seconds


def name_problems(sources: Mapping[str, Sequence[UserMetric]]) -> list[Problem]:
    """Names that are given twice; `sources` is a file's name to the metrics it defines."""
    found: dict[str, str] = {}
    problems = []
    for source, metrics in sources.items():
        for name in (name for metric in metrics for name in metric.numbers):
            if name in found:
                where = f"in {source} twice" if found[name] == source else f"in {found[name]} and in {source}"
                problems.append(Problem("metrics", f"{name!r} is defined {where}", "give each number its own name"))
            found[name] = source
    return problems
