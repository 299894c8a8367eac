"""Finding the configuration that is worth most, over mixed knobs: the best of many children of the best trials.

A child keeps its parent's values but for a share of the knobs, from a tenth to most of them. Moving many knobs at once
tests many in one trial, and moves of knobs without effect cost nothing. `polished` climbs on from there, a little.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from otterflow.tuner.encoding import Array, Encoder

Worth = Callable[[Array], Array]

POOL = 300
"""Children of which the best are taken."""
_CROSSED = 0.2
NEARS = (0.0, 0.5)
"""How often a moved number moves near by: never, or half the time."""
_STEPS = (0.05, 0.15)
_ROUNDS, _OFFSPRING = 12, 10
_FINE_STEPS = (0.02, 0.05, 0.15)
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


def children(
    encoder: Encoder, rng: np.random.Generator, parents: Array, share: Array, near: Array, step: Array
) -> Array:
    """Copies of `parents` (n, knobs) with about a `share` (n, 1) of their knobs moved, and at least one.

    A number in its range moves by a normal step of size `step` (n, 1) with chance `near` (n, 1), or else anywhere;
    enums and special values move anywhere.
    """
    moved = rng.random(parents.shape) < share
    moved[np.arange(len(parents)), rng.integers(parents.shape[1], size=len(parents))] = True
    close = np.clip(parents + step * rng.standard_normal(parents.shape), 0.0, 1.0)
    stays_close = encoder.numeric & (parents >= 0) & (rng.random(parents.shape) < near)
    fresh = random_genes(encoder, rng, len(parents))
    return encoder.snap(np.where(moved, np.where(stays_close, close, fresh), parents))


def best_children(
    encoder: Encoder,
    worth: Worth,
    starts: Array,
    rng: np.random.Generator,
    *,
    shares: Sequence[float],
    nears: Sequence[float] = NEARS,
    keep: int = 8,
    bounds: tuple[Array, Array] | None = None,
) -> Array:
    """The `keep` children worth most, best first (keep, knobs).

    `starts` (k, knobs) are the best trials, best first: the first is a parent half the time, the second a quarter, and
    so on. Some children come of two parents. Numbers stay within `bounds`, if any: two arrays (knobs,).
    """
    parents = starts[np.minimum(rng.geometric(0.5, POOL) - 1, len(starts) - 1)]
    mates = starts[rng.integers(len(starts), size=POOL)]
    crossed = (rng.random((POOL, 1)) < _CROSSED) & (rng.random(parents.shape) < 0.5)
    share, near, step = (rng.choice(options, size=(POOL, 1)) for options in (shares, nears, _STEPS))
    pool = children(encoder, rng, np.where(crossed, mates, parents), share, near, step)
    if bounds is not None:
        pool = encoder.snap(np.where(encoder.numeric & (pool >= 0), np.clip(pool, *bounds), pool))
    return np.asarray(pool[np.argsort(-worth(pool), kind="stable")[:keep]])


def polished(encoder: Encoder, worth: Worth, found: Array, rng: np.random.Generator, near: float) -> Array:
    """`found` (k, knobs) after a few rounds of children that move a knob or two: as many configurations, best first.

    A number moves `near` by that often, or else anywhere. A mild climb: a longer one follows the model up its own
    mistakes, and into crashes (docs/measurements/tuner.md).
    """
    tops, heights = found, worth(found)
    for _ in range(_ROUNDS):
        parents = np.repeat(tops, _OFFSPRING, axis=0)
        one = np.ones((len(parents), 1))
        step = rng.choice(_FINE_STEPS, size=one.shape)
        offered = children(encoder, rng, parents, one / parents.shape[1], near * one, step)
        both, values = np.concatenate([tops, offered]), np.concatenate([heights, worth(offered)])
        best = np.argsort(-values, kind="stable")[: len(found)]
        tops, heights = both[best], values[best]
    return tops
