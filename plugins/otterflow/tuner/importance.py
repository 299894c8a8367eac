"""Which knobs the tuner's own model says matter: total effects by simulation (a functional analysis of variance).

A knob's total effect is half the mean squared change of the model's mean when that knob alone is drawn anew (Jansen
1999): the variance of the objective that the knob has a part in, alone and in interactions. It is what fANOVA
(Hutter, Hoos and Leyton-Brown 2014) computes of a forest, here of the mixture of Gaussian processes and forest.

The configurations started from are those that were tried, not random ones of the whole space: there the model has
seen something, and there the search goes on.
"""

from __future__ import annotations

import numpy as np

from otterflow.tuner.encoding import Array
from otterflow.tuner.history import History
from otterflow.tuner.model import Model
from otterflow.tuner.search import random_genes

_STARTS = 128


def total_effects(history: History, model: Model, rng: np.random.Generator) -> Array:
    """Each knob's total effect (knobs,), as a share of the variance of the measurements; they may add up to over 1.

    `model` is fitted to `history`. Special values and enum values are drawn with the shares of the search.
    """
    encoder = history.encoder
    tried: Array = history.genotypes[history.ok]
    starts = encoder.snap(tried[rng.integers(len(tried), size=_STARTS)])
    fresh = encoder.snap(random_genes(encoder, rng, _STARTS))
    before = model.standardised(encoder.features(starts))[0]
    effects = np.empty(len(encoder.knobs))
    for j in range(len(encoder.knobs)):
        moved = starts.copy()
        moved[:, j] = fresh[:, j]
        after = model.standardised(encoder.features(moved))[0]
        effects[j] = 0.5 * np.mean((after - before) ** 2)
    return effects
