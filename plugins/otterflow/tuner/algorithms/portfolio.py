"""The default: several ideas take turns, because none of them is right about every server.

An idea is a model of the objective, and how its candidates are made. Each round goes through all of them, in an order
of its own. What one idea finds the next one starts from, and all learn from every trial. Where the objective is smooth
the processes find most, where it is steps the forest does, and which of the two it is cannot be told from forty trials:
the process predicts left-out trials better everywhere, also where following the forest would find more.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from otterflow.tuner.algorithms.by_model import FAR, NEAR, ByModel
from otterflow.tuner.model import fit_model, fit_processes, fit_trees
from otterflow.tuner.options import Mode
from otterflow.tuner.trial import Suggestion
from otterflow.tuner.turn import Turn

IDEAS = (
    ByModel(fit_model, "expected improvement by processes and forest"),
    ByModel(fit_model, "expected improvement by processes and forest, polished", polish=True),
    ByModel(fit_processes, "expected improvement by the processes"),
    ByModel(fit_processes, "expected improvement by the processes, polished", polish=True),
    ByModel(fit_trees, "expected improvement by the forest"),
    ByModel(fit_model, "expected improvement near the best trials, few knobs moved", shares=NEAR),
    ByModel(fit_model, "expected improvement far from the best trials, most knobs moved", shares=FAR),
    ByModel(fit_model, "upper confidence bound by processes and forest, polished", polish=True, bold=True),
)


CAUTIOUS = tuple(idea for idea in IDEAS if not (idea.polish or idea.bold))
"""For mode safe: who climbs on a model climbs into crashes, three times as often as who does not."""


def idea_of(mode: Mode, seed: int, number: int) -> ByModel:
    """Whose turn it is after `number` trials."""
    ideas: Sequence[ByModel] = CAUTIOUS if mode == "safe" else IDEAS
    round_, place = divmod(number, len(ideas))
    order = np.random.default_rng([seed, round_, len(ideas)]).permutation(len(ideas))
    return ideas[int(order[place])]


def in_turns(turn: Turn) -> Suggestion:
    """What the idea whose turn it is would try next. There must be two measured configurations at least."""
    return idea_of(turn.options.mode, turn.options.seed, turn.number)(turn)
