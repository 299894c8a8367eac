"""The middle of a few differences, and how well it is known, with a single hiccup among them not believed.

A backup or a neighbour takes half of the machine for one turn, and the round's ratio is off by a factor of two. Huber's
estimator (P. J. Huber, Robust Estimation of a Location Parameter, Ann. Math. Stat. 35, 1964) lets no difference count
for more than `CLIP` deviations. Where nothing sticks out it is the mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

CLIP = 2.5
"""In deviations: by simulation it costs less than one comparison in a hundred where there are no hiccups."""
LEAST = 5
"""Of fewer differences nobody can tell which is the odd one; they count as they are."""
_STEPS = 20
_TO_DEVIATION = 1.4826
"""From the median absolute deviation to the standard deviation of a normal distribution."""


@dataclass(frozen=True)
class Middle:
    """The middle of `count` differences, the variance of one of them, and its degrees of freedom."""

    middle: float
    variance: float
    degrees: float
    count: int


def deviation(samples: Sequence[Sequence[float]]) -> float:
    """The typical standard deviation within the samples, by the median distance from each one's median."""
    distances = []
    for sample in samples:
        if len(sample) > 1:
            middle = median(sample)
            distances += [abs(x - middle) * len(sample) / (len(sample) - 1) for x in sample]
    return _TO_DEVIATION * median(distances) if distances else 0.0


def middle_of(differences: Sequence[float], typical: float) -> Middle:
    """Huber's estimate of at least two differences, `typical` being their standard deviation.

    The variance is that of the clipped differences around the middle, by the number of those that were not clipped, so
    each hiccup makes the interval wider and never narrower.
    """
    count = len(differences)
    reach = CLIP * typical if count >= LEAST and typical > 0 else float("inf")
    middle = fmean(differences) if reach == float("inf") else median(differences)
    whole = count
    for _ in range(_STEPS):
        off = [max(-reach, min(reach, x - middle)) for x in differences]
        whole = max(2, sum(abs(x - middle) <= reach for x in differences))
        step = sum(off) / whole
        middle += step
        if abs(step) <= 1e-9 * max(typical, 1e-12):
            break
    square = sum(max(-reach, min(reach, x - middle)) ** 2 for x in differences)
    return Middle(middle, square / (whole - 1) * count / whole, whole - 1.0, count)
