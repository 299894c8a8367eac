"""The default: several ideas take turns, because none of them is right about every server.

An idea is a model of the objective, and how far its candidates climb on it. The models differ in what they believe
before they have seen anything: a smooth function of any number of knobs, or a sum of functions of one knob each, of
which few matter; and in how sure they are: averaged over what the trials leave open, or the one most probable process
alone. Each round goes through all ideas, in an order of its own. What one finds the next one starts from, and all learn
from every trial. An idea that is stuck, because it cannot imagine what is to be found, is stuck for one trial.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from otterflow.tuner.algorithms.by_model import ByModel
from otterflow.tuner.model import fit_model, fit_sharp, fit_sums
from otterflow.tuner.options import Mode
from otterflow.tuner.trial import Suggestion
from otterflow.tuner.turn import Turn

IDEAS = (
    ByModel(fit_model, "expected improvement by processes and forest, polished", polish=True),
    ByModel(fit_sums, "expected improvement by additive processes and forest, polished", polish=True),
    ByModel(fit_model, "expected improvement by processes and forest, climbed", climb=True),
    ByModel(fit_sharp, "expected improvement by the most probable process, climbed", climb=True),
)
CAUTIOUS = (
    ByModel(fit_model, "expected improvement by processes and forest"),
    ByModel(fit_sums, "expected improvement by additive processes and forest"),
)
"""For mode safe, and for a server that a configuration has crashed, it or one that is alike: of the trials of those who
neither polish nor climb 3 % crashed, of those who polish 5 to 9 %, of those who climb 9 to 20 % (with sparse processes
in the place of the additive ones)."""


def idea_of(mode: Mode, seed: int, number: int, crashed: bool = False) -> ByModel:
    """Whose turn it is after `number` trials; whether a configuration `crashed` this server, or one that is alike."""
    ideas: Sequence[ByModel] = CAUTIOUS if mode == "safe" or crashed else IDEAS
    round_, place = divmod(number, len(ideas))
    order = np.random.default_rng([seed, round_, len(ideas)]).permutation(len(ideas))
    return ideas[int(order[place])]


def in_turns(turn: Turn) -> Suggestion:
    """What the idea whose turn it is would try next. There must be two measured configurations at least."""
    return idea_of(turn.options.mode, turn.options.seed, turn.number, turn.crashed)(turn)
