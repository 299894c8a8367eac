"""What the windows of a live load say of a change: whether it is worse beyond noise, or breaks a constraint.

The windows before and after are not pairs, so the interval is Welch's (B. L. Welch, Biometrika 34, 1947). It is looked
at after every window from the third on, and all looks hold at once (Bonferroni), so looking often rolls back no more
often by chance. Hours differ: what the load does by itself between before and after counts against the change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from otterflow.errors import BenchmarkFailed
from otterflow.experiment.comparison import LEAST_ROUNDS, Ratio, unpaired
from otterflow.measures.goal import Goal

BEFORE, AFTER = "before", "after"
Window = Mapping[str, Any]
"""A window: `phase`, `number`, `value` (None where nothing could be measured), `result`, and a `message` then."""


@dataclass(frozen=True)
class LiveVerdict:
    """What may be said so far. `ratio` above 1 is better than before. `worse` says that the change is to go."""

    worse: bool
    because: str
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    before: float | None = None
    """The windows' median, in the objective's unit, as is `after`."""
    after: float | None = None

    def record(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


def values_of(windows: Sequence[Window], phase: str) -> list[float]:
    """What was measured in a phase, in order."""
    return [float(window["value"]) for window in windows if window["phase"] == phase and window["value"] is not None]


def why_not_enough(windows: Sequence[Window], phase: str) -> str | None:
    """Why a phase's windows are too few to compare by; None where there are enough."""
    values = values_of(windows, phase)
    if len(values) >= LEAST_ROUNDS:
        return None
    said = [str(window["message"]) for window in windows if window["phase"] == phase and window["value"] is None]
    last = f"; the last that could not be measured: {said[-1]}" if said else ""
    return f"{len(values)} windows could be measured, and {LEAST_ROUNDS} are the least that say anything{last}"


def judge(windows: Sequence[Window], goal: Goal, planned: int) -> LiveVerdict:
    """The verdict on the windows so far, of `planned` after the change."""
    before, after = values_of(windows, BEFORE), values_of(windows, AFTER)
    middles = {"before": median(before) if before else None, "after": median(after) if after else None}
    broken = _broken(windows, goal)
    if broken:
        return LiveVerdict(True, f"constraint {broken} held before, and is broken", **middles)
    ratio = _ratio(before, after, goal, planned)
    if ratio is None:
        return LiveVerdict(False, f"{len(after)} windows after the change: too few to compare", **middles)
    numbers = {"ratio": ratio.ratio, "low": ratio.low, "high": ratio.high, **middles}
    said = f"{goal.objective.value} is {ratio.ratio:.3f} times better than before ({ratio.low:.3f} to {ratio.high:.3f})"
    if ratio.high is not None and ratio.high < 1:
        return LiveVerdict(True, f"{said}: worse, beyond noise", **numbers)
    return LiveVerdict(False, f"{said}: not worse beyond noise", **numbers)


def _ratio(before: Sequence[float], after: Sequence[float], goal: Goal, planned: int) -> Ratio | None:
    if min(len(before), len(after)) < LEAST_ROUNDS:
        return None
    looks = max(1, planned - LEAST_ROUNDS + 1)
    return unpaired(before, after, maximise=goal.objective.maximise, comparisons=looks)


def _broken(windows: Sequence[Window], goal: Goal) -> str | None:
    """The first constraint that every window before has kept and one after has broken."""
    for position, constraint in enumerate(goal.constraints):
        slacks: dict[str, list[float]] = {BEFORE: [], AFTER: []}
        for window in windows:
            slack = _slacks(window, goal)[position : position + 1]
            slacks[window["phase"]] += [each for each in slack if each is not None]
        if slacks[BEFORE] and min(slacks[BEFORE]) >= 0 and slacks[AFTER] and min(slacks[AFTER]) < 0:
            return constraint.text
    return None


def _slacks(window: Window, goal: Goal) -> tuple[float | None, ...]:
    if window["value"] is None:
        return ()
    try:
        return goal.slacks(window["result"])
    except BenchmarkFailed:
        return ()
