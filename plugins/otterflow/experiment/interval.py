"""What one interval of the past says of a candidate: its ratio to the baseline, and whether that is to be believed.

An interval is an experiment whose comparison had given arms; its verdict is made of that comparison's measurements, by
the same statistics as a final comparison's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from otterflow.experiment.comparison import BASELINE, Ratio, improvement
from otterflow.experiment.standing import broken_arms, faulty_arms, values_by_arm
from otterflow.measures.goal import Goal
from otterflow.workloads.replay.divergence import diverged
from otterflow.workloads.replay.replayer.tally import LEAST_CALLS

if TYPE_CHECKING:
    from otterflow.repository import Measurement


@dataclass(frozen=True, kw_only=True)
class IntervalVerdict:
    """One interval's verdict on one candidate. Ratios above 1 are better than the baseline, over `rounds` pairs.

    `arms` has each arm's values in the objective's unit, `errors` what failed in all turns of each arm. `worst_class`
    is the class of statements that fared worst: its name and its ratio of mean times. `why_not` says why the ratio is
    not believed; `spoilt` that it is the candidate's own doing, which counts against it. `incomplete` says what its
    recording lacks of the interval.
    """

    recording: str
    start: datetime
    end: datetime
    experiment: str
    candidate: str
    arms: dict[str, list[float]] = field(default_factory=dict)
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    rounds: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    divergence: list[str] = field(default_factory=list)
    worst_class: dict[str, Any] | None = None
    why_not: str = ""
    spoilt: bool = False
    incomplete: str = ""

    @property
    def believed(self) -> bool:
        """Whether the ratio may be used."""
        return not self.why_not

    @property
    def remark(self) -> str:
        """In a word whether it is better, or why it is not judged; and what its recording lacks."""
        ratio = self.as_ratio
        if self.why_not:
            found = f"not judged: {self.why_not}"
        elif ratio is None or ratio.high is None:
            found = ""
        else:
            found = "better" if ratio.beyond_noise else "worse" if ratio.high < 1 else "within chance"
        lacks = f"not all of the interval was recorded: {self.incomplete}" if self.incomplete else ""
        return "; ".join(part for part in (found, lacks) if part)

    @property
    def all_errors(self) -> str:
        """What failed in all turns, by arm."""
        return ", ".join(f"{arm} {number}" for arm, number in self.errors.items() if number) or "0"

    @property
    def as_ratio(self) -> Ratio | None:
        """The ratio with its interval; None where there is none to believe."""
        if self.ratio is None or self.why_not:
            return None
        return Ratio(self.ratio, self.low, self.high, self.rounds)

    def record(self) -> dict[str, Any]:
        """The design's *verdict of an interval*, as plain JSON."""
        fields = asdict(self)
        times = [fields.pop("start").isoformat(), fields.pop("end").isoformat()]
        return {"recording": fields.pop("recording"), "interval": times, **fields, "believed": self.believed}


def interval_verdict(
    measurements: Sequence[Measurement],
    goal: Goal,
    *,
    recording: str,
    start: datetime,
    end: datetime,
    experiment: str,
    candidate: str,
    measured_as: str = "",
    incomplete: str = "",
) -> IntervalVerdict:
    """The verdict on `candidate`, an arm's name, by the comparison's measurements.

    `measured_as` is the arm that has the same configuration and was measured for both. Where replays of the same round
    have not done the same work, there is no ratio to believe.
    """
    values, arm = values_by_arm(measurements), measured_as or candidate
    ratio = improvement(values.get(BASELINE, {}), values.get(arm, {}), maximise=goal.objective.maximise)
    divergence = diverging(measurements, arm)
    why_not, spoilt = _why_not(measurements, goal, arm, ratio, divergence)
    return IntervalVerdict(
        recording=recording,
        start=start,
        end=end,
        experiment=experiment,
        candidate=candidate,
        arms={arm: [of[number] for number in sorted(of)] for arm, of in values.items()},
        ratio=None if ratio is None else ratio.ratio,
        low=None if ratio is None else ratio.low,
        high=None if ratio is None else ratio.high,
        rounds=0 if ratio is None else ratio.rounds,
        errors=_errors(measurements),
        divergence=divergence,
        worst_class=worst_class(measurements, arm),
        why_not=why_not,
        spoilt=spoilt,
        incomplete=incomplete,
    )


def _why_not(
    measurements: Sequence[Measurement],
    goal: Goal,
    candidate: str,
    ratio: Ratio | None,
    divergence: Sequence[str],
) -> tuple[str, bool]:
    """Why the ratio is not to be believed, and whether that is the candidate's doing."""
    faulty = faulty_arms(measurements)
    if BASELINE in faulty:
        return f"the baseline {faulty[BASELINE]}", False
    if candidate in faulty:
        return f"the candidate {faulty[candidate]}", True
    if divergence:
        return f"the arms have not done the same work: {'; '.join(divergence)}", False
    broken = broken_arms(measurements, goal)
    if candidate in broken and BASELINE not in broken:
        return "the candidate breaks a constraint that the baseline keeps", True
    if ratio is None or not ratio.is_known:
        return f"{0 if ratio is None else ratio.rounds} rounds were measured, and three are the least", False
    return "", False


def diverging(measurements: Sequence[Measurement], arm: str) -> list[str]:
    """Where the arm's replays did other work than the baseline's of the same round; none for what is no replay."""
    replays = [m for m in measurements if m.value is not None and "replay" in m.result]
    baseline = {m.round: m.result for m in replays if m.arm == BASELINE}
    return [
        f"round {m.round}: {sentence}"
        for m in replays
        if m.arm == arm and m.round in baseline
        for sentence in diverged(baseline[m.round], m.result)
    ]


def _errors(measurements: Sequence[Measurement]) -> dict[str, int]:
    errors: dict[str, int] = {}
    for m in measurements:
        errors[m.arm] = errors.get(m.arm, 0) + int(m.result.get("errors", 0))
    return errors


def worst_class(measurements: Sequence[Measurement], candidate: str) -> dict[str, Any] | None:
    """The class of statements (or type of transactions) that the candidate made slowest: name, ratio, low, high.

    By the mean time of its calls, the server's own where it is known; ratios are above 1 where it is faster. The
    intervals of all classes hold at once. None where no class has calls enough in both arms.
    """
    times: dict[str, dict[str, dict[int, float]]] = {BASELINE: {}, candidate: {}}
    for m in measurements:
        for name, numbers in _classes(m) if m.arm in times else ():
            times[m.arm].setdefault(name, {})[m.round] = numbers
    shared = [name for name in times[BASELINE] if name in times[candidate]]
    found = {
        name: improvement(times[BASELINE][name], times[candidate][name], maximise=False, comparisons=len(shared))
        for name in shared
    }
    known = {name: ratio for name, ratio in found.items() if ratio is not None}
    if not known:
        return None
    name = min(known, key=lambda each: known[each].ratio)
    return {"class": name, "ratio": known[name].ratio, "low": known[name].low, "high": known[name].high}


def _classes(m: Measurement) -> list[tuple[str, float]]:
    """Each class's mean time in ms in a turn, of those with calls enough."""
    types: Mapping[str, Mapping[str, float]] = m.result.get("types", {}) if m.value is not None else {}
    means = {
        name: float(numbers.get("server_mean", numbers.get("mean", math.nan)))
        for name, numbers in types.items()
        if numbers.get("transactions", 0) >= LEAST_CALLS
    }
    return [(name, mean) for name, mean in means.items() if math.isfinite(mean)]
