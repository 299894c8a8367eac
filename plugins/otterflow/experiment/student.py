"""Student's t, in plain Python: the pages show intervals, and the API server is not to load SciPy for them.

The tail of t is an incomplete beta function (M. Abramowitz and I. A. Stegun, Handbook of Mathematical Functions, 26.7.1
and 26.5.8), here by its continued fraction (W. J. Lentz, Applied Optics 15, 1976, as modified by I. J. Thompson and
A. R. Barnett, Journal of Computational Physics 64, 1986).
"""

from __future__ import annotations

import math
from functools import cache

_TINY = 1e-300
_CLOSE = 4e-16
_MOST_TERMS = 10_000


@cache
def t_exceeded(level: float, degrees: float) -> float:
    """The t that is exceeded with probability `level` (above 0, below 0.5) at so many degrees of freedom (above 0).

    Raises ValueError for what is no such number.
    """
    if not (0 < level < 0.5 and 0 < degrees < math.inf):
        raise ValueError(f"level {level!r}, degrees {degrees!r}: give 0 < level < 0.5, and finite degrees above 0")
    low, high = 0.0, 1.0
    while tail(high, degrees) > level:
        low, high = high, 2 * high
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if tail(middle, degrees) > level else (low, middle)
    return high


def tail(t: float, degrees: float) -> float:
    """How likely it is that `t`, 0 or more, is exceeded."""
    whole = degrees + t * t
    return _incomplete_beta(degrees / whole, t * t / whole, degrees / 2, 0.5) / 2


def _incomplete_beta(x: float, rest: float, a: float, b: float) -> float:
    """The regularised one, I_x(a, b); `rest` is 1 - x, without the digits that the difference would lose."""
    if x > (a + 1) / (a + b + 2):
        return 1.0 - _incomplete_beta(rest, x, b, a)
    if x == 0.0:
        return 0.0
    logarithm = a * math.log(x) + b * math.log(rest) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return math.exp(logarithm) / (a * _fraction(x, a, b))


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction 1 + d1/(1 + d2/(1 + ...)), from its head."""
    value, numerator, denominator = 1.0, 1.0, 0.0
    for term in range(1, _MOST_TERMS):
        half = term // 2
        if term % 2:
            part = -(a + half) * (a + b + half) * x / ((a + term - 1) * (a + term))
        else:
            part = half * (b - half) * x / ((a + term - 1) * (a + term))
        denominator = 1.0 / (1.0 + part * denominator or _TINY)
        numerator = 1.0 + part / numerator or _TINY
        step = numerator * denominator
        value *= step
        if abs(step - 1.0) <= _CLOSE:
            return value
    raise ArithmeticError(f"the incomplete beta function of {x!r}, {a!r}, {b!r} does not converge")
