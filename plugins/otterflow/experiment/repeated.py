"""Ratios between the arms of a comparison that is looked at after every round.

Each interval holds at all looks at once, whenever and whyever the comparison ends, so it may end as soon as it is
decided.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

from otterflow.experiment.comparison import LEAST_ROUNDS, Ratio
from otterflow.experiment.looks import nominal_level
from otterflow.experiment.robust import Middle, deviation, middle_of
from otterflow.experiment.student import t_exceeded
from otterflow.measures.scale import Scale

Values = Mapping[str, Mapping[int, float]]
"""Arm to round to measured value."""

BELOW, ABOVE = 0.04, 0.01
"""How likely a ratio may lie below, and above, its interval: 5 % together, most of it where a winner is found.

An interval that ends too high only keeps a comparison going; so the same 95 % find a gain earlier than if they were
shared equally.
"""


@dataclass(frozen=True)
class Looks:
    """How long a comparison goes on: at most `limit` rounds, and until no gain of `matters` (0.03: 3 %) is possible."""

    limit: int
    matters: float


class Repeated:
    """The ratios of arms by their values so far.

    Noise is taken to be much the same for all arms, as it is where the machine makes it: a pair's variance is its own
    or the mean of all pairs', whichever is larger. So three rounds in which two arms agree by luck prove nothing.
    """

    def __init__(self, values: Values, looks: Looks, *, maximise: bool) -> None:
        self._looks = looks
        scale = Scale.of([x for of in values.values() for x in of.values()], maximise=maximise)
        self._is_logarithmic = scale.logarithmic
        self._scores = {arm: {r: scale.score(x) for r, x in of.items()} for arm, of in values.items()}
        samples = {pair: self._differences(*pair) for pair in combinations(sorted(values), 2)}
        samples = {pair: of for pair, of in samples.items() if len(of) >= LEAST_ROUNDS}
        typical = deviation(list(samples.values()))
        self._middles = {pair: middle_of(of, typical) for pair, of in samples.items()}

    def ratio(self, against: str, arm: str, comparisons: int = 1) -> Ratio | None:
        """How many times better `arm` is, as one of so many arms compared with the same; None without a shared round.

        Without an interval below three shared rounds.
        """
        gains = self._differences(against, arm)
        if not gains:
            return None
        if len(gains) < LEAST_ROUNDS:
            return Ratio(self._as_ratio(fmean(gains), against, arm), None, None, len(gains))
        swapped = against > arm
        own = self._middles[(arm, against) if swapped else (against, arm)]
        middle = -own.middle if swapped else own.middle
        error, degrees = self._standard_error(own)
        down, up = (
            middle + sign * error * self._quantile(share / comparisons, own.count, degrees)
            for sign, share in ((-1, BELOW), (1, ABOVE))
        )
        ratio, low, high = (self._as_ratio(gain, against, arm) for gain in (middle, down, up))
        return Ratio(ratio, low, high, own.count)

    def _differences(self, against: str, arm: str) -> list[float]:
        one, other = self._scores.get(against, {}), self._scores.get(arm, {})
        return [other[r] - score for r, score in one.items() if r in other]

    def _standard_error(self, own: Middle) -> tuple[float, float]:
        """Of a pair's middle, with its degrees of freedom: two pairs tell twice as much of the noise as one."""
        all_of = list(self._middles.values())
        variance = max(own.variance, fmean(each.variance for each in all_of))
        times = 1.0 if len(all_of) == 1 else 2.0
        return math.sqrt(variance / own.count), times * fmean(each.degrees for each in all_of)

    def _quantile(self, error: float, pairs: int, degrees: float) -> float:
        level = nominal_level(error, min(pairs, self._looks.limit), self._looks.limit, LEAST_ROUNDS)
        return t_exceeded(level, round(degrees, 3))

    def _as_ratio(self, gain: float, against: str, arm: str) -> float:
        if self._is_logarithmic:
            return math.exp(gain)
        shared = self._scores[against].keys() & self._scores[arm].keys()
        return 1.0 + gain / (abs(fmean(self._scores[against][r] for r in shared)) or 1.0)
