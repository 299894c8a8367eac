"""A random forest over configurations: the model for steps, cliffs and switches, where a smooth process is wrong.

As in SMAC (Hutter, Hoos and Leyton-Brown 2011): the mean over the trees, and their disagreement as the uncertainty.
The trees are grown here one by one, and not by scikit-learn's forest, whose checks take longer than so few trials do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn import config_context
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
    """Grow a forest on `features` (n, columns) and standardised `targets` (n,), each the mean of `repeats` (n,).

    Each tree sees a bootstrap sample, and a random five sixths of the columns at each split.
    """
    rng = np.random.default_rng(seed)
    narrow = np.ascontiguousarray(features, dtype=np.float32)
    n = len(targets)
    trees = []
    with config_context(assume_finite=True, skip_parameter_validation=True):
        for _ in range(_TREES):
            weight = repeats * np.bincount(rng.integers(n, size=n), minlength=n)
            tree = DecisionTreeRegressor(max_features=5 / 6, min_samples_split=3, random_state=int(rng.integers(2**31)))
            trees.append(tree.fit(narrow, targets, sample_weight=weight, check_input=False))
    return Forest(trees)
