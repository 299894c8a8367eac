"""One knob: a dimension of the search space, with its mapping to the unit interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from otterflow.errors import Problem

KnobType = Literal["integer", "real", "enum", "boolean"]
KnobScale = Literal["linear", "log"]
Value = bool | int | float | str
Config = dict[str, Value]

SIGNIFICANT_DIGITS = 6
"""How exactly a real knob is set: a server may show reals with `%g`, so a finer value could not be read back."""


@dataclass(frozen=True)
class Knob:
    """One knob: its type, the range `low` to `high` (numbers) or the `values` (enum), and where the search starts.

    `baseline` is the value in force before the experiment; a record calls it `default`.

    `special` holds values outside the range that mean something else (-1 for automatic, 0 for off). They have no
    place on the range's scale. A boolean is False or True; `values` holds the two so that it reads like an enum.
    """

    name: str
    type: KnobType
    baseline: Value
    low: int | float = 0
    high: int | float = 1
    scale: KnobScale = "linear"
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
            return None if known else Problem(self.name, f"{value!r} is not a value of it", f"use {self.described()}")
        if not is_number(value) or (self.type == "integer" and value != int(value)):  # type: ignore[call-overload]
            return Problem(self.name, f"{value!r} is not {ARTICLE[self.type]}", f"use {self.described()}")
        if self.is_special(value) or self.low <= value <= self.high:  # type: ignore[arg-type,operator]
            return None
        return Problem(self.name, f"{value!r} is out of range", f"use {self.described()}")

    def record(self) -> dict[str, Any]:
        """The knob as a plain record, the form `KnobSpace.from_records` takes."""
        record: dict[str, Any] = {"name": self.name, "type": self.type, "default": self.baseline}
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

    def described(self) -> str:
        """The values that the knob takes, in words."""
        if not self.is_numeric:
            return "one of " + ", ".join(repr(v) for v in self.values)
        special = f", or {', '.join(map(repr, self.special))}" if self.special else ""
        return f"{ARTICLE[self.type]} from {self.low!r} to {self.high!r}{special}"


ARTICLE = {"integer": "an integer", "real": "a number"}


def is_number(value: object) -> bool:
    """Whether `value` is a finite int or float, and no boolean."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
