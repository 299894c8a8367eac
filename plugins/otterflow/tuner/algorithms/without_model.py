"""Suggestions that no model has a say in: at random, and from one space-filling design. Both are for comparison.

They are also the honest choice where the trials are to be data for somebody else, rather than a way to the best.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import qmc

from otterflow.knobs.space import Config
from otterflow.tuner.encoding import Array, Encoder
from otterflow.tuner.search import random_genes
from otterflow.tuner.trial import Suggestion
from otterflow.tuner.turn import Turn

_DRAWS = 50
_USUAL_BUDGET = 40
_MOST_DESIGNS = 30
_SPECIAL_SHARE = 0.2
"""Of a knob's points that lie on its special values, as in the search."""


def at_random(turn: Turn) -> Suggestion:
    """Anywhere in the space; not where the trials so far say that the server is more likely than not to crash."""
    encoder = turn.encoder
    drawn = [turn.options.repaired(encoder.config(g)) for g in encoder.snap(random_genes(encoder, turn.rng, _DRAWS))]
    genotypes = encoder.genotypes(drawn)
    survives = turn.crashes.probability(encoder.features(genotypes)) <= 0.5
    new = [not turn.tried.has(g) for g in genotypes]
    order = sorted(range(_DRAWS), key=lambda i: (not new[i], not survives[i], i))
    return _suggestion(turn, genotypes[order[0]], drawn[order[0]], "random: anywhere in the space")


def from_latin_hypercube(turn: Turn) -> Suggestion:
    """The next point of a Latin hypercube of as many points as the budget has trials, fixed by the seed.

    A point that was tried already, or that repairs to one, is passed over. When the design is used up, another follows.
    """
    encoder, options = turn.encoder, turn.options
    size = max(1, (options.budget or _USUAL_BUDGET) - 1 - (options.rules is not None))
    config: Config = {}
    genotype = np.zeros(0)
    for block in range(_MOST_DESIGNS):
        for number, point in enumerate(latin_hypercube(encoder, size, options.seed + block), start=1):
            config = options.repaired(encoder.config(point))
            genotype = encoder.genotype(config)
            if not turn.tried.has(genotype):
                idea = f"lhs: point {number} of a Latin hypercube of {size}"
                return _suggestion(turn, genotype, config, idea)
    return _suggestion(turn, genotype, config, "lhs: nothing new was found; the space is small")


def latin_hypercube(encoder: Encoder, size: int, seed: int) -> Array:
    """Genotypes (size, knobs): each knob's values spread evenly, a share of them its special values."""
    n_knobs = len(encoder.knobs)
    unit = qmc.LatinHypercube(n_knobs, rng=np.random.default_rng(seed)).random(size)
    special = encoder.numeric & (encoder.choices > 0)
    share = np.where(special, _SPECIAL_SHARE, 0.0)
    of_specials = np.floor(unit / np.maximum(share, 1e-12) * encoder.choices).clip(
        0, np.maximum(encoder.choices - 1, 0)
    )
    number = np.where(special & (unit < share), -1.0 - of_specials, (unit - share) / (1.0 - share))
    return np.asarray(encoder.snap(np.where(encoder.numeric, number, np.floor(unit * encoder.choices))))


def _suggestion(turn: Turn, genotype: Array, config: Config, idea: str) -> Suggestion:
    return Suggestion(config, kind="design", crash_probability=turn.crash_probability(genotype), reasons={"idea": idea})
