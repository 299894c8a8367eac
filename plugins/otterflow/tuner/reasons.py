"""Why a configuration is suggested, as plain JSON for the log and the trial's record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from otterflow.knobs.space import Value
from otterflow.tuner.encoding import Array, Encoder

_SHOWN = 8


class Predictor(Protocol):
    """A model as far as the reasons need one."""

    def predict(self, features: Array) -> tuple[Array, Array]:
        """Mean and standard deviation at features (m, columns), on the scale of the trials' values."""


def reasons_for(
    idea: str, encoder: Encoder, config: Mapping[str, Value], against: Mapping[str, Value], model: Predictor | None
) -> dict[str, Any]:
    """The idea, and the knobs that moved most against a known configuration, those that matter most first.

    `moved` lists {"knob", "from", "to"}; with a model also "gain": what that knob's move alone changes in the
    predicted mean, on the scale of the trials' values.
    """
    start = encoder.genotype(against)
    goal = encoder.genotype(config)
    knobs = np.flatnonzero(start != goal)
    alone = np.repeat(start[None], len(knobs) + 1, axis=0)
    alone[np.arange(len(knobs)), knobs] = goal[knobs]
    if model is None:
        size = np.where((start >= 0) & (goal >= 0) & encoder.numeric, np.abs(goal - start), 1.0)[knobs]
        gains: list[float | None] = [None] * len(knobs)
    else:
        means, _ = model.predict(encoder.features(alone))
        size = np.abs(means[:-1] - means[-1])
        gains = [float(f"{m - means[-1]:.4g}") for m in means[:-1]]
    moved = []
    for i in np.argsort(-size, kind="stable")[:_SHOWN]:
        name = encoder.knobs[knobs[i]].name
        entry: dict[str, Any] = {"knob": name, "from": against[name], "to": config[name]}
        if gains[i] is not None:
            entry["gain"] = gains[i]
        moved.append(entry)
    return {"idea": idea, "knobs_moved": len(knobs), "moved": moved}
