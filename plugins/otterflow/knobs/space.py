"""The search space: which knobs are tuned, and what values each may take.

A `Knob` is one dimension, a `KnobSpace` all of them. Both are plain values without a database behind them: they come
from records (`KnobSpace.from_records`) or from the catalog and a live server (`otterflow.knobs.select.build_space`),
and the tuner maps them to the unit cube with `Knob.to_unit` and `Knob.from_unit`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, get_args

from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.knob import ARTICLE, Config, Knob, KnobScale, KnobType, Value, is_number

__all__ = ["Config", "Knob", "KnobScale", "KnobSpace", "KnobType", "Value"]


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

    def baseline(self) -> Config:
        """Where the search starts: each knob's value that was in force before the experiment."""
        return {knob.name: knob.baseline for knob in self.knobs}

    def validate(self, config: Mapping[str, object]) -> None:
        """Raise InvalidInput that lists every unknown, missing or impossible value of a configuration."""
        problems = [
            Problem(name, "the knob is not in the space", f"the space holds {', '.join(self.names)}")
            for name in config
            if name not in self
        ]
        for knob in self.knobs:
            if knob.name not in config:
                problems.append(Problem(knob.name, "has no value", f"use {knob.described()}"))
            elif problem := knob.problem_with(config[knob.name]):
                problems.append(problem)
        if problems:
            raise InvalidInput(problems)


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
    if problem := knob.problem_with(knob.baseline):
        problems.append(Problem(knob.name, f"its default: {problem.found}", problem.advice))
    return problems


def _choice_problems(knob: Knob) -> list[Problem]:
    if not knob.values:
        return [Problem(knob.name, "has no values", "list the values of an enum under 'values'")]
    if len(set(knob.values)) < len(knob.values):
        return [Problem(knob.name, f"a value is there twice in {list(knob.values)!r}", "list each value once")]
    if problem := knob.problem_with(knob.baseline):
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
        Problem(f"{name}.{key}", f"{value!r} is not {ARTICLE[record['type']]}", "give a finite number")
        for key, value in numbers
        if not is_number(value) or (whole and value != int(value))
    ]
    if record.get("scale", "linear") not in get_args(KnobScale):
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
    if is_number(default) and number(default) == default:
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
