"""Which knobs the tuner's own model says matter: total effects by simulation (a functional analysis of variance).

A knob's total effect is half the mean squared change of the model's mean when that knob alone is drawn anew (Jansen
1999): the variance of the objective that the knob has a part in, alone and in interactions. It is what fANOVA
(Hutter, Hoos and Leyton-Brown 2014) computes of a forest, here of the mixture of Gaussian processes and forest.

The configurations started from are those that were tried, not random ones of the whole space: there the model has
seen something, and there the search goes on.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from otterflow.tuner.encoding import Array
from otterflow.tuner.history import History
from otterflow.tuner.search import random_genes

_STARTS = 128
_AT_ONCE = 16
"""Knobs whose moves are predicted in one go."""


class Surrogate(Protocol):
    """Any model of the objective."""

    def predict(self, features: Array) -> tuple[Array, Array]:
        """Mean and standard deviation at features (m, columns)."""


def total_effects(history: History, model: Surrogate, rng: np.random.Generator) -> Array:
    """Each knob's total effect (knobs,), as a share of the variance of the measurements; they may add up to over 1.

    `model` is fitted to `history`, which has one measured configuration at least. Special values and enum values are
    drawn with the shares of the search.
    """
    encoder = history.encoder
    tried: Array = history.genotypes[history.ok]
    starts = encoder.snap(tried[rng.integers(len(tried), size=_STARTS)])
    fresh = encoder.snap(random_genes(encoder, rng, _STARTS))
    variance = float(history.means[history.ok].var()) or 1.0
    before = model.predict(encoder.features(starts))[0]
    effects: list[Array] = []
    for group in np.array_split(np.arange(len(encoder.knobs)), -(-len(encoder.knobs) // _AT_ONCE)):
        moved = np.repeat(starts[None], len(group), axis=0)
        moved[np.arange(len(group)), :, group] = fresh[:, group].T
        after = model.predict(encoder.features(moved.reshape(-1, starts.shape[1])))[0]
        effects.append(0.5 / variance * np.mean((after.reshape(len(group), -1) - before) ** 2, axis=1))
    return np.concatenate(effects)
