"""How a comparison stands: what its turns say of the arms, who would win, and whether more rounds could change that.

After every round the comparison asks whether it is decided; at its end the same functions choose the winner and write
the result, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from otterflow.errors import TEACHES_NOTHING
from otterflow.experiment.comparison import (
    BASELINE,
    BEST,
    MATTERS_PERCENT,
    REDUCED,
    RULES,
    SEARCHED,
    Ratio,
    improvement,
    stands_in,
    winner,
)
from otterflow.experiment.repeated import Looks, Repeated
from otterflow.measures.goal import Goal

if TYPE_CHECKING:
    from otterflow.measures.objective import Directed
    from otterflow.repository import Measurement


@dataclass(frozen=True)
class Standing:
    """Each arm against the baseline, who cannot win, and who does.

    `over_rules` are best and reduced against the rules, `over_reduced` is the best against the reduced. `decided` says
    why further rounds would change nothing that matters; None where they might.
    """

    ratios: Mapping[str, Ratio | None]
    over_rules: Mapping[str, Ratio | None]
    over_reduced: Ratio | None
    broken: Collection[str]
    faulty: Mapping[str, str]
    winner: str
    decided: str | None


def standing(measurements: Sequence[Measurement], goal: Goal, looks: Looks | None) -> Standing:
    """By what was measured so far; without `looks` all rounds are made, and the intervals are those of one look."""
    compared = _Compared(measurements, goal.objective, looks)
    found, over = compared.with_baseline(), {arm: compared.ratio(RULES, arm) for arm in (BEST, REDUCED)}
    broken, faulty = broken_arms(measurements, goal), faulty_arms(measurements)
    out = {*broken, *faulty}
    over_reduced = None if BEST in out else compared.ratio(REDUCED, BEST)
    matters = MATTERS_PERCENT / 100 if looks is None else looks.matters
    will_do = stands_in(over_reduced, matters)
    won = winner(found, broken, faulty, over, reduced_will_do=will_do)
    decided = None if looks is None else _decided(found, over, over_reduced, out, matters)
    return Standing(found, over, over_reduced, broken, faulty, won, decided)


def _decided(
    found: Mapping[str, Ratio | None],
    over_rules: Mapping[str, Ratio | None],
    over_reduced: Ratio | None,
    out: Collection[str],
    matters: float,
) -> str | None:
    """Why the comparison may end. An arm is open while it may gain what matters, and has not been shown to gain."""
    fit = {arm: ratio for arm, ratio in found.items() if ratio is not None and arm not in out}
    if not fit:
        return "no arm is left that could win" if any(ratio is not None for ratio in found.values()) else None
    if not {*fit} <= {*SEARCHED}:
        open_arms = {arm for arm, ratio in fit.items() if not ratio.beyond_noise and _may_gain(ratio, matters)}
        return None if open_arms else "each arm is better than the baseline, or gains nothing that matters"
    leaders = [arm for arm in (REDUCED, BEST) if arm in fit]
    is_known = len(leaders) < 2 or over_reduced is None or not _may_gain(over_reduced, matters)
    if len(leaders) == 2 and not stands_in(over_reduced, matters):
        leaders, is_known = [BEST], True
    said: str | None = None
    for leader in leaders or [BEST]:
        known = _against_the_rules(fit, leader, over_rules.get(leader), matters)
        if known is None:
            return None
        won, said = known
        if won == leader:
            return said if is_known else None
    return said


def _against_the_rules(
    fit: Mapping[str, Ratio], leader: str, over: Ratio | None, matters: float
) -> tuple[str, str] | None:
    """Who wins where `leader`, which is `over` times as good as the rules, stands for the search, and why.

    None where more rounds might tell another.
    """
    own = {arm: ratio for arm, ratio in fit.items() if arm in (RULES, leader)}
    better = {arm for arm, ratio in own.items() if ratio.beyond_noise}
    open_arms = {arm for arm, ratio in own.items() if arm not in better and _may_gain(ratio, matters)}
    if not better:
        return None if open_arms else (BASELINE, f"neither gains {matters:.1%} over the baseline")
    if len(own) == 1 or (better == {leader} and not open_arms):
        return min(better), f"{min(better)} is better than the baseline"
    if over is not None and over.beyond_noise and leader in better:
        return leader, f"{leader} is better than the baseline and than the rules"
    if RULES in better and (over is None or not _may_gain(over, matters)):
        return RULES, f"rules is better than the baseline, and {leader} does not gain {matters:.1%} over it"
    if better == {RULES} and leader not in open_arms:
        return RULES, f"rules is better than the baseline, and {leader} is not"
    return None


def _may_gain(ratio: Ratio, matters: float) -> bool:
    return ratio.high is None or ratio.high >= 1 + matters


def describe(stands: Standing) -> str:
    """The ratios so far, for a log."""
    known = {f"{arm} against the baseline": ratio for arm, ratio in stands.ratios.items()}
    known |= {f"{arm} against rules": ratio for arm, ratio in stands.over_rules.items()}
    known["best against reduced"] = stands.over_reduced
    parts = []
    for name, ratio in known.items():
        if ratio is not None:
            interval = "" if ratio.low is None else f" ({ratio.low:.3f} to {ratio.high:.3f})"
            parts.append(f"{name} {ratio.ratio:.3f}{interval}")
    return ", ".join(parts) or "no two arms share a round"


def ratios(
    measurements: Sequence[Measurement], objective: Directed, looks: Looks | None = None
) -> dict[str, Ratio | None]:
    """Each arm against the baseline, pairwise within the rounds; all intervals hold at once."""
    return _Compared(measurements, objective, looks).with_baseline()


class _Compared:
    """The arms of a comparison, two at a time."""

    def __init__(self, measurements: Sequence[Measurement], objective: Directed, looks: Looks | None) -> None:
        self._values, self._maximise = values_by_arm(measurements), objective.maximise
        self._others = {m.arm for m in measurements} - {BASELINE}
        self._repeated = None if looks is None else Repeated(self._values, looks, maximise=self._maximise)

    def with_baseline(self) -> dict[str, Ratio | None]:
        """Each arm against the baseline; all intervals hold at once."""
        shared = max(len(self._others), 1)
        return {arm: self.ratio(BASELINE, arm, shared) for arm in sorted(self._others.union(SEARCHED))}

    def ratio(self, against: str, arm: str, comparisons: int = 1) -> Ratio | None:
        """How many times better `arm` is, as one of so many that hold at once; None where no round has both.

        Two arms beside the baseline have the whole error for themselves: they are compared where it is beaten.
        """
        if self._repeated is not None:
            return self._repeated.ratio(against, arm, comparisons)
        one, other = self._values.get(against, {}), self._values.get(arm, {})
        return improvement(one, other, maximise=self._maximise, comparisons=comparisons)


def values_by_arm(measurements: Sequence[Measurement]) -> dict[str, dict[int, float]]:
    """The comparison's values: arm to round to value; turns that failed are left out."""
    values: dict[str, dict[int, float]] = {}
    for m in measurements:
        if m.value is not None:
            values.setdefault(m.arm, {})[m.round] = m.value
    return values


def broken_arms(measurements: Sequence[Measurement], goal: Goal) -> set[str]:
    """The arms that break a constraint by its mean slack over the comparison's rounds.

    A turn is shorter than a trial, so its result may lack a number; such a constraint is not judged here.
    """
    slacks: dict[tuple[str, int], list[float]] = {}
    for m in measurements if goal.constraints else ():
        for position, slack in enumerate(goal.slacks(m.result) if m.value is not None else ()):
            if slack is not None:
                slacks.setdefault((m.arm, position), []).append(slack)
    return {arm for (arm, _), values in slacks.items() if fmean(values) < 0}


def faulty_arms(measurements: Sequence[Measurement]) -> dict[str, str]:
    """The arms that had a turn which failed by a fault of their own, each with what was said of the first."""
    faults: dict[str, str] = {}
    for m in measurements:
        if m.state != "ok" and not m.result.get(TEACHES_NOTHING):
            faults.setdefault(m.arm, f"{m.state} in round {m.round}: {m.result.get('message', '')}")
    return faults
