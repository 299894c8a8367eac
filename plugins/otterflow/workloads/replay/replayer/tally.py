"""What a replay counted: by class and in all, in bounded memory, and as the JSON that the replayer leaves."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

LEAST_CALLS = 15
"""A class with fewer calls is told and not compared: its percentiles are the luck of a few."""
_STEP = math.log(1.01)
_LEAST_MS = 0.001


class Times:
    """Times in milliseconds, kept as counts in buckets that are 1 % wide: a percentile is off by 0.5 % at most."""

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self.number = 0
        self.total_ms = 0.0
        self.largest_ms = 0.0

    def add(self, milliseconds: float) -> None:
        """Count one time."""
        self._buckets[math.floor(math.log(max(milliseconds, _LEAST_MS)) / _STEP)] += 1
        self.number += 1
        self.total_ms += milliseconds
        if milliseconds > self.largest_ms:
            self.largest_ms = milliseconds

    def merge(self, other: Times) -> None:
        """Count the times of another too."""
        self._buckets.update(other._buckets)
        self.number += other.number
        self.total_ms += other.total_ms
        self.largest_ms = max(self.largest_ms, other.largest_ms)

    def percentile(self, percent: float) -> float | None:
        """The nearest rank, None without any time."""
        rank = math.ceil(self.number * percent / 100)
        seen = 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= rank:
                return min(math.exp((bucket + 0.5) * _STEP), self.largest_ms)
        return None

    def summary(self) -> dict[str, float]:
        """Mean, percentiles and the largest; empty without any time."""
        if not self.number:
            return {}
        told = {"mean": self.total_ms / self.number, "max": self.largest_ms}
        told.update({f"p{percent}": self.percentile(percent) or 0.0 for percent in (50, 95, 99)})
        return {name: round(value, 4) for name, value in told.items()}


@dataclass
class ClassTally:
    """What became of the statements of one class. Times are those of statements that ended well."""

    times: Times = field(default_factory=Times)
    rows: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    def merge(self, other: ClassTally) -> None:
        """Count the statements of another too."""
        self.times.merge(other.times)
        self.rows += other.rows
        self.errors.update(other.errors)


class Tally:
    """What became of all statements. `skipped` were in a transaction that had failed, `not_sent` came too late."""

    def __init__(self) -> None:
        self.classes: dict[str, ClassTally] = {}
        self.transactions = Times()
        self.own_lateness = Times()
        self.lateness = Times()
        self.errors: Counter[str] = Counter()
        self.skipped = 0
        self.not_sent = 0
        self.ended_by_replayer = 0

    @property
    def times(self) -> Times:
        """The times of all statements."""
        times = Times()
        for one in self.classes.values():
            times.merge(one.times)
        return times

    @property
    def done(self) -> int:
        """Statements that the server answered, errors among them."""
        return sum(one.times.number for one in self.classes.values()) + sum(self.errors.values())

    def add(self, statement_class: str, milliseconds: float, rows: int, error: str | None) -> None:
        """Count a statement that was sent."""
        one = self.classes.get(statement_class)
        if one is None:
            one = self.classes[statement_class] = ClassTally()
        if error is not None:
            one.errors[error] += 1
            self.errors[error] += 1
            return
        one.times.add(milliseconds)
        one.rows += rows

    def merge(self, other: Tally) -> None:
        """Count what another process has counted too."""
        for name, one in other.classes.items():
            self.classes.setdefault(name, ClassTally()).merge(one)
        for times, theirs in (
            (self.transactions, other.transactions),
            (self.own_lateness, other.own_lateness),
            (self.lateness, other.lateness),
        ):
            times.merge(theirs)
        self.errors.update(other.errors)
        self.skipped += other.skipped
        self.not_sent += other.not_sent
        self.ended_by_replayer += other.ended_by_replayer

    def classes_json(self) -> list[dict[str, object]]:
        """The classes, those with the most time first."""
        order = sorted(self.classes.items(), key=lambda pair: (-pair[1].times.total_ms, pair[0]))
        return [
            {
                "class": name,
                "calls": one.times.number,
                "seconds": round(one.times.total_ms / 1000, 6),
                "rows": one.rows,
                "errors": dict(one.errors),
                "latency_ms": one.times.summary(),
                "compared": one.times.number >= LEAST_CALLS,
            }
            for name, one in order
        ]
