"""The part of a plot that is looked at. A zoom is a drawing anew: axes, marks and words are those of the part."""

from __future__ import annotations

import math
from dataclasses import dataclass

from otterflow.report.plots.axis import Axis, axis, wide


@dataclass(frozen=True)
class View:
    """Iterations `first` to `last` and values `low` to `high`, ends included; None is as far as there is anything."""

    first: int | None = None
    last: int | None = None
    low: float | None = None
    high: float | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all is looked at."""
        return self == View()

    def across(self, iterations: list[int], start: float, end: float) -> Axis:
        """The axis of the iterations that are looked at."""
        low = min(iterations) if self.first is None else self.first
        high = max(iterations) if self.last is None else self.last
        return Axis(low, high, start, end) if low < high else Axis(low - 0.5, low + 0.5, start, end)

    def up(self, values: list[float], start: float, end: float) -> Axis:
        """The axis of the values that are looked at: `values` and some room, as far as the view does not say it."""
        found = axis(values, start, end, logarithmic=wide(values))
        low = found.low if self.low is None else self.low
        high = found.high if self.high is None else self.high
        if self.is_whole or low > high or math.isclose(low, high, rel_tol=1e-9, abs_tol=1e-12):
            return found
        return Axis(low, high, start, end, logarithmic=wide([low, high]))

    def holds(self, iteration: float, value: float | None) -> bool:
        """Whether a mark is within; one without a value by its iteration alone."""
        within = (self.first is None or iteration >= self.first) and (self.last is None or iteration <= self.last)
        if value is None:
            return within
        return within and (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


WHOLE = View()
