"""From measured values to scores: what the tuner maximises, and back to the objective's own unit.

A score is a logarithm wherever all values are positive, so that a gain of ten per cent is worth the same at any level,
and the machine's drift, a factor, is taken out. An objective that the user defined may be zero or negative. Then a
score is the value by the typical size of the values (their median absolute value), and drift stays in: a factor says
nothing of a difference. Whatever the objective, larger is better.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Scale:
    """How values become scores."""

    maximise: bool
    logarithmic: bool
    typical: float = 1.0

    @classmethod
    def of(cls, values: Sequence[float], *, maximise: bool) -> Scale:
        """The scale for these measured values; it stays the same as long as their signs do."""
        if all(value > 0 for value in values):
            return cls(maximise, True)
        return cls(maximise, False, median(abs(value) for value in values) or 1.0)

    def score(self, value: float) -> float:
        """A value's score."""
        size = math.log(value) if self.logarithmic else value / self.typical
        return size if self.maximise else -size

    def value(self, score: float) -> float:
        """The value of a score, in the objective's own unit."""
        size = score if self.maximise else -score
        return math.exp(min(size, 700.0)) if self.logarithmic else size * self.typical

    def interval(self, mean: float, std: float, widths: float = 1.645) -> tuple[float, float]:
        """The values `widths` standard deviations of the score to both sides, the smaller first; 1.645 holds 90 %."""
        low, high = sorted((self.value(mean - widths * std), self.value(mean + widths * std)))
        return low, high

    def difference(self, share: float, against: float) -> float:
        """What lies between two scores of which the better is better by that share; `against` is the other."""
        return math.log1p(share) if self.logarithmic else share * (abs(against) or 1.0)

    def gain(self, score: float, against: float) -> float:
        """By which share a score is better than another: 0.2 is 20 %. On the linear scale, of the other's size."""
        if self.logarithmic:
            return math.exp(min(score - against, 700.0)) - 1.0
        return (score - against) / (abs(against) or 1.0)
