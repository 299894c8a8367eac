"""The first trials of an experiment that has others to learn from: what was best there is tried here.

One configuration of the past experiment that is named first, the most alike as far as is known before anything is
measured. If it improves on what was measured here, past experiments are worth a second one: from the experiment that
ranks the trials so far best. If not, nothing more is taken over blindly; the weights of `transfer.py` decide. In mode
`safe` nothing is taken over from a server that nobody here knows: what it survived says little of this one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from otterflow.tuner.incumbent import incumbent_row
from otterflow.tuner.reasons import reasons_for
from otterflow.tuner.transfer import Voice
from otterflow.tuner.trial import Suggestion
from otterflow.tuner.turn import Turn

MOST = 2
"""Trials that are taken from past experiments."""
_OFFERED = 3
"""Of each past experiment's configurations, from the best down."""
_TRUSTED = 0.25
"""The weight of the past from which on no design is needed before its models are asked."""


def warm_start(turn: Turn, first: int) -> Suggestion | None:
    """A past experiment's best configuration in the current space, or None where the past has nothing to offer (yet).

    `first` is how many trials come before (the baseline, the rules). The configuration keeps the best measured values
    for the knobs that the past did not tune. What was tried already is passed over for the next best.
    """
    made = turn.number - first
    if made >= MOST or not turn.voices or (made > 0 and not _improved(turn, first)):
        return None
    encoder, known = turn.encoder, turn.measured
    start = turn.space.baseline()
    if known.ok.any():
        start = encoder.config(known.genotypes[incumbent_row(known, None)])
    for voice in _most_alike_first(turn) if made else turn.voices:
        if voice.model.foreign and turn.options.mode == "safe":
            continue
        for best in voice.model.best_first[:_OFFERED]:
            config = turn.options.repaired(voice.translation.config_here(best, start))
            genotype = encoder.genotype(config)
            if not turn.tried.has(genotype):
                name = voice.model.name
                reasons = reasons_for(
                    f"warm start: the best of experiment {name}, by a model of its trials", encoder, config, start, None
                )
                reasons["past"] = [{"experiment": name}]
                probability = turn.crash_probability(genotype)
                return Suggestion(config, kind="design", crash_probability=probability, reasons=reasons)
    return None


def past_is_trusted(turn: Turn) -> bool:
    """Whether the past models rank the trials so far well enough to be asked before a design is done."""
    return float(turn.chorus.weights.sum()) > _TRUSTED


def _improved(turn: Turn, first: int) -> bool:
    """Whether a trial from `first` on is ahead of all before."""
    values = [-np.inf if t.value is None else t.value for t in turn.trials]
    return max(values[first:], default=-np.inf) > max(values[:first], default=-np.inf)


def _most_alike_first(turn: Turn) -> Sequence[Voice]:
    return [turn.voices[i] for i in np.argsort(-turn.chorus.weights, kind="stable")]
