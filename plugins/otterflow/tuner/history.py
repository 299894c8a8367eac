"""The trials as data: repeated measurements of a configuration pooled, crashes apart from values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otterflow.knobs.space import KnobSpace
from otterflow.tuner.encoding import Array, Encoder
from otterflow.tuner.trial import FAULTS, IGNORED, OK, Trial

MOST_LEARNED = 150
"""Distinct configurations that the models learn from."""


@dataclass(frozen=True)
class History:
    """Distinct configurations with what was measured of each. Index i of all arrays is the same configuration."""

    encoder: Encoder
    genotypes: Array
    """All configurations tried (n, knobs), in order of their first trial."""
    features: Array
    first_trial: NDArray[np.int64]
    """Position of a configuration's first trial that says the most of it: the first ok one, or else the first (n,)."""
    means: Array
    """Mean of the ok measurements (n,), NaN where there is none."""
    repeats: Array
    """How many ok measurements (n,)."""
    faults: Array
    """How many crashed, failed or timed out (n,)."""
    slacks: Array
    """Mean slack of each constraint over the ok measurements (n, constraints), NaN where there is none."""

    @property
    def ok(self) -> NDArray[np.bool_]:
        """Configurations with at least one measurement, and at least as many as faults (n,)."""
        return np.asarray((self.repeats > 0) & (self.repeats >= self.faults))

    @property
    def feasible(self) -> NDArray[np.bool_]:
        """Configurations whose mean slack says that all constraints hold (n,); all where there are no constraints."""
        return np.asarray((self.slacks >= 0).all(axis=1))

    def telling(self, limit: int = MOST_LEARNED) -> History:
        """At most `limit` of the configurations, in the same order: the best measured, and of the rest the latest.

        A process takes time with the cube of their number.
        """
        if len(self.genotypes) <= limit:
            return self
        by_value = np.argsort(-np.where(self.ok, self.means, -np.inf), kind="stable")[: limit // 2]
        latest = np.setdiff1d(np.arange(len(self.genotypes)), by_value)[-(limit - len(by_value)) :]
        rows = np.sort(np.concatenate([by_value, latest]))
        return History(
            self.encoder,
            *(a[rows] for a in (self.genotypes, self.features, self.first_trial)),
            *(a[rows] for a in (self.means, self.repeats, self.faults, self.slacks)),
        )

    def behind(self, genotypes: Array, means: Array, repeats: Array, faults: Array) -> History:
        """The same behind rows that are none of its trials: first trial 0, all constraints met.

        `genotypes` is (rows, knobs), the others (rows,) as the fields of the same names.
        """
        return History(
            self.encoder,
            np.vstack([genotypes, self.genotypes]),
            np.vstack([self.encoder.features(genotypes), self.features]),
            np.concatenate([np.zeros(len(genotypes), dtype=np.int64), self.first_trial]),
            np.concatenate([means, self.means]),
            np.concatenate([repeats, self.repeats]),
            np.concatenate([faults, self.faults]),
            np.vstack([np.zeros((len(genotypes), self.slacks.shape[1])), self.slacks]),
        )

    def has(self, genotype: Array) -> bool:
        """Whether this very configuration was tried."""
        return bool((np.abs(self.genotypes - genotype).max(axis=1, initial=0.0) < 1e-9).any())


def pool(space: KnobSpace, trials: Sequence[Trial]) -> History:
    """Trials of one space as data. Trials whose configuration never was in force are left out."""
    encoder = Encoder(space)
    rows: dict[tuple[float, ...], list[int]] = {}
    for i, trial in enumerate(trials):
        if trial.state not in IGNORED:
            rows.setdefault(tuple(encoder.genotype(trial.config)), []).append(i)
    genotypes = np.array(list(rows)).reshape(len(rows), len(space))
    values = [[t.value for i in row if (t := trials[i]).state == OK and t.value is not None] for row in rows.values()]
    good = [next((i for i in row if trials[i].state == OK), row[0]) for row in rows.values()]
    return History(
        encoder,
        genotypes,
        encoder.features(genotypes),
        np.array(good, dtype=np.int64),
        np.array([np.mean(v) if v else np.nan for v in values]),
        np.array([float(len(v)) for v in values]),
        np.array([float(sum(trials[i].state in FAULTS for i in row)) for row in rows.values()]),
        _mean_slacks([[trials[i].slacks for i in row if trials[i].state == OK] for row in rows.values()]),
    )


def _mean_slacks(told: Sequence[Sequence[Sequence[float]]]) -> Array:
    """Of each configuration's measurements, the mean slack of each constraint (n, constraints)."""
    width = max((len(slacks) for row in told for slacks in row), default=0)
    means = np.full((len(told), width), np.nan)
    for i, row in enumerate(told):
        measured = [slacks for slacks in row if len(slacks) == width]
        if measured:
            means[i] = np.mean(measured, axis=0)
    return means
