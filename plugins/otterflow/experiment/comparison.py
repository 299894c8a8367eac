"""The final comparison: baseline, rules, best and reduced measured again in turns, and what may be said of the ratio.

The winner of a search is partly the luckiest measurement, and the machine drifts from minute to minute. So the arms
are measured again, interleaved round by round, and compared pairwise within each round, where the drift is the same
for all.
"""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean, stdev
from types import MappingProxyType
from typing import Any

from otterflow.experiment.student import t_exceeded
from otterflow.measures.scale import Scale

BASELINE, RULES, BEST = ARMS = ("baseline", "rules", "best")
"""The configurations that are compared after a search."""
REDUCED = "reduced"
"""One more where the best could be made smaller: the best without the knobs that are not missed."""
SEARCHED = (RULES, BEST, REDUCED)
"""Those that the search has found."""

MATTERS_PERCENT = 3.0
"""The gain that matters where the form does not say another."""
LEAST_ROUNDS = 3
"""With fewer pairs than this an interval says nothing, and the baseline stays in force."""
ERROR = 0.05
"""How likely it may be that any of a comparison's intervals misses its ratio."""


@dataclass(frozen=True)
class Ratio:
    """How many times better an arm is than the baseline: geometric mean of the rounds' ratios, > 1 is better.

    `low` and `high` are the confidence interval (see `improvement`); None below three rounds.
    """

    ratio: float
    low: float | None
    high: float | None
    rounds: int

    @property
    def is_known(self) -> bool:
        """Whether enough pairs were measured to say anything."""
        return self.low is not None

    @property
    def beyond_noise(self) -> bool:
        """Whether the arm beat the baseline by more than chance explains."""
        return self.low is not None and self.low > 1

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


def distinct(arms: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Each arm's name to that of the first arm with the same configuration, which is measured for both."""
    names = list(arms)
    return {name: next(first for first in names if arms[first] == arms[name]) for name in names}


def schedule(arms: Sequence[str], rounds: int, seed: int) -> list[tuple[int, str]]:
    """Who is measured when: every arm once a round, in an order shuffled by the seed, each second round in reverse.

    A drift that goes on at the same pace then favours no arm: what it gives in one round it takes in the next.
    """
    rng = random.Random(seed)  # noqa: S311 a fair order, not a secret
    turns: list[tuple[int, str]] = []
    order = list(arms)
    for number in range(1, rounds + 1):
        if number % 2:
            rng.shuffle(order)
        else:
            order.reverse()
        turns += [(number, arm) for arm in order]
    return turns


def restore_due(position: int, arms: int, every: int) -> bool:
    """Whether the data is put back before the turn at `position` (from 0), of `arms` a round; `every` as for trials.

    At most `every` turns run on the data between two restores, as in trials. Where that allows whole rounds, a restore
    falls on a round's begin, so that all arms of a round find the data equally old.
    """
    if every == 0:
        return False
    if every < arms:
        return position % every == 0
    return position % (arms * (every // arms)) == 0


def improvement(
    baseline: Mapping[int, float], other: Mapping[int, float], *, maximise: bool, comparisons: int = 1
) -> Ratio | None:
    """Compare two arms by their values per round; None when they share no round.

    Of positive values the ratio is the rounds' geometric mean. Where a value is zero or negative (an objective that
    the user defined) there is no ratio of values; then it is 1 plus the mean difference by the baseline's mean size.

    The interval is Student's t on the paired differences (of logarithms). Where as many as `comparisons` arms are
    compared with the one baseline, all their intervals hold at once with 95 %: each is Bonferroni's for its share of
    the error (O. J. Dunn, Multiple Comparisons Among Means, JASA 56, 1961). With two arms and plain intervals a
    baseline that was as good as both was replaced in 4.5 to 5.5 % of simulated comparisons, with these in half as
    many (`tests/bench/comparison`).
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
    if len(gains) < LEAST_ROUNDS:
        return Ratio(ratio(mean), None, None, len(gains))
    half = _t(ERROR / comparisons, len(gains) - 1) * stdev(gains) / math.sqrt(len(gains))
    return Ratio(ratio(mean), ratio(mean - half), ratio(mean + half), len(gains))


def unpaired(
    baseline: Sequence[float], other: Sequence[float], *, maximise: bool, comparisons: int = 1
) -> Ratio | None:
    """Compare values that are no pairs, measured one after the other; None where an arm has fewer than three.

    The ratio is as in `improvement`. The interval is Welch's t (B. L. Welch, Biometrika 34, 1947), with the degrees of
    freedom rounded down; `comparisons` intervals hold at once.
    """
    if min(len(baseline), len(other)) < LEAST_ROUNDS:
        return None
    scale = Scale.of([*baseline, *other], maximise=maximise)
    scores = [[scale.score(value) for value in values] for values in (baseline, other)]
    size = abs(fmean(scores[0])) or 1.0
    errors = [stdev(of) ** 2 / len(of) for of in scores]
    mean, spread = fmean(scores[1]) - fmean(scores[0]), math.sqrt(sum(errors))
    half = 0.0
    if spread > 0:
        degrees = sum(errors) ** 2 / sum(error**2 / (len(of) - 1) for error, of in zip(errors, scores, strict=True))
        half = _t(ERROR / comparisons, max(1, math.floor(degrees))) * spread

    def ratio(gain: float) -> float:
        return math.exp(gain) if scale.logarithmic else 1.0 + gain / size

    return Ratio(ratio(mean), ratio(mean - half), ratio(mean + half), min(len(baseline), len(other)))


def widened(ratio: Ratio, comparisons: int) -> Ratio:
    """A single comparison's ratio with the interval that it has as one of so many that are to hold at once."""
    if ratio.low is None or ratio.high is None:
        return ratio
    times = _t(ERROR / comparisons, ratio.rounds - 1) / _t(ERROR, ratio.rounds - 1)
    if ratio.low <= 0:  # from values without a logarithm
        return replace(ratio, low=_beyond(ratio.ratio, ratio.low, times), high=_beyond(ratio.ratio, ratio.high, times))
    mean, low, high = (math.log(value) for value in (ratio.ratio, ratio.low, ratio.high))
    return replace(ratio, low=math.exp(_beyond(mean, low, times)), high=math.exp(_beyond(mean, high, times)))


def _beyond(middle: float, end: float, times: float) -> float:
    return middle + times * (end - middle)


def _t(error: float, degrees: int) -> float:
    """Student's t that is exceeded, to either side, with probability `error`."""
    return t_exceeded(error / 2, degrees)


def stands_in(best_over_reduced: Ratio | None, matters: float) -> bool:
    """Whether the reduced configuration may stand for the best, which is so many times better.

    It may not where the best is better beyond noise and by more than a gain of `matters` (0.03: 3 %). It may where the
    two share no round.
    """
    over = best_over_reduced
    return over is None or not (over.beyond_noise and over.ratio > 1 + matters)


def winner(
    ratios: Mapping[str, Ratio | None],
    broken: Collection[str] = (),
    faulty: Collection[str] = (),
    over_rules: Mapping[str, Ratio | None] = MappingProxyType({}),
    *,
    reduced_will_do: bool = True,
) -> str:
    """The arm to leave in force: the best of those that beat the baseline beyond noise, else the baseline.

    Where both rules and best may win, best does only if it beat the rules beyond noise too (`over_rules`, by arm): else
    the rules do, which anybody can follow, and which owe nothing to a lucky trial. Where the reduced configuration may
    win and `reduced_will_do`, it does in the place of the best.

    Arms in `broken` break a constraint, arms in `faulty` had a turn that failed by a fault of their own; neither can
    win. If the baseline breaks a constraint, any arm that keeps all beats it. Whatever it is, an arm with fewer than
    three pairs cannot win.
    """
    fit = {arm: r for arm, r in ratios.items() if r is not None and r.is_known and arm not in {*broken, *faulty}}
    beating = {arm: r.ratio for arm, r in fit.items() if r.beyond_noise or BASELINE in broken}
    for arm in (REDUCED, BEST) if reduced_will_do else (BEST,):
        over = over_rules.get(arm)
        if arm in beating and (RULES not in beating or (over is not None and over.beyond_noise)):
            return arm
    if RULES in beating:
        return RULES
    given = [arm for arm in beating if arm not in SEARCHED]
    return max(given, key=lambda arm: beating[arm], default=BASELINE)
