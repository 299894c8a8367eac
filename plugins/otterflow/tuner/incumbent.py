"""The incumbent: the best configuration so far by the model's mean, not by the luckiest single measurement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from threadpoolctl import threadpool_limits

from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.space import Config, KnobSpace
from otterflow.tuner.encoding import Array
from otterflow.tuner.history import History, pool
from otterflow.tuner.model import fit_model
from otterflow.tuner.trial import Trial, check_trials

MIN_MODEL = 3
"""Distinct measured configurations below which the measurements speak for themselves."""


class Fitted(Protocol):
    """A model as far as the incumbent needs one."""

    @property
    def tried_means(self) -> Array:
        """Its mean at each of the measured configurations (`history.ok`), on any scale."""


@dataclass(frozen=True)
class Incumbent:
    """`index` is the position of the configuration's first ok trial; mean and std are on the trials' scale.

    `std` is None as long as there is no model. `feasible` says that it breaks no constraint: if it does, all did.
    """

    index: int
    config: Config
    mean: float
    std: float | None
    feasible: bool


def incumbent(space: KnobSpace, trials: Sequence[Trial], *, seed: int = 0) -> Incumbent:
    """The best among the measured configurations, repeated measurements of one pooled.

    A configuration that failed more often than it was measured is out, and so is one that breaks a constraint by its
    mean slack; where all do, the incumbent is the one that breaks them least. Raises InvalidInput where no trial was
    ok.
    """
    check_trials(space, trials)
    history = pool(space, trials).telling()
    if not history.ok.any():
        raise InvalidInput(Problem("trials", "none of them is ok", "measure at least the baseline first"))
    model = None
    if history.ok.sum() >= MIN_MODEL:
        with threadpool_limits(1):
            model = fit_model(history, np.random.default_rng([seed, len(trials)]))
    row = incumbent_row(history, model)
    index, feasible = int(history.first_trial[row]), bool(history.feasible[row])
    if model is None:
        return Incumbent(index, dict(trials[index].config), float(history.means[row]), None, feasible)
    mean, std = model.predict(history.features[row : row + 1])
    return Incumbent(index, dict(trials[index].config), float(mean[0]), float(std[0]), feasible)


def incumbent_row(history: History, model: Fitted | None) -> int:
    """The incumbent's row of `history`, by the model's mean or, without a model, by the measured mean."""
    rows = np.flatnonzero(history.ok)
    means = history.means[rows] if model is None else model.tried_means
    feasible = history.feasible[rows]
    if not feasible.any():
        means = np.nan_to_num(history.slacks[rows], nan=-np.inf).min(axis=1)
        return int(rows[np.argmax(means)])
    return int(rows[np.argmax(np.where(feasible, means, -np.inf))])
