"""The first trials, before there is a model to ask.

Each point moves a share of the knobs anywhere, away from the best configuration so far (at first the better of the
baseline and the rules), so that a gain is kept and the next point adds to it. The shares take turns, from a third of
the knobs to nearly all: where the baseline is good and most moves hurt, few moves find most; where it is bad, many do.
"""

from __future__ import annotations

import numpy as np

from otterflow.tuner.encoding import Array, Encoder
from otterflow.tuner.search import random_genes

_USUAL_BUDGET = 40
_FEWEST, _MOST = 2, 8
NEAR = {"explore": 0.0, "safe": 0.9}
"""By mode, how often a moved number moves near by."""
_STEP = 0.1
SHARES = {"explore": (0.5, 0.75, 0.35, 0.9), "safe": (0.15,)}
"""By mode, the shares of the knobs that the design's points move, in turn."""


def design_size(n_knobs: int, budget: int | None) -> int:
    """How many trials the design has: a fifth of the budget, from 2 to 8, and no more than knobs and 2."""
    return min(n_knobs + 2, max(_FEWEST, min(_MOST, round((budget or _USUAL_BUDGET) / 5))))


def design_point(encoder: Encoder, centre: Array, rng: np.random.Generator, share: float, near: float = 0.0) -> Array:
    """A genotype (knobs,) that differs from `centre` (knobs,) in a `share` of the knobs, one at least.

    A number moves `near` by that often, by a normal step of a tenth of its range, or else anywhere.
    """
    n_knobs = len(encoder.knobs)
    moved = rng.random(n_knobs).argsort() < max(1, round(share * n_knobs))
    fresh = random_genes(encoder, rng, 1)[0]
    if near:
        close = np.clip(centre + _STEP * rng.standard_normal(n_knobs), 0.0, 1.0)
        fresh = np.where(encoder.numeric & (centre >= 0) & (rng.random(n_knobs) < near), close, fresh)
    return np.asarray(encoder.snap(np.where(moved, fresh, centre)[None])[0])
