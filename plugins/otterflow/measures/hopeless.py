"""Whether a trial that is still being measured can come to anything: what it gives at best, by how others went.

A measured run has a course: how long its warm-up and the run took, and the rates that the benchmark told meanwhile. The
courses of an experiment's own trials are the model: how much a run's rest was better than its begin, and how the value
compares with the seconds. Of each the most hopeful is taken, and a margin on top.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal, Self

from otterflow.measures.formula import Formula
from otterflow.measures.objective import Objective

COURSE = "course"
"""The key of a result under which the course of its run is kept."""
TIMES = 1.5
"""How many times worse than the best a trial must be, at best: a nearer one's value is worth its seconds."""
LEAST_COURSES = 4
"""So many trials must have been measured to their end before one is judged by them."""
MARGIN = 1.25
"""How much more hopeful than the most hopeful course the judgement is."""
LEAST_RATES, LEAST_SHARE = 3, 1 / 6
"""A run is judged by its rates once it has told so many, and that share of all."""
ALIKE = 0.8
"""Courses of fewer rates than this share of the longest one's are left out: they were cut short."""

Phase = Literal["warmup", "run"]
TIMED = (Objective.run_time, Objective.total_time)


@dataclass(frozen=True)
class Course:
    """How a measurement went: its value, the seconds of its warm-up and its run, and the rates that the run told."""

    value: float
    warmup_s: float
    run_s: float
    rates: tuple[float, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON, without the value, which the trial has."""
        return {"warmup_s": self.warmup_s, "run_s": self.run_s, "rates": [round(rate, 3) for rate in self.rates]}

    @classmethod
    def of(cls, value: float | None, result: Mapping[str, Any] | None) -> Self | None:
        """The course that is kept with a result; None where there is none."""
        kept = (result or {}).get(COURSE)
        if value is None or not kept:
            return None
        return cls(value, kept["warmup_s"], kept["run_s"], tuple(kept["rates"]))


@dataclass(frozen=True)
class Hope:
    """What a run can still come to: judged by the courses of the trials before it, against the best value of theirs."""

    objective: Objective
    courses: tuple[Course, ...]

    @classmethod
    def by(cls, objective: Objective | Formula, courses: Sequence[Course]) -> Hope | None:
        """None where nothing can be said during a run: of latencies and formulas, and in the first trials."""
        if not isinstance(objective, Objective) or objective not in (*TIMED, Objective.throughput):
            return None
        return cls(objective, tuple(courses)) if len(courses) >= LEAST_COURSES else None

    @property
    def best(self) -> float:
        """The best value of the courses, in the objective's unit."""
        values = [course.value for course in self.courses]
        return max(values) if self.objective.maximise else min(values)

    def at_best(self, phase: Phase, elapsed_s: float, rates: Sequence[float]) -> float | None:
        """The best value that the run can still have, `elapsed_s` into the phase; None where that cannot be told yet.

        `rates` are those that this phase has told so far, in their order.
        """
        if self.objective in TIMED:
            return self._shortest(phase, elapsed_s)
        return self._most(rates) if phase == "run" else None

    def is_hopeless(self, at_best: float) -> bool:
        """Whether a trial of that value would be far worse than the best."""
        return at_best * TIMES < self.best if self.objective.maximise else at_best > self.best * TIMES

    def _shortest(self, phase: Phase, elapsed_s: float) -> float | None:
        """A stream's value is part of the seconds that its phases take; the smallest part that was seen counts."""
        seconds = [course.warmup_s if phase == "warmup" else course.run_s for course in self.courses]
        parts = [course.value / took for course, took in zip(self.courses, seconds, strict=True) if took > 0]
        return elapsed_s * min(parts) / MARGIN if len(parts) >= LEAST_COURSES else None

    def _most(self, rates: Sequence[float]) -> float | None:
        """The rest of the run at the begin's rate, grown as the rest of no other run has grown."""
        longest = max(len(course.rates) for course in self.courses)
        alike = [course for course in self.courses if len(course.rates) >= max(1.0, ALIKE * longest)]
        told = len(rates)
        if len(alike) < LEAST_COURSES or told < max(LEAST_RATES, LEAST_SHARE * longest):
            return None
        begin = fmean(rates)
        begins = [(fmean(course.rates[:told]), course.rates[told:]) for course in alike]
        growth = [fmean(rest) / first for first, rest in begins if rest and first > 0]
        rest = begin * max(1.0, *growth) * MARGIN if growth else 0.0
        mean = (told * begin + max(0, longest - told) * rest) / max(told, longest)
        parts = [course.value / fmean(course.rates) for course in alike if fmean(course.rates) > 0]
        return mean * max(parts) if parts and mean > 0 else None
