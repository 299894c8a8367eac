"""The final comparison: baseline, rules and best measured again in turns, and what may be said of the ratio.

The winner of a search is partly the luckiest measurement, and the machine drifts from minute to minute. So the arms
are measured again, interleaved round by round, and compared pairwise within each round, where the drift is the same
for all.
"""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Any

from otterflow.scoring import Scale

BASELINE, RULES, BEST = "baseline", "rules", "best"

MIN_PAIRS_FOR_INTERVAL = 3
"""With fewer pairs than this a 95 % interval says nothing; the mean alone decides."""


@dataclass(frozen=True)
class Ratio:
    """How many times better an arm is than the baseline: geometric mean of the rounds' ratios, > 1 is better.

    `low` and `high` are the 95 % confidence interval by Student's t on the logarithms; None below three rounds.
    """

    ratio: float
    low: float | None
    high: float | None
    rounds: int

    @property
    def beyond_noise(self) -> bool:
        """Whether the arm beat the baseline by more than chance explains."""
        return self.ratio > 1 if self.low is None else self.low > 1

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


def distinct(arms: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Each arm's name to that of the first arm with the same configuration, which is measured for both."""
    names = list(arms)
    return {name: next(first for first in names if arms[first] == arms[name]) for name in names}


def schedule(arms: Sequence[str], rounds: int, seed: int) -> list[tuple[int, str]]:
    """Who is measured when: every arm once a round, in an order shuffled anew for each round (by the seed)."""
    rng = random.Random(seed)  # noqa: S311 a fair order, not a secret
    turns = []
    for number in range(1, rounds + 1):
        order = list(arms)
        rng.shuffle(order)
        turns += [(number, arm) for arm in order]
    return turns


def improvement(baseline: Mapping[int, float], other: Mapping[int, float], *, maximise: bool) -> Ratio | None:
    """Compare two arms by their values per round; None when they share no round.

    Of positive values the ratio is the rounds' geometric mean. Where a value is zero or negative (an objective that
    the user defined) there is no ratio of values; then it is 1 plus the mean difference by the baseline's mean size.
    Source for the interval: Student's t on the paired differences (of logarithms).
    """
    shared = sorted(baseline.keys() & other.keys())
    if not shared:
        return None
    scale = Scale.of([arm[r] for arm in (baseline, other) for r in shared], maximise=maximise)
    gains = [scale.score(other[r]) - scale.score(baseline[r]) for r in shared]
    size = abs(fmean(scale.score(baseline[r]) for r in shared)) or 1.0

    def ratio(gain: float) -> float:
        return math.exp(gain) if scale.logarithmic else 1.0 + gain / size

    mean = fmean(gains)
    if len(gains) < MIN_PAIRS_FOR_INTERVAL:
        return Ratio(ratio(mean), None, None, len(gains))
    half = _t_975(len(gains) - 1) * stdev(gains) / math.sqrt(len(gains))
    return Ratio(ratio(mean), ratio(mean - half), ratio(mean + half), len(gains))


def _t_975(degrees: int) -> float:
    from scipy.stats import t

    return float(t.ppf(0.975, degrees))


def winner(ratios: Mapping[str, Ratio | None], broken: Collection[str] = ()) -> str:
    """The arm to leave in force: the best of those that beat the baseline beyond noise, else the baseline.

    Arms in `broken` break a constraint and cannot win; if the baseline is one of them, any that keeps all beats it.
    """
    kept = {arm: r for arm, r in ratios.items() if r is not None and arm not in broken}
    beating = {arm: r.ratio for arm, r in kept.items() if r.beyond_noise or BASELINE in broken}
    return max(beating, key=lambda arm: beating[arm]) if beating else BASELINE
