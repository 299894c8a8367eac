"""Which knobs a sparse polynomial needs first: the Lasso path over linear, quadratic and interaction terms.

OtterTune ranked knobs by the order in which the Lasso takes them in (Van Aken et al. 2017, section 5.1; the path is
that of least angle regression, Efron et al. 2004). What is different here, and why:

- Every column is standardised, so that no knob enters early for its unit. Knobs are on their own scale (logarithmic
  where the knob is), a special value is a column of its own, and an enum has one column a value.
- Quadratic terms are Legendre polynomials: a plain square is almost the linear term again, and the two would share
  one effect. Interactions are products of the linear terms of the knobs that lead without them. Both are taken in
  later than a linear term of equal fit (a heavier penalty): there are far more of them to be fooled by.
- The path is walked on many subsamples and averaged (stability selection, Meinshausen and Buehlmann 2010). A single
  path over a few dozen trials changes its mind with every trial.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import lars_path

from otterflow.tuner.encoding import Array, Encoder
from otterflow.tuner.history import History

MIN_TRIALS = 4
"""Distinct measured configurations below which no path is walked."""
_PATHS = 20
_SUBSAMPLE = 0.9
_STEPS = 60
"""Columns after which a path ends: what enters later is noise, and steps cost time."""
_INTERACTING = 8
"""The leading knobs whose products are looked at."""
_LINEAR, _SQUARE, _PRODUCT = 1.0, 0.7, 0.5
"""The weight of linear, quadratic and interaction columns; a penalty is the inverse of the weight."""
_CONSTANT = 1e-9


@dataclass(frozen=True)
class _Terms:
    """Columns of a polynomial over knobs, not standardised yet."""

    columns: Array
    """(n, terms)."""
    owners: NDArray[np.intp]
    """The one or two knobs that a term is of (terms, 2); the same knob twice where it is of one."""
    weights: Array
    """(terms,)."""

    def and_also(self, other: _Terms) -> _Terms:
        return _Terms(
            np.hstack([self.columns, other.columns]),
            np.vstack([self.owners, other.owners]),
            np.append(self.weights, other.weights),
        )


def lasso_scores(history: History, rng: np.random.Generator) -> Array:
    """How early each knob enters the path (knobs,): 1 is first on every subsample, 0 is never.

    A knob's score is the mean over subsamples of the penalty at which its first term enters, relative to the largest
    penalty that takes in any term. All zeros where there is nothing to learn from: fewer than `MIN_TRIALS` measured
    configurations, or all of one value.
    """
    encoder, ok = history.encoder, history.ok
    targets: Array = history.means[ok]
    if len(targets) < MIN_TRIALS or np.ptp(targets) == 0.0:
        return np.zeros(len(encoder.knobs))
    terms = _terms_of_single_knobs(encoder, history.genotypes[ok])
    alone = _mean_entrance(terms, targets, len(encoder.knobs), rng)
    leading = np.argsort(-alone, kind="stable")[:_INTERACTING]
    terms = terms.and_also(_interactions(terms, leading))
    return _mean_entrance(terms, targets, len(encoder.knobs), rng)


def _terms_of_single_knobs(encoder: Encoder, genotypes: Array) -> _Terms:
    columns: list[Array] = []
    owners: list[tuple[int, int]] = []
    weights: list[float] = []
    for j, knob in enumerate(encoder.knobs):
        gene = genotypes[:, j]
        choices = range(len(knob.special) if knob.is_numeric else len(knob.values))
        if knob.is_numeric:
            position = np.where(gene < 0, 0.0, 2.0 * gene - 1.0)
            bend = np.where(gene < 0, 0.0, 1.5 * position**2 - 0.5)
            columns += [position, bend, *((gene == -1 - s).astype(float) for s in choices)]
            weights += [_LINEAR, _SQUARE, *(_LINEAR for _ in choices)]
        else:
            # One column says all there is to say of two values.
            columns += [(gene == v).astype(float) for v in choices[-1:] if len(choices) == 2]
            columns += [(gene == v).astype(float) for v in choices if len(choices) != 2]
            weights += [_LINEAR] * (len(columns) - len(weights))
        owners += [(j, j)] * (len(columns) - len(owners))
    return _Terms(np.array(columns).T, np.array(owners, dtype=np.intp), np.array(weights))


def _interactions(terms: _Terms, leading: NDArray[np.intp]) -> _Terms:
    """Products of the standardised linear terms of each two of the leading knobs."""
    linear = np.flatnonzero((terms.weights == _LINEAR) & np.isin(terms.owners[:, 0], leading))
    first, second = (linear[side] for side in np.triu_indices(len(linear), 1))
    apart = terms.owners[first, 0] != terms.owners[second, 0]
    first, second = first[apart], second[apart]
    standard, _ = _standardised(terms.columns)
    owners = np.column_stack([terms.owners[first, 0], terms.owners[second, 0]])
    return _Terms(standard[:, first] * standard[:, second], owners, np.full(len(first), _PRODUCT))


def _mean_entrance(terms: _Terms, targets: Array, knobs: int, rng: np.random.Generator) -> Array:
    """Mean over subsamples of the relative penalty at which each knob enters (knobs,)."""
    size = max(MIN_TRIALS, round(_SUBSAMPLE * len(targets)))
    total = np.zeros(knobs)
    for _ in range(_PATHS):
        rows = np.sort(rng.permutation(len(targets))[:size])
        columns, varies = _standardised(terms.columns[rows])
        wanted = targets[rows] - targets[rows].mean()
        if not varies.any() or np.ptp(wanted) == 0.0:
            continue
        entrance = _entrance(columns[:, varies] * terms.weights[varies], wanted)
        score = np.zeros(knobs)
        for side in range(2):
            np.maximum.at(score, terms.owners[varies, side], entrance)
        total += score
    return total / _PATHS


def _entrance(columns: Array, targets: Array) -> Array:
    """The penalty at which each column enters the path, relative to the first one's (terms,); 0 if it never does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it says that the path ended before its last, noisy steps
        penalties, _, path = lars_path(columns, targets, method="lasso", max_iter=_STEPS)
    enters = path != 0.0
    first = np.maximum(enters.argmax(axis=1) - 1, 0)
    return np.asarray(np.where(enters.any(axis=1), penalties[first] / max(penalties[0], _CONSTANT), 0.0))


def _standardised(columns: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Columns with mean 0 and deviation 1 (constant ones all 0), and which of them vary."""
    spread = columns.std(axis=0)
    varies = spread > _CONSTANT
    return (columns - columns.mean(axis=0)) / np.where(varies, spread, 1.0), varies
