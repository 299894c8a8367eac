"""How much is still to be gained: the distribution of what the best configuration has over the incumbent.

Functions that agree with the trials are drawn from the processes, each is maximised over many candidates (children of
the good trials and points from the whole space, unlikely crashes and broken constraints only), and the gains over the
same function's value at the incumbent are the distribution (Wilson 2024, probabilistic regret bounds). From it come the
expected gain and the probability of more than x; an experiment may end when that is small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from otterflow.knobs.space import KnobSpace
from otterflow.tuner.crashes import fit_crashes
from otterflow.tuner.encoding import Array
from otterflow.tuner.feasibility import fit_feasibility
from otterflow.tuner.history import History, pool
from otterflow.tuner.search import children, random_genes
from otterflow.tuner.surrogate import GaussianProcess, fit_ensemble
from otterflow.tuner.trial import Trial, check_trials

LEAST_MEASURED = 6
"""Distinct measured configurations below which nothing is said."""
_FROM_TRIALS, _ANYWHERE, _KEPT = 600, 300, 200
_DRAWS = 25
_CRASH_LIMIT, _HOLDS_LEAST = 0.25, 0.5
_BEST = 6
_JITTER = 1e-8


@dataclass(frozen=True)
class Outlook:
    """Gains still to be had, one for each function drawn, on the scale of the trials' values."""

    gains: Array
    """Sorted (draws,)."""
    incumbent: float
    """The processes' mean at the best configuration that keeps the constraints."""


def outlook(space: KnobSpace, trials: Sequence[Trial], *, seed: int = 0) -> Outlook | None:
    """What the trials so far leave to be hoped for; None as long as they are too few to say.

    The same arguments give the same answer. Raises InvalidInput for trials that cannot be learned from.
    """
    check_trials(space, trials)
    history = pool(space, trials).telling()
    if (history.ok & history.feasible).sum() < LEAST_MEASURED:
        return None
    rng = np.random.default_rng([seed, len(trials), 2])
    with threadpool_limits(1):
        return _outlook(history, rng)


def _outlook(history: History, rng: np.random.Generator) -> Outlook:
    ok = history.ok
    values: Array = history.means[ok]
    centre, spread = float(values.mean()), float(values.std()) or 1.0
    features, targets = history.features[ok], (values - centre) / spread
    process = fit_ensemble(features, history.encoder.knob_of_column, targets, history.repeats[ok], rng)
    at_trials = np.mean([member.predict(features)[0] for member in process.members], axis=0)
    best = np.argmax(np.where(history.feasible[ok], at_trials, -np.inf))
    offered = candidates(history, history.genotypes[ok][np.argsort(-at_trials, kind="stable")[:_BEST]], rng)
    gains = [_gains_of(member, features[best], offered, rng) for member in process.members]
    return Outlook(spread * np.sort(np.concatenate(gains)), centre + spread * float(at_trials[best]))


def candidates(history: History, parents: Array, rng: np.random.Generator) -> Array:
    """Features (m, columns) of configurations that may be better: children of the best, and anything."""
    encoder = history.encoder
    shape = (_FROM_TRIALS, 1)
    share, near, step = (rng.choice(o, size=shape) for o in ((0.1, 0.35, 0.5), (0.0, 0.5, 0.9), (0.05, 0.15)))
    born = children(encoder, rng, parents[rng.integers(len(parents), size=_FROM_TRIALS)], share, near, step)
    features = encoder.features(np.concatenate([born, encoder.snap(random_genes(encoder, rng, _ANYWHERE))]))
    survives = fit_crashes(history, rng).probability(features) <= _CRASH_LIMIT
    holds = fit_feasibility(history, rng).probability(features) >= _HOLDS_LEAST
    return np.asarray(features[survives & holds])


def _gains_of(member: GaussianProcess, incumbent: Array, offered: Array, rng: np.random.Generator) -> Array:
    """Draw functions of one process at the most hopeful candidates and at the incumbent (draws,)."""
    if not len(offered):
        return np.zeros(_DRAWS)
    mean, std = member.predict(offered)
    kept = offered[np.argsort(-(mean + 2.0 * std), kind="stable")[:_KEPT]]
    mean, covariance = member.joint(np.concatenate([incumbent[None], kept]))
    values, vectors = np.linalg.eigh(covariance + _JITTER * np.eye(len(mean)))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    drawn = mean[:, None] + root @ rng.standard_normal((len(mean), _DRAWS))
    return np.asarray(np.maximum(drawn[1:].max(axis=0) - drawn[0], 0.0))
