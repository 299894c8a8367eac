"""Climbing on the acquisition over mixed knobs, from several starts at once.

A step offers each start its neighbours: one knob moved near by or anywhere (another value of an enum, a special value)
or a few knobs moved at once. The best neighbour is taken while it is better; then the steps get shorter.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from otterflow.tuner.encoding import Array, Encoder
from otterflow.tuner.search import children

_NEIGHBOURS = 60
_SIZES = (0.2, 0.1, 0.05, 0.025)
_STEPS = 4


def climbed(encoder: Encoder, worth: Callable[[Array], Array], starts: Array, rng: np.random.Generator) -> Array:
    """The tops reached from `starts` (k, knobs), and the starts themselves: (2 k, knobs)."""
    tops, heights = starts.copy(), worth(starts)
    n_knobs = starts.shape[1]
    for size in _SIZES:
        for _ in range(_STEPS):
            parents = np.repeat(tops, _NEIGHBOURS, axis=0)
            share = rng.choice([0.5 / n_knobs, 2.0 / n_knobs], size=(len(parents), 1))
            near = np.full((len(parents), 1), 0.8)
            offered = children(encoder, rng, parents, share, near, np.full((len(parents), 1), size))
            values = worth(offered).reshape(len(tops), _NEIGHBOURS)
            best = values.argmax(axis=1)
            better = values.max(axis=1) > heights
            tops[better] = offered.reshape(len(tops), _NEIGHBOURS, n_knobs)[np.arange(len(tops)), best][better]
            heights = np.maximum(heights, values.max(axis=1))
    return np.concatenate([tops, starts])
