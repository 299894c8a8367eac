"""Trials of other experiments beside the current ones, each experiment with the weight that it earns here.

Weights are those of a ranking-weighted ensemble (RGPE, Feurer, Letham, Hutter and Bakshy 2018). What carries over from
one server or workload to another is seldom a value and often an order, so a model's loss is the number of pairs of
current trials that it puts in the wrong order, each trial predicted from all the others. Losses are drawn many times
from the models' posteriors, and a model's weight is how often its loss is the smallest. One that is mostly worse than
nearly all draws of the current model's is dropped: with few trials its losses are spread wide and all may speak; with
more, those of unlike experiments fall silent.

RGPE as published lets a past model compete alone. Alone it knows nothing of the current trials, loses to the current
model after a dozen of them, and is gone while it would still help. Here it competes together with what the current
trials correct in it. The weight is taken times how surely its values rise with the current ones at all.

What is used of an experiment that has a weight are its trials, as OtterTune used those of the workload it had mapped:
they join the current ones, on their scale, each worth a fraction of a measurement. One model then knows what is not
known, which a past model used as a mean function does not: it finds nothing left to learn, and the search stands still.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve

from otterflow.knobs.space import Config
from otterflow.tuner.encoding import Array, Encoder
from otterflow.tuner.history import History
from otterflow.tuner.past import PastModel, Translation
from otterflow.tuner.surrogate import most_probable, process_at

_DRAWS = 128
_LEAST_HEARD = 0.05
"""A weight below this is none."""
_ROWS = 40
"""Past trials that join the current ones: a process takes time with the cube of all."""
_WORTH = 0.3
"""What a past trial counts at a weight of 1, in measurements: its noise is that much larger."""
_RIDGE = 0.1
"""Added to a past model's sum of squares when its slope is fitted: a few trials alone do not make a slope."""


class CurrentModel(Protocol):
    """A model of trials, as `by_model.ObjectiveModel` has it; a dataclass."""

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
    """Past models with what each counts: a weight in [0, 1], and a line from its values to the current trials'."""

    voices: Sequence[Voice]
    weights: Array
    """(voices,)"""
    slopes: Array
    """By how many deviations the current values rise with one of the past experiment's (voices,)."""
    centre: float
    spread: float
    """Mean and standard deviation of the current trials' values."""

    @property
    def heard(self) -> bool:
        """Whether any past model counts."""
        return bool(self._heard())

    def shares(self) -> list[dict[str, str | float]]:
        """The past experiments that count, the heaviest first, as plain JSON."""
        return [
            {
                "experiment": self.voices[i].model.name,
                "weight": round(float(self.weights[i]), 3),
                "slope": round(float(self.slopes[i]), 3),
            }
            for i in sorted(self._heard(), key=lambda i: -self.weights[i])
        ]

    def joined(self, history: History) -> tuple[History, int]:
        """`history` behind rows of the past experiments that count, and how many those are.

        An experiment gives rows by its weight, from its best configuration to its worst in even steps.
        """
        ok = np.flatnonzero(history.ok)
        genotypes, means, repeats = [], [], []
        for i in self._heard():
            rows = self._share_of(i, len(self.voices[i].model.tried))
            here, values = self._rows(history, ok, i, rows)
            genotypes.append(here)
            means.append(values)
            repeats.append(np.full(len(rows), _WORTH * self.weights[i]))
        n_rows = sum(map(len, means))
        past = np.vstack(genotypes), np.concatenate(means), np.concatenate(repeats), np.zeros(n_rows)
        return history.behind(*past), n_rows

    def with_crashes(self, history: History, start: Config) -> History | None:
        """`history` behind what crashed and survived in the past experiments that count; None where nothing crashed.

        For the crash model alone. A knob that one of them did not tune stands as in `start`; what is not the very same
        configuration here is left out, and what was tried here is told by the trial here.
        """
        labels: dict[tuple[float, ...], float] = {}
        for i in self._heard():
            voice = self.voices[i]
            for configs, faults in ((voice.model.tried, 0.0), (voice.model.crashed, 1.0)):
                for r in self._share_of(i, len(configs)):
                    if (config := voice.translation.as_it_was(configs[r], start)) is None:
                        continue
                    gene = history.encoder.genotype(config)
                    if not history.has(gene):
                        labels[tuple(gene)] = max(faults, labels.get(tuple(gene), 0.0))
        if not any(labels.values()):
            return None
        unmeasured = np.full(len(labels), np.nan), np.zeros(len(labels))
        return history.telling().behind(np.array(list(labels)), *unmeasured, np.array(list(labels.values())))

    def _heard(self) -> list[int]:
        return [int(i) for i in np.flatnonzero(self.weights >= _LEAST_HEARD)]

    def _share_of(self, i: int, n: int) -> NDArray[np.intp]:
        """Which of `n` rows past experiment `i` gives: by its weight, in even steps from first to last."""
        share = self.weights[i] / self.weights[self._heard()].sum()
        rows = min(n, max(1, round(share * _ROWS)))
        return np.unique(np.linspace(0, n - 1, rows).round().astype(int))

    def _rows(self, history: History, ok: NDArray[np.intp], i: int, rows: NDArray[np.intp]) -> tuple[Array, Array]:
        """Genotypes and values of past experiment `i`'s trials `rows`, as trials of the current space.

        Where it tuned all of today's knobs, its values are set on the level of all current trials. Where it did not,
        each row takes the missing knobs from one of the current trials, and its value tells the difference from that.
        What it measured counts, or, where it tuned knobs that stand still today, what its model says without them.
        """
        voice, encoder = self.voices[i], history.encoder
        shared = len(voice.translation.shared)
        said = voice.mean(history.features[ok])
        beside = np.arange(len(rows)) % len(ok)
        others = [encoder.config(g) for g in history.genotypes[ok]]
        tried = [
            voice.translation.config_here(voice.model.tried[r], others[j]) for r, j in zip(rows, beside, strict=True)
        ]
        here = encoder.genotypes(tried)
        if shared == len(voice.model.encoder.knobs):
            values = voice.model.values[rows]
        else:
            values = voice.mean(encoder.features(here))
        if shared == len(encoder.knobs):
            start, level = np.full(len(rows), self.centre), np.full(len(rows), said.mean())
        else:
            start, level = history.means[ok][beside], said[beside]
        return here, start + self.spread * self.slopes[i] * (values - level)


def weigh(history: History, voices: Sequence[Voice], rng: np.random.Generator) -> Chorus:
    """Weigh past models by how they rank the measured configurations; where there is nothing to rank, none counts."""
    ok = history.ok
    values: Array = history.means[ok]
    features: Array = history.features[ok]
    centre, spread = (float(values.mean()), float(values.std())) if len(values) else (0.0, 0.0)
    if not voices or spread == 0.0:
        return Chorus(voices, np.zeros(len(voices)), np.zeros(len(voices)), centre, 1.0)
    targets: Array = (values - centre) / spread

    def loss_over(mean: Array) -> Array:
        rest = _left_out_draws(features, history.encoder, targets - mean, history.repeats[ok], rng)
        return losses(rest + mean, targets)

    current = loss_over(np.zeros(len(targets)))
    past = np.full((len(voices), _DRAWS), np.inf)
    slopes, certainty = np.zeros(len(voices)), np.zeros(len(voices))
    for i, voice in enumerate(voices):
        said = voice.mean(features)
        slopes[i], certainty[i] = slope(said, targets)
        if slopes[i] > 0:
            past[i] = loss_over(slopes[i] * said)
    return Chorus(voices, certainty * beyond_chance(ensemble_weights(past, current)), slopes, centre, spread)


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


def beyond_chance(weights: Array) -> Array:
    """Weights (k,) scaled so that their sum s becomes 2 s - 1, or nothing below one half.

    A past model that says nothing leaves the current one as it is, and wins every other draw.
    """
    total = float(weights.sum())
    return weights * max(0.0, 2.0 - 1.0 / total) if total > 0 else weights


def slope(predicted: Array, targets: Array) -> tuple[float, float]:
    """By how much centred targets (n,) rise with a past model's predictions (n,), and how sure that is, in [0, 1].

    0 where they fall. The certainty is 1 less the squared ratio of the slope's standard error to the slope (the factor
    by which a positive-part James-Stein estimate would shrink it).
    """
    moved = predicted - predicted.mean()
    size = float(moved @ moved) + _RIDGE
    rise = float(moved @ targets) / size
    if rise <= 0.0:
        return 0.0, 0.0
    rest = targets - rise * moved
    error = float(rest @ rest) / max(1, len(targets) - 2) / size
    return rise, max(0.0, 1.0 - error / rise**2)


def _left_out_draws(
    features: Array, encoder: Encoder, targets: Array, repeats: Array, rng: np.random.Generator
) -> Array:
    """Draws (draws, n) of each target as predicted from all the others (Rasmussen and Williams 2006, section 5.4.2)."""
    told = (features, encoder.knob_of_column, targets, repeats)
    process = process_at(most_probable(*told), *told)
    precision = np.diag(cho_solve((process.conditioned.factor, True), np.eye(len(targets)), check_finite=False))
    mean, std = targets - process.conditioned.alpha / precision, 1.0 / np.sqrt(precision)
    return np.asarray(mean + std * rng.standard_normal((_DRAWS, len(targets))))


@dataclass(frozen=True)
class TransferModel:
    """The current model, fitted to past trials too. It takes the place of the current model."""

    model: CurrentModel
    tried_means: Array
    """Standardised mean at the measured configurations of the current experiment: the best of them is to be beaten."""
    chorus: Chorus

    def predict(self, features: Array) -> tuple[Array, Array]:
        """Mean and standard deviation at features (m, columns), on the scale of the trials' values."""
        return self.model.predict(features)

    def expected_improvement(self, features: Array) -> Array:
        """Expected improvement over the best of `tried_means` at features (m, columns), standardised."""
        model = replace(self.model, tried_means=self.tried_means)  # type: ignore[type-var]  # all are dataclasses
        return np.asarray(model.expected_improvement(features))


def with_past(fit: Fit, voices: Sequence[Voice], chorus: Chorus | None = None) -> Fit:
    """`fit`, helped by past experiments; the very same where there are none, or where none has earned a weight.

    `chorus` is what `weigh` says of the history to be fitted, where that is known already.
    """

    def fit_helped(history: History, rng: np.random.Generator) -> CurrentModel:
        past = chorus or weigh(history, voices, np.random.default_rng(rng.integers(2**31)))
        if not past.heard:
            return fit(history, rng)
        joined, n_past = past.joined(history)
        model = fit(joined, rng)
        return TransferModel(model, model.tried_means[n_past:], past)

    return fit_helped if voices else fit
