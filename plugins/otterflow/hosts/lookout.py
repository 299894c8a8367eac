"""Looks at a measurement while it is under way, and ends it where it can come to nothing."""

from __future__ import annotations

import time
from collections.abc import Callable

from otterflow.errors import Hopeless
from otterflow.experiment.summary import value_text
from otterflow.measures.hopeless import COURSE, TIMES, Course, Hope, Phase


class Lookout:
    """Notes the course of a measurement; with a `hope` it raises Hopeless as soon as that is known.

    `rate` reads a line of the benchmark's output: the rate that it tells, None for another line.
    """

    def __init__(self, rate: Callable[[str], float | None], hope: Hope | None) -> None:
        self._rate, self._hope = rate, hope
        self._phase: Phase = "run"
        self._begun = time.monotonic()
        self._seconds: dict[Phase, float] = {"warmup": 0.0, "run": 0.0}
        self._rates: list[float] = []

    def begin(self, phase: Phase) -> None:
        """A job begins, or is attached to: then its seconds count from here, which is to its favour."""
        self._phase, self._begun, self._rates = phase, time.monotonic(), []

    def line(self, text: str) -> None:
        """A line of the job's output."""
        rate = self._rate(text)
        if rate is not None:
            self._rates.append(rate)

    def look(self) -> None:
        """Raise Hopeless where the run can come to nothing."""
        if self._hope is None:
            return
        elapsed_s = time.monotonic() - self._begun
        at_best = self._hope.at_best(self._phase, elapsed_s, self._rates)
        if at_best is not None and self._hope.is_hopeless(at_best):
            unit, best = self._hope.objective.unit, self._hope.best
            phase = "warm-up" if self._phase == "warmup" else "measured run"
            said = (
                f"ended {elapsed_s:.0f} s into its {phase}: it would have given {value_text(at_best, unit)} at best, "
                f"more than {TIMES:g} times worse than the best so far, {value_text(best, unit)}"
            )
            raise Hopeless(said, at_best)

    def end(self, seconds: float) -> None:
        """The job has ended by itself, after that long."""
        self._seconds[self._phase] = round(seconds, 3)

    def course(self, value: float) -> dict[str, object]:
        """What is kept with the result."""
        return {COURSE: Course(value, self._seconds["warmup"], self._seconds["run"], tuple(self._rates)).as_dict()}
