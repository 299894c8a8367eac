"""The search space: which knobs are tuned, and what values each may take.

A `Knob` is one dimension, a `KnobSpace` all of them. Both are plain values without a database behind them: they come
from records (`KnobSpace.from_records`) or from the catalog and a live server (`otterflow.knobs.select.build_space`),
and the tuner maps them to the unit cube with `Knob.to_unit` and `Knob.from_unit`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

from otterflow.errors import InvalidInput, Problem

KnobType = Literal["integer", "real", "enum", "boolean"]
Scale = Literal["linear", "log"]
Value = bool | int | float | str
Config = dict[str, Value]

SIGNIFICANT_DIGITS = 6
"""How exactly a real knob is set: `pg_settings` shows reals with `%g`, so a finer value could not be read back."""


@dataclass(frozen=True)
class Knob:
    """One knob: its type, the range `low` to `high` (numbers) or the `values` (enum), and the default.

    `special` holds values outside the range that mean something else (-1 for automatic, 0 for off). They have no
    place on the range's scale. A boolean is False or True; `values` holds the two so that it reads like an enum.
    """

    name: str
    type: KnobType
    default: Value
    low: int | float = 0
    high: int | float = 1
    scale: Scale = "linear"
    values: tuple[Value, ...] = ()
    special: tuple[int | float, ...] = ()

    @property
    def is_numeric(self) -> bool:
        """Whether the knob has a range (integer, real) rather than a list of values (enum, boolean)."""
        return self.type in ("integer", "real")

    def is_special(self, value: Value) -> bool:
        """Whether `value` is one of the knob's special values."""
        return self.is_numeric and not isinstance(value, bool) and value in self.special

    def to_unit(self, value: Value) -> float:
        """Where `value` lies in [0, 1]: on the range's scale, or the middle of its enum value's equal share.

        A special value has no place there and gives the nearest end; ask `is_special` first. Raises ValueError for
        an enum value that does not exist.
        """
        if not self.is_numeric:
            return (self.values.index(value) + 0.5) / len(self.values)
        low, high = self._on_scale(self.low), self._on_scale(self.high)
        if high == low:
            return 0.0
        return (self._on_scale(min(self.high, max(self.low, float(value)))) - low) / (high - low)

    def from_unit(self, unit: float) -> Value:
        """The value at position `unit` of [0, 1] (clipped), quantised. Never a special value."""
        unit = min(1.0, max(0.0, unit))
        if not self.is_numeric:
            return self.values[min(int(unit * len(self.values)), len(self.values) - 1)]
        low, high = self._on_scale(self.low), self._on_scale(self.high)
        on_scale = low + unit * (high - low)
        return self.quantise(math.exp(on_scale) - self._shift if self.scale == "log" else on_scale)

    def quantise(self, value: Value) -> Value:
        """The value nearest to `value` that the knob can take: an integer, or a real of 6 significant digits, in range.

        Special values and enum values stay as they are. Idempotent.
        """
        if not self.is_numeric or self.is_special(value):
            return value
        inside = min(self.high, max(self.low, float(value)))
        if self.type == "integer":
            return round(inside)
        return min(float(self.high), max(float(self.low), float(f"{inside:.{SIGNIFICANT_DIGITS}g}")))

    def problem_with(self, value: object) -> Problem | None:
        """What is wrong with `value` for this knob, or None."""
        if not self.is_numeric:
            known = any(type(value) is type(v) and value == v for v in self.values)
            return None if known else Problem(self.name, f"{value!r} is not a value of it", f"use {self._described()}")
        if not _is_number(value) or (self.type == "integer" and value != int(value)):  # type: ignore[call-overload]
            return Problem(self.name, f"{value!r} is not {_ARTICLE[self.type]}", f"use {self._described()}")
        if self.is_special(value) or self.low <= value <= self.high:  # type: ignore[arg-type,operator]
            return None
        return Problem(self.name, f"{value!r} is out of range", f"use {self._described()}")

    def record(self) -> dict[str, Any]:
        """The knob as a plain record, the form `KnobSpace.from_records` takes."""
        record: dict[str, Any] = {"name": self.name, "type": self.type, "default": self.default}
        if self.type == "enum":
            record["values"] = list(self.values)
        if self.is_numeric:
            record |= {"min": self.low, "max": self.high, "scale": self.scale, "special": list(self.special)}
        return record

    @property
    def _shift(self) -> float:
        """What a logarithmic scale adds, so that a range from 0 (or below) has a logarithm."""
        return 0.0 if self.low > 0 else 1.0 - self.low

    def _on_scale(self, value: float) -> float:
        return math.log(value + self._shift) if self.scale == "log" else float(value)

    def _described(self) -> str:
        if not self.is_numeric:
            return "one of " + ", ".join(repr(v) for v in self.values)
        special = f", or {', '.join(map(repr, self.special))}" if self.special else ""
        return f"{_ARTICLE[self.type]} from {self.low!r} to {self.high!r}{special}"


class KnobSpace:
    """The knobs that are tuned, in order. Immutable; two spaces of equal knobs are equal."""

    def __init__(self, knobs: Sequence[Knob]) -> None:
        """Raise InvalidInput for an empty space, a duplicate, a range upside down or a default that is not a value."""
        problems = [problem for knob in knobs for problem in _knob_problems(knob)]
        seen: set[str] = set()
        for knob in knobs:
            if knob.name in seen:
                problems.append(Problem(knob.name, "the knob is there twice", "list each knob once"))
            seen.add(knob.name)
        if not knobs:
            problems.append(Problem("knobs", "the space holds no knob", "give at least one knob to tune"))
        if problems:
            raise InvalidInput(problems)
        self.knobs = tuple(knobs)

    @classmethod
    def from_records(cls, records: Sequence[Mapping[str, Any]]) -> KnobSpace:
        """Build a space from plain records.

        A record is `{"name", "type": "integer"|"real"|"enum"|"boolean", "default"}` with, for numbers, `"min"`,
        `"max"`, and optionally `"scale": "linear"|"log"` and `"special": [...]`; for enums `"values": [...]`.
        Raises InvalidInput that lists every wrong record.
        """
        knobs, problems = [], []
        for position, record in enumerate(records):
            try:
                knobs.append(_knob_of(record, position))
            except InvalidInput as error:
                problems += error.problems
        if problems:
            raise InvalidInput(problems)
        return cls(knobs)

    def records(self) -> list[dict[str, Any]]:
        """The space as plain records; `from_records` gives the same space back."""
        return [knob.record() for knob in self.knobs]

    @property
    def names(self) -> tuple[str, ...]:
        """The knobs' names, in order."""
        return tuple(knob.name for knob in self.knobs)

    @cached_property
    def _by_name(self) -> dict[str, Knob]:
        return {knob.name: knob for knob in self.knobs}

    def __getitem__(self, name: str) -> Knob:
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[Knob]:
        return iter(self.knobs)

    def __len__(self) -> int:
        return len(self.knobs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KnobSpace) and self.knobs == other.knobs

    def __hash__(self) -> int:
        return hash(self.knobs)

    def __repr__(self) -> str:
        return f"KnobSpace({', '.join(self.names)})"

    def default(self) -> Config:
        """The configuration of all defaults."""
        return {knob.name: knob.default for knob in self.knobs}

    def quantise(self, config: Mapping[str, Value]) -> Config:
        """Each value brought to the nearest that its knob can take (`Knob.quantise`)."""
        return {knob.name: knob.quantise(config[knob.name]) for knob in self.knobs}

    def validate(self, config: Mapping[str, object]) -> None:
        """Raise InvalidInput that lists every unknown, missing or impossible value of a configuration."""
        problems = [
            Problem(name, "the knob is not in the space", f"the space holds {', '.join(self.names)}")
            for name in config
            if name not in self
        ]
        for knob in self.knobs:
            if knob.name not in config:
                problems.append(Problem(knob.name, "has no value", f"use {knob._described()}"))
            elif problem := knob.problem_with(config[knob.name]):
                problems.append(problem)
        if problems:
            raise InvalidInput(problems)


_ARTICLE = {"integer": "an integer", "real": "a number"}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _knob_problems(knob: Knob) -> list[Problem]:
    """What is wrong with a knob whose fields have the right types."""
    if not knob.is_numeric:
        return _choice_problems(knob)
    if knob.low > knob.high:
        found = f"its minimum {knob.low!r} is above its maximum {knob.high!r}"
        return [Problem(knob.name, found, "swap or mend min and max")]
    inside = [s for s in knob.special if knob.low <= s <= knob.high]
    problems = [
        Problem(
            knob.name, f"special value {s!r} lies inside the range {knob.low!r} to {knob.high!r}", "move one of them"
        )
        for s in inside
    ]
    if problem := knob.problem_with(knob.default):
        problems.append(Problem(knob.name, f"its default: {problem.found}", problem.advice))
    return problems


def _choice_problems(knob: Knob) -> list[Problem]:
    if not knob.values:
        return [Problem(knob.name, "has no values", "list the values of an enum under 'values'")]
    if len(set(knob.values)) < len(knob.values):
        return [Problem(knob.name, f"a value is there twice in {list(knob.values)!r}", "list each value once")]
    if problem := knob.problem_with(knob.default):
        return [Problem(knob.name, f"its default {problem.found}", problem.advice)]
    return []


_FIELDS = {"name", "type", "min", "max", "scale", "values", "special", "default"}


def _knob_of(record: Mapping[str, Any], position: int) -> Knob:
    """A knob from a record; raises InvalidInput where a field is missing, unknown or of the wrong type."""
    name = record.get("name")
    if not isinstance(name, str) or not name:
        raise InvalidInput(Problem(f"knobs[{position}].name", f"{name!r} is not a name", "give the knob's name"))
    problems = [
        Problem(f"{name}.{key}", "is not a field of a knob", f"fields are {', '.join(sorted(_FIELDS))}")
        for key in sorted(set(record) - _FIELDS)
    ]
    kind = record.get("type")
    if kind not in get_args(KnobType):
        advice = f"use one of {', '.join(get_args(KnobType))}"
        problems.append(Problem(f"{name}.type", f"{kind!r} is not a type of knob", advice))
    if "default" not in record:
        problems.append(Problem(f"{name}.default", "is missing", "give the value in force before tuning"))
    if kind in ("integer", "real"):
        problems += _number_field_problems(name, record)
    if problems:
        raise InvalidInput(problems)
    return _typed_knob(name, kind, record)  # type: ignore[arg-type]


def _number_field_problems(name: str, record: Mapping[str, Any]) -> list[Problem]:
    whole = record["type"] == "integer"
    numbers: list[tuple[str, Any]] = [(key, record.get(key)) for key in ("min", "max")]
    numbers += [("special", value) for value in record.get("special") or ()]
    problems = [
        Problem(f"{name}.{key}", f"{value!r} is not {_ARTICLE[record['type']]}", "give a finite number")
        for key, value in numbers
        if not _is_number(value) or (whole and value != int(value))
    ]
    if record.get("scale", "linear") not in get_args(Scale):
        problems.append(Problem(f"{name}.scale", f"{record['scale']!r} is not a scale", "use linear or log"))
    return problems


def _typed_knob(name: str, kind: KnobType, record: Mapping[str, Any]) -> Knob:
    """The knob of a checked record, its numbers as int or float by its type."""
    default = record["default"]
    if kind == "enum":
        return Knob(name, kind, default, values=tuple(record.get("values") or ()))
    if kind == "boolean":
        return Knob(name, kind, default, values=(False, True))
    number = int if kind == "integer" else float
    if _is_number(default) and number(default) == default:
        default = number(default)
    return Knob(
        name,
        kind,
        default,
        low=number(record["min"]),
        high=number(record["max"]),
        scale=record.get("scale", "linear"),
        special=tuple(number(s) for s in record.get("special") or ()),
    )
