"""The first trials, before there is a model to ask: few, and honest about the cost of a crash.

The centre is the better of the baseline and the rules. Each point moves a share of the knobs away from it, each knob
to another part of its range from point to point (a Latin hypercube), so that a handful of trials has moved most knobs
low and high without ever going to a random corner of the whole space, where configurations crash.
"""

from __future__ import annotations

import numpy as np

from otterflow.tuner.encoding import Array, Encoder
from otterflow.tuner.search import random_genes

_USUAL_BUDGET = 40


def design_size(n_knobs: int, budget: int | None) -> int:
    """How many trials the design has: a quarter of the budget, from 2 to 10, and no more than knobs and 2."""
    quarter = round((budget or _USUAL_BUDGET) / 4)
    return min(n_knobs + 2, max(2, min(10, quarter)))


def design_point(encoder: Encoder, centre: Array, position: int, seed: int, share: float, size: int) -> Array:
    """Point `position` (from 0) of a design of `size` points around `centre` (knobs,), as a genotype (knobs,).

    `share` is the share of the knobs that a point moves. Positions beyond `size` belong to further designs alike.
    """
    rng = np.random.default_rng([seed, 101, position // size])
    n_knobs = len(encoder.knobs)
    strata = np.array([rng.permutation(size) for _ in range(n_knobs)]).T
    hypercube = (strata + rng.random((size, n_knobs))) / size
    order = rng.random((size, n_knobs)).argsort(axis=1)
    moved = order < max(1, round(share * n_knobs))
    others = random_genes(encoder, rng, size)
    fresh = np.where(encoder.numeric & (others >= 0), hypercube, others)
    return np.asarray(encoder.snap(np.where(moved, fresh, centre))[position % size])
