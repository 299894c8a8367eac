"""Other experiments' models under the current one, each with the weight that it earns on the current trials.

A past model is used as a mean function: the current model, whichever it is, learns what the past leaves unexplained (as
stacking does, Golovin et al. 2017, section 3.3). How much of it is used is a ranking-weighted ensemble (RGPE, Feurer,
Letham, Hutter and Bakshy 2018): what carries over from one server or workload to another is seldom a value and often an
order, so a model's loss is the number of pairs of current trials that it puts in the wrong order, each trial predicted
from all the others. Losses are drawn many times from the models' posteriors, and a model's weight is how often its loss
is the smallest. One that is mostly worse than nearly all draws of the current model's is dropped: with few trials its
losses are spread wide and all may speak; with more, those of unlike experiments fall silent.

RGPE as published lets the past model compete alone. Alone it knows nothing of the current trials, loses to the current
model after a dozen of them, and is gone while it would still help. Here it competes together with what the current
trials correct in it. Without a weight nothing of the past is left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from scipy.linalg import cho_solve

from otterflow.tuner.acquisition import expected_improvement
from otterflow.tuner.encoding import Array, Encoder
from otterflow.tuner.history import History
from otterflow.tuner.past import PastModel, Translation
from otterflow.tuner.surrogate import most_probable, process_at

_DRAWS = 128
_LEAST_SHOWN = 0.05
_RIDGE = 0.1
"""Added to a past model's sum of squares when its slope is fitted: a few trials alone do not make a slope."""


class CurrentModel(Protocol):
    """A model of the current experiment's trials alone, as `by_model.ObjectiveModel` has it."""

    @property
    def tried_means(self) -> Array:
        """Standardised mean at the measured configurations."""

    def predict(self, features: Array) -> tuple[Array, Array]:
        """Mean and standard deviation at features (m, columns), on the scale of the trials' values."""

    def expected_improvement(self, features: Array) -> Array:
        """Expected improvement over the best of `tried_means` at features (m, columns), standardised."""


Fit = Callable[[History, np.random.Generator], CurrentModel]


@dataclass(frozen=True)
class Voice:
    """A past model that is asked about configurations of the current space."""

    model: PastModel
    translation: Translation

    @classmethod
    def of(cls, model: PastModel, encoder: Encoder) -> Voice:
        """For the current space that `encoder` encodes."""
        return cls(model, Translation(encoder, model.encoder))

    def mean(self, features: Array) -> Array:
        """Standardised mean (m,) at current features (m, columns)."""
        return self.model.process.predict(self._translated(features))[0]

    def _translated(self, features: Array) -> Array:
        genotypes = self.translation.current.genotypes_of(features)
        return self.model.encoder.features(self.translation.genotypes(genotypes))


@dataclass(frozen=True)
class Chorus:
    """Past models with what each counts: a weight in [0, 1], and a slope from its values to the current trials'."""

    voices: Sequence[Voice]
    weights: Array
    """(voices,); 1 minus their sum is the current model's."""
    slopes: Array
    spread: float
    """Standard deviation of the current trials' values."""

    @property
    def heard(self) -> float:
        """The weight of all past models together."""
        return float(self.weights.sum())

    def mean(self, features: Array) -> Array:
        """What the past says of features (m, columns), up to a constant, on the scale of the current trials' values."""
        said = [w * b * v.mean(features) for v, w, b in zip(self.voices, self.weights, self.slopes, strict=True) if w]
        return np.asarray(np.sum(said, axis=0)) if said else np.zeros(len(features))

    def shares(self) -> list[dict[str, str | float]]:
        """The past experiments that count, the heaviest first, as plain JSON.

        `slope` is by how many deviations the current values are expected to rise with one of the past experiment's.
        """
        rows: list[dict[str, str | float]] = []
        for i in np.argsort(-self.weights, kind="stable"):
            if self.weights[i] >= _LEAST_SHOWN:
                weight, rise = round(float(self.weights[i]), 3), round(float(self.slopes[i]) / self.spread, 3)
                rows.append({"experiment": self.voices[i].model.name, "weight": weight, "slope": rise})
        return rows


def weigh(history: History, voices: Sequence[Voice], rng: np.random.Generator) -> Chorus:
    """Weigh past models by how they rank the measured configurations; where there is nothing to rank, none counts."""
    ok = history.ok
    values: Array = history.means[ok]
    features: Array = history.features[ok]
    spread = float(values.std()) if len(values) else 0.0
    if not voices or spread == 0.0:
        return Chorus(voices, np.zeros(len(voices)), np.zeros(len(voices)), 1.0)
    targets: Array = (values - values.mean()) / spread

    def loss_over(mean: Array) -> Array:
        rest = _left_out_draws(features, history.encoder, targets - mean, history.repeats[ok], rng)
        return losses(rest + mean, targets)

    current = loss_over(np.zeros(len(targets)))
    past, slopes = np.full((len(voices), _DRAWS), np.inf), np.zeros(len(voices))
    for i, voice in enumerate(voices):
        said = voice.mean(features)
        slopes[i] = slope(said, targets)
        if slopes[i] > 0:
            past[i] = loss_over(slopes[i] * said)
    return Chorus(voices, ensemble_weights(past, current), spread * slopes, spread)


def losses(predicted: Array, values: Array) -> Array:
    """Pairs of `values` (n,) in the wrong order (draws,), each predicted (draws, n) and set against the other.

    A pair counts twice: the one's prediction against the other's value, and the other way round.
    """
    below = predicted[:, :, None] < values
    return np.asarray((below != (values[:, None] < values)).sum(axis=(1, 2)))


def ensemble_weights(past: Array, current: Array) -> Array:
    """Weights (k,) of past models from their losses (k, draws) and the current model's (draws,).

    How often each has the smallest loss. The current model wins a tie, and past models share one.
    """
    dropped = np.median(past, axis=1) > np.quantile(current, 0.95)
    rivals = np.vstack([np.where(dropped[:, None], np.inf, past), current])
    best = rivals == rivals.min(axis=0)
    best[:-1] &= ~best[-1]
    return np.asarray((best / best.sum(axis=0)).mean(axis=1)[:-1])


def slope(predicted: Array, targets: Array) -> float:
    """By how much the centred targets (n,) rise for each unit of a past model's prediction (n,); 0 where they fall."""
    moved = predicted - predicted.mean()
    return max(0.0, float(moved @ targets) / (float(moved @ moved) + _RIDGE))


def _left_out_draws(
    features: Array, encoder: Encoder, targets: Array, repeats: Array, rng: np.random.Generator
) -> Array:
    """Draws (draws, n) of each target as predicted from all the others (Rasmussen and Williams 2006, section 5.4.2)."""
    told = (features, encoder.knob_of_column, targets, repeats)
    process = process_at(most_probable(*told), *told)
    precision = np.diag(cho_solve((process.factor, True), np.eye(len(targets)), check_finite=False))
    mean, std = targets - process.alpha / precision, 1.0 / np.sqrt(precision)
    return np.asarray(mean + std * rng.standard_normal((_DRAWS, len(targets))))


@dataclass(frozen=True)
class TransferModel:
    """The current model over the past models' mean. It takes the place of the current model."""

    rest: CurrentModel
    """Of what the past leaves unexplained."""
    chorus: Chorus
    centre: float
    spread: float
    tried_means: Array
    """Standardised mean at the measured configurations."""

    def predict(self, features: Array) -> tuple[Array, Array]:
        """Mean and standard deviation at features (m, columns), on the scale of the trials' values."""
        mean, std = self.rest.predict(features)
        return mean + self.chorus.mean(features), std

    def expected_improvement(self, features: Array) -> Array:
        """Expected improvement over the best of `tried_means` at features (m, columns), standardised."""
        mean, std = self.predict(features)
        return expected_improvement((mean - self.centre) / self.spread, std / self.spread, self.tried_means.max())


def with_past(fit: Fit, voices: Sequence[Voice]) -> Fit:
    """`fit`, helped by past models; the very same where there are none, or where none has earned a weight."""

    def fit_helped(history: History, rng: np.random.Generator) -> CurrentModel:
        chorus = weigh(history, voices, np.random.default_rng(rng.integers(2**31)))
        if not chorus.heard:
            return fit(history, rng)
        features, values = history.features[history.ok], history.means[history.ok]
        rest = fit(replace(history, means=history.means - chorus.mean(history.features)), rng)
        centre, spread = float(values.mean()), float(values.std())
        tried = rest.predict(features)[0] + chorus.mean(features)
        return TransferModel(rest, chorus, centre, spread, (tried - centre) / spread)

    return fit_helped if voices else fit
