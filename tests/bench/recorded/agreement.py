"""How well two measures of the same configurations agree: in their order, and in how much each gains."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, median

DEFAULT = "default"


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Spearman's rank correlation, equal values sharing the mean of their ranks; NaN where one has no order."""
    return _correlation(_ranks(one), _ranks(other))


def gains(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Each configuration's throughput by the default's: the median of the rounds' own ratios, for a round's
    measurements are neighbours."""
    return {name: median(each[name] / each[DEFAULT] for each in rounds) for name in rounds[0]}


def gain_ratio(ours: Mapping[str, float], loads: Mapping[str, float]) -> float:
    """How much of the load's gains a measure shows: the slope, through the origin, of its logarithmic gains on the
    load's; 1 where they are the same, below 1 where it sees smaller differences."""
    names = [name for name in loads if name != DEFAULT]
    x, y = ([math.log(each[name]) for name in names] for each in (loads, ours))
    return sum(a * b for a, b in zip(x, y, strict=True)) / sum(a * a for a in x)


def _ranks(values: Sequence[float]) -> list[float]:
    return [
        sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2 for value in values
    ]


def _correlation(one: Sequence[float], other: Sequence[float]) -> float:
    mean_one, mean_other = fmean(one), fmean(other)
    a, b = [each - mean_one for each in one], [each - mean_other for each in other]
    spread = math.sqrt(sum(each * each for each in a) * sum(each * each for each in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / spread if spread else math.nan
