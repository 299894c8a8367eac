"""A random forest over configurations: the model for steps, cliffs and switches, where a smooth process is wrong.

As in SMAC (Hutter, Hoos and Leyton-Brown 2011): the mean over the trees, and their disagreement as the uncertainty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.tree import DecisionTreeRegressor

from otterflow.tuner.encoding import Array

_TREES = 60
_MIN_VARIANCE = 1e-4
"""Trees that agree are not certain: the least variance of a prediction, of targets of variance 1."""


@dataclass(frozen=True)
class Forest:
    """A fitted forest; predicts in the units of its targets."""

    trees: Sequence[DecisionTreeRegressor]

    def predict(self, features: Array) -> tuple[Array, Array]:
        """Mean and standard deviation at features (m, columns): two arrays (m,)."""
        narrow = np.ascontiguousarray(features, dtype=np.float32)
        votes = np.array([tree.tree_.predict(narrow)[:, 0] for tree in self.trees])
        return votes.mean(axis=0), np.sqrt(votes.var(axis=0) + _MIN_VARIANCE)


def fit_forest(features: Array, targets: Array, repeats: Array, seed: int) -> Forest:
    """Grow a forest on `features` (n, columns) and standardised `targets` (n,), each the mean of `repeats` (n,)."""
    forest = RandomForestRegressor(_TREES, max_features=5 / 6, min_samples_split=3, random_state=seed)
    forest.fit(features, targets, sample_weight=repeats)
    return Forest(forest.estimators_)
