"""Finding the configuration that is worth most, over mixed knobs: local search from the best trials.

Candidates are the best configurations so far with a few knobs moved, crossings of two of them, and some from the whole
range; then rounds of small moves around the best candidates. Few knobs move at once: that is where a model of few
trials is right, and what a DBA can read.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from otterflow.tuner.encoding import Array, Encoder

Worth = Callable[[Array], Array]

_STEPS = np.array([0.02, 0.07, 0.2])
_SPECIAL_SHARE = 0.2
"""How often a moved knob goes to one of its special values (LlamaTune's biasing, Kanellis et al. 2022)."""


def random_genes(encoder: Encoder, rng: np.random.Generator, n: int) -> Array:
    """Genotypes (n, knobs) from the whole space, special values with their share."""
    shape = (n, len(encoder.knobs))
    uniform = rng.random(shape)
    choice = np.floor(rng.random(shape) * np.maximum(encoder.choices, 1))
    special = (rng.random(shape) < _SPECIAL_SHARE) & (encoder.choices > 0)
    number = np.where(special, -1.0 - choice, uniform)
    return np.where(encoder.numeric, number, choice)


def mutate(encoder: Encoder, rng: np.random.Generator, parents: Array, chance: Array, step: Array) -> Array:
    """Copies of `parents` (n, knobs) with each knob moved by `chance` (knobs,) or (n, knobs), and at least one.

    A number in its range moves by a normal step of size `step` (n, 1), or half the time anywhere; others anywhere.
    """
    moved = rng.random(parents.shape) < chance
    none = ~moved.any(axis=1)
    if none.any():
        odds = np.broadcast_to(chance, parents.shape)[none]
        odds = (odds / odds.sum(axis=1, keepdims=True)).cumsum(axis=1)
        pick = (rng.random((len(odds), 1)) > odds).sum(axis=1).clip(max=parents.shape[1] - 1)
        moved[np.flatnonzero(none), pick] = True
    fresh = random_genes(encoder, rng, len(parents))
    near = np.clip(parents + step * rng.standard_normal(parents.shape), 0.0, 1.0)
    local = encoder.numeric & (parents >= 0) & (rng.random(parents.shape) < 0.6)
    return np.where(moved, np.where(local, near, fresh), parents)


def maximise(
    encoder: Encoder,
    worth: Worth,
    starts: Array,
    relevance: Array,
    rng: np.random.Generator,
    *,
    first: int = 1500,
    rounds: int = 8,
    each: int = 300,
    keep: int = 8,
) -> tuple[Array, Array]:
    """The best genotypes found (keep, knobs) and their worth, best first.

    `starts` (k, knobs) are the best trials, best first; `relevance` (knobs,) says which knobs to move more often.
    """
    n_knobs = starts.shape[1]
    odds = relevance / relevance.sum()
    chance = np.clip(2.0 * (0.5 * odds + 0.5 / n_knobs), 0.0, 0.8)
    parents = starts[np.minimum(rng.geometric(0.35, first) - 1, len(starts) - 1)]
    mates = starts[rng.integers(len(starts), size=first)]
    crossed = np.where((rng.random((first, 1)) < 0.3) & (rng.random(parents.shape) < 0.4), mates, parents)
    amount = rng.choice([0.5, 1.0, 2.0, 4.0], size=(first, 1))
    pool = mutate(encoder, rng, crossed, np.clip(chance * amount, 0.0, 0.9), rng.choice(_STEPS, size=(first, 1)))
    pool = encoder.snap(np.concatenate([pool, random_genes(encoder, rng, first // 5)]))
    values = worth(pool)
    top = _best(values, keep)
    pool, values = pool[top], values[top]
    for _ in range(rounds):
        parents = pool[rng.integers(len(pool), size=each)]
        amount = rng.choice([0.5, 1.0], size=(each, 1))
        steps = rng.choice(_STEPS, size=(each, 1))
        children = mutate(encoder, rng, parents, np.clip(chance * amount, 0.0, 0.9), steps)
        back = (rng.random((each, 1)) < 0.3) & (rng.random(children.shape) < 2.0 / n_knobs)
        children = encoder.snap(np.where(back, starts[0], children))
        pool, values = np.concatenate([pool, children]), np.concatenate([values, worth(children)])
        top = _best(values, keep)
        pool, values = pool[top], values[top]
    return pool, values


def _best(values: Array, keep: int) -> NDArray[np.intp]:
    return np.argsort(-values, kind="stable")[:keep]
