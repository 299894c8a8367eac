"""Candidates that move only the knobs that matter most, beside those that move any.

OtterTune's paper searched the leading knobs of its ranking and took in more as time went on; its code never did. Here
the ranking is the model's own, with that of other experiments where there is one (`ranking.py`), and the model chooses
between the candidates of both kinds. It is an option and not the default, for it is no gain. Score at 40 trials with
it and without: synthetic60 .49 and .67 (3 seeds), synthetic20 .94 and .92 (2 seeds); at 20 trials .27 and .33, .71 and
.92. Leaving the other knobs out altogether was worst (.16 against .78, one seed of synthetic60). The process's own
relevances do better: they doubt a knob without forgetting it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from otterflow.knobs.space import KnobSpace
from otterflow.tuner.encoding import Array, Encoder
from otterflow.tuner.history import History
from otterflow.tuner.importance import Surrogate
from otterflow.tuner.ranking import Ranking, combine, knobs_for, rank_by
from otterflow.tuner.search import Worth, best_children
from otterflow.tuner.turn import Turn


def leading_knobs(turn: Turn, known: History, model: Surrogate) -> tuple[str, ...]:
    """The knobs to move, the most important first: few, more as trials allow; all where nothing tells them apart."""
    if np.ptp(known.means[known.ok]) == 0.0:
        return turn.space.names
    own = rank_by(known, model, seed=turn.options.seed, lasso=False)
    given = turn.options.ranking
    both: Ranking | None = own if given is None else combine([own, given.for_space(turn.space)])
    return knobs_for(both or own, turn.number)


def children_of_few(
    turn: Turn,
    names: Sequence[str],
    worth: Worth,
    starts: Array,
    *,
    shares: Sequence[float],
    nears: Sequence[float],
    bounds: tuple[Array, Array] | None,
) -> Array:
    """The children worth most that move only the knobs `names` of the best start, best first (k, knobs).

    `starts` (n, knobs) are the best trials, best first; the others lend their values of these knobs. The rest is as
    `search.best_children` has it.
    """
    columns = np.array([j for j, knob in enumerate(turn.encoder.knobs) if knob.name in names])
    few = Encoder(KnobSpace([turn.encoder.knobs[j] for j in columns]))

    def whole(genotypes: Array) -> Array:
        filled = np.repeat(starts[:1], len(genotypes), axis=0)
        filled[:, columns] = genotypes
        return filled

    within = None if bounds is None else (bounds[0][columns], bounds[1][columns])
    found = best_children(
        few, lambda g: worth(whole(g)), starts[:, columns], turn.rng, shares=shares, nears=nears, bounds=within
    )
    return whole(found)
