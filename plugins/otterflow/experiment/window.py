"""The window of a night: when it opens and closes by the wall clock, and whether what is next still fits into it.

Nothing is begun that would not be over when the window closes, judged by the seconds that the like of it has taken so
far. So no task is ever cut off: what is in force at the end was put there in an orderly way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from otterflow.experiment.comparison import ARMS, LEAST_ROUNDS

if TYPE_CHECKING:
    from otterflow.repository import Trial

INSTALLING_S = 60.0
"""What installing the winner takes beyond the longest restart seen: reading back, recovery, Airflow's own seconds."""
BETWEEN_TASKS = 1.15
"""By how much a trial takes longer than the sum of its tasks, for what the scheduler needs between them."""
RESERVED_ROUNDS = 5
"""For so many rounds of the comparison time is kept free while trials are made; what is left then goes to more."""
_TURN = ("restore", "free_cache", "restart", "benchmark")
"""The tasks whose steps a turn of the final comparison takes as well."""


@dataclass(frozen=True)
class Window:
    """From when until when something may be done; both aware, in UTC."""

    opens: datetime
    closes: datetime

    @property
    def hours(self) -> float:
        """How long it is."""
        return (self.closes - self.opens).total_seconds() / 3600

    def is_open(self, now: datetime) -> bool:
        """Whether `now` lies in it."""
        return self.opens <= now < self.closes


def window_from(opens: datetime, until: time, zone: ZoneInfo) -> Window:
    """The window that opens then and closes when the clocks of `zone` next show `until`.

    A time that the spring's change leaves out counts as the moment of the change plus what it lies beyond it; of one
    that the autumn has twice, the first counts.
    """
    start = opens.astimezone(UTC)
    day = start.astimezone(zone).date()
    for days in range(3):
        closes = datetime.combine(day + timedelta(days=days), until, zone).astimezone(UTC)
        if closes > start:
            return Window(start, closes)
    raise AssertionError("a wall clock shows every time within two days")  # pragma: no cover


@dataclass(frozen=True)
class Needs:
    """Seconds that the like has taken at most so far: a trial with all its tasks, a turn, and installing the winner."""

    trial_s: float
    turn_s: float
    installing_s: float

    def round_s(self, arms: int = len(ARMS)) -> float:
        """One round of the comparison."""
        return arms * self.turn_s

    def finish_s(self, rounds: int, arms: int = len(ARMS)) -> float:
        """The comparison with so many rounds, and the installing."""
        return rounds * self.round_s(arms) + self.installing_s


def of_tasks(seconds: Mapping[str, float]) -> dict[str, float]:
    """A trial's seconds by task; a name with a dot is a part of one."""
    return {task: took for task, took in seconds.items() if "." not in task}


def needs(trials: Sequence[Trial], repeats: int) -> Needs:
    """What a further trial and the finish will take, by the longest of each task so far; zero before the first.

    The tasks' longest are added up: a trial with a restore is longer than most, and the next may be one.
    """
    longest: dict[str, float] = {}
    for trial in trials:
        for task, seconds in of_tasks(trial.seconds).items():
            longest[task] = max(longest.get(task, 0.0), seconds)
    benchmark = longest.get("benchmark", 0.0) / max(repeats, 1)
    turn = sum(longest.get(task, 0.0) for task in _TURN if task != "benchmark") + benchmark
    installing = longest.get("restart", 0.0) + INSTALLING_S
    return Needs(sum(longest.values()) * BETWEEN_TASKS, turn, installing)


def reason_to_close(
    now: datetime, closes: datetime, needed: Needs, final_rounds: int, arms: int = len(ARMS), then: int = 0
) -> str | None:
    """Why no further trial fits into the window, or None if one does, with `then` trials and the comparison after it.

    The trials are those that send knobs home.
    """
    left = (closes - now).total_seconds()
    finish_s, then_s = needed.finish_s(min(final_rounds, RESERVED_ROUNDS), arms), then * needed.trial_s
    if needed.trial_s + then_s + finish_s <= left:
        return None
    home = f", {then} to send knobs home {_minutes(then_s)}" if then else ""
    return (
        f"the window closes at {closes.isoformat(timespec='minutes')}, in {_minutes(left)}: another trial would take "
        f"about {_minutes(needed.trial_s)}{home} and the final comparison {_minutes(finish_s)}"
    )


def reason_to_end_rounds(now: datetime, closes: datetime, needed: Needs, arms: int, done: int) -> str | None:
    """Why no further round of the comparison fits into the window, or None if one does."""
    left = (closes - now).total_seconds()
    if needed.finish_s(1, arms) <= left:
        return None
    enough = "" if done >= LEAST_ROUNDS else f"; {LEAST_ROUNDS} are the least that can have a winner"
    return (
        f"the window closes at {closes.isoformat(timespec='minutes')}, in {_minutes(left)}: another round would take "
        f"about {_minutes(needed.round_s(arms))} and installing {_minutes(needed.installing_s)}, so the comparison "
        f"ends after {done} rounds{enough}"
    )


def reason_rounds_take_too_long(now: datetime, ended: Sequence[datetime], rounds: int, most_min: float) -> str | None:
    """Why no further round of the comparison fits into so many minutes, or None if one does.

    `ended` is when each turn of the `rounds` so far was over; that says when the first began, and what a round takes.
    """
    if rounds < LEAST_ROUNDS or len(ended) < 2:
        return None
    turn_s = (max(ended) - min(ended)).total_seconds() / (len(ended) - 1)
    taken, round_s = (now - min(ended)).total_seconds() + turn_s, turn_s * len(ended) / rounds
    if taken + round_s <= most_min * 60:
        return None
    return (
        f"the comparison may take {most_min:g} minutes (final_min) and has taken {_minutes(taken)}: another round "
        f"would take about {_minutes(round_s)}, so it ends after {rounds} rounds"
    )


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} min"
