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
from otterflow.experiment.comparison import BASELINE, BEST, RULES, SEARCHED, Ratio, improvement, winner
from otterflow.experiment.repeated import Looks, Repeated
from otterflow.measures.goal import Goal

if TYPE_CHECKING:
    from otterflow.measures.objective import Directed
    from otterflow.repository import Measurement


@dataclass(frozen=True)
class Standing:
    """Each arm against the baseline, the best against the rules, who cannot win, and who does.

    `decided` says why further rounds would change nothing that matters; None where they might.
    """

    ratios: Mapping[str, Ratio | None]
    over_rules: Ratio | None
    broken: Collection[str]
    faulty: Mapping[str, str]
    winner: str
    decided: str | None


def standing(measurements: Sequence[Measurement], goal: Goal, looks: Looks | None) -> Standing:
    """By what was measured so far; without `looks` all rounds are made, and the intervals are those of one look."""
    found, over = _compared(measurements, goal.objective, looks)
    broken, faulty = broken_arms(measurements, goal), faulty_arms(measurements)
    won = winner(found, broken, faulty, over)
    out = {*broken, *faulty}
    decided = None if looks is None else _decided(found, over, out, looks.matters)
    return Standing(found, over, broken, faulty, won, decided)


def _decided(found: Mapping[str, Ratio | None], over: Ratio | None, out: Collection[str], matters: float) -> str | None:
    """Why the comparison may end. An arm is open while it may gain what matters, and has not been shown to gain."""
    fit = {arm: ratio for arm, ratio in found.items() if ratio is not None and arm not in out}
    if not fit:
        return "no arm is left that could win" if any(ratio is not None for ratio in found.values()) else None
    better = {arm for arm, ratio in fit.items() if ratio.beyond_noise}
    open_arms = {arm for arm, ratio in fit.items() if arm not in better and _may_gain(ratio, matters)}
    if not {*fit} <= {*SEARCHED}:
        return None if open_arms else "each arm is better than the baseline, or gains nothing that matters"
    if not better:
        return None if open_arms else f"neither gains {matters:.1%} over the baseline"
    if len(fit) == 1 or (better == {BEST} and not open_arms):
        return f"{min(better)} is better than the baseline"
    if over is not None and over.beyond_noise and BEST in better:
        return "best is better than the baseline and than the rules"
    if RULES in better and (over is None or not _may_gain(over, matters)):
        return f"rules is better than the baseline, and best does not gain {matters:.1%} over it"
    if better == {RULES} and BEST not in open_arms:
        return "rules is better than the baseline, and best is not"
    return None


def _may_gain(ratio: Ratio, matters: float) -> bool:
    return ratio.high is None or ratio.high >= 1 + matters


def describe(stands: Standing) -> str:
    """The ratios so far, for a log."""
    known = {f"{arm} against the baseline": ratio for arm, ratio in stands.ratios.items()}
    known["best against rules"] = stands.over_rules
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
    return _compared(measurements, objective, looks)[0]


def _compared(
    measurements: Sequence[Measurement], objective: Directed, looks: Looks | None
) -> tuple[dict[str, Ratio | None], Ratio | None]:
    """Each arm against the baseline, and the best against the rules (None where no round has both).

    The latter has the whole error for itself: it is asked only where the baseline is beaten.
    """
    values, maximise = values_by_arm(measurements), objective.maximise
    others = {m.arm for m in measurements} - {BASELINE}
    repeated = None if looks is None else Repeated(values, looks, maximise=maximise)

    def ratio(against: str, arm: str, comparisons: int) -> Ratio | None:
        if repeated is not None:
            return repeated.ratio(against, arm, comparisons)
        one, other = values.get(against, {}), values.get(arm, {})
        return improvement(one, other, maximise=maximise, comparisons=comparisons)

    found = {arm: ratio(BASELINE, arm, max(len(others), 1)) for arm in sorted(others.union(SEARCHED))}
    return found, ratio(RULES, BEST, 1)


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
