"""From values to places in a picture, and the round numbers that an axis is marked with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_LOG_MARKS = (1.0, 2.0, 5.0)


@dataclass(frozen=True)
class Axis:
    """Values from `low` to `high` on the places from `start` to `end`, which may run backwards."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """The place of a value; one beyond the axis is put at its end."""
        low, high, inside = (self._scaled(number) for number in (self.low, self.high, self.within(value)))
        return self.start + (inside - low) / (high - low) * (self.end - self.start)

    def within(self, value: float) -> float:
        """The value, or the end of the axis that it lies beyond."""
        return min(max(value, self.low), self.high)

    def marks(self, about: int = 5) -> list[float]:
        """Round values on the axis, `about` so many."""
        return self._log_marks(about) if self.logarithmic else self._even_marks(about)

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.logarithmic else value

    def _even_marks(self, about: int) -> list[float]:
        step = _round_step((self.high - self.low) / about)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(i * step, 12) for i in range(first, last + 1)]

    def _log_marks(self, about: int) -> list[float]:
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        marks = [m * 10.0**decade for decade in decades for m in _LOG_MARKS]
        marks = [mark for mark in marks if self.low <= mark <= self.high]
        if len(marks) >= 3:
            return marks[:: -(-len(marks) // (2 * about))]
        return self._even_marks(about)


def axis(values: Sequence[float], start: float, end: float, *, logarithmic: bool = False, room: float = 0.06) -> Axis:
    """An axis that holds all finite values, with some `room` (a share of their span) at either end.

    A logarithmic one takes positive values alone, and is even where there is none.
    """
    known = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(known), max(known)
    if logarithmic and low > 0:
        ratio = max(high / low, 1.02) ** room
        return Axis(low / ratio, high * ratio, start, end, logarithmic=True)
    span = (high - low) or abs(high) or 1.0
    if low == high:
        low, high = low - span / 2, high + span / 2
    return Axis(low - room * span, high + room * span, start, end)


def wide(values: Sequence[float], least: float = 20.0) -> bool:
    """Whether positive values differ so much that only a logarithmic axis shows them all."""
    return bool(values) and min(values) > 0 and max(values) / min(values) >= least


def number(value: float) -> str:
    """A number as it stands at a mark: short, with separators from a thousand."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _round_step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in _STEPS if step * power >= least * (1 - 1e-9))
