"""Configurations as arrays, in two forms.

A *genotype* has one number a knob, and is what the search moves about: a position in [0, 1] on the knob's scale, or
-1, -2, ... for its first, second, ... special value, or 0, 1, ... for the values of an enum.

*Features* are what the models see. A number is one column; a special value is a branch of its own (the number's
column in the middle, and a column of its own set to 1), for a knob at -1 is not near 0; an enum is one column a value.
Two different values of an enum, and a special value and the range's middle, lie a distance of 1 apart, as the two
ends of a range do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from otterflow.knobs.space import Config, Knob, KnobSpace, Value

Array = NDArray[np.float64]

_FEW_LEVELS = 64
"""An integer knob with no more levels than this is searched on its levels, not between them."""


class Encoder:
    """Translates between configurations, genotypes (n, knobs) and features (n, columns) of one space."""

    def __init__(self, space: KnobSpace) -> None:
        self.space = space
        self.knobs = space.knobs
        self.numeric = np.array([k.is_numeric for k in self.knobs])
        self.choices = np.array([len(k.special) if k.is_numeric else len(k.values) for k in self.knobs])
        """Special values of a number, values of an enum."""
        self._levels = [_levels(k) for k in self.knobs]
        self._first = np.concatenate([[0], np.cumsum([_width(k) for k in self.knobs])]).astype(int)
        self.knob_of_column = np.repeat(np.arange(len(self.knobs)), np.diff(self._first))

    def genotype(self, config: Mapping[str, Value]) -> Array:
        """One configuration as a genotype (knobs,)."""
        return np.array([_gene(k, config[k.name]) for k in self.knobs])

    def genotypes(self, configs: Sequence[Mapping[str, Value]]) -> Array:
        """Configurations as genotypes (n, knobs)."""
        return np.array([self.genotype(c) for c in configs]).reshape(len(configs), len(self.knobs))

    def config(self, genotype: Array) -> Config:
        """The configuration that a genotype stands for, each value quantised to what its knob can take."""
        return {k.name: _value(k, float(g)) for k, g in zip(self.knobs, genotype, strict=True)}

    def snap(self, genotypes: Array) -> Array:
        """Genotypes with the knobs of few levels brought to the nearest level."""
        snapped = genotypes.copy()
        for j, levels in enumerate(self._levels):
            if levels is not None:
                column = snapped[:, j]
                nearest = levels[np.abs(column[:, None] - levels).argmin(axis=1)]
                snapped[:, j] = np.where(column < 0, column, nearest)
        return snapped

    def around(self, least: Array, greatest: Array, reach: float) -> tuple[Array, Array]:
        """Positions a `reach` below `least` and above `greatest`, all (knobs,), within the range.

        Where a knob has few levels: the outermost level that is not farther, but one level at least.
        """
        low, high = np.maximum(least - reach, 0.0), np.minimum(greatest + reach, 1.0)
        for j, levels in enumerate(self._levels):
            if levels is not None:
                near = levels[(levels > low[j] - 1e-9) & (levels < high[j] + 1e-9)]
                below, above = levels[levels < least[j] - 1e-9], levels[levels > greatest[j] + 1e-9]
                low[j] = min(least[j], *near[:1], *below[-1:])
                high[j] = max(greatest[j], *near[-1:], *above[:1])
        return low, high

    def features(self, genotypes: Array) -> Array:
        """Genotypes (n, knobs) as features (n, columns)."""
        out = np.zeros((len(genotypes), self._first[-1]))
        for j, knob in enumerate(self.knobs):
            first, gene = self._first[j], genotypes[:, j]
            if knob.is_numeric:
                out[:, first] = np.where(gene < 0, 0.5, gene)
                for s in range(len(knob.special)):
                    out[:, first + 1 + s] = gene == -1 - s
            else:
                for v in range(len(knob.values)):
                    out[:, first + v] = (gene == v) * np.sqrt(0.5)
        return out

    def genotypes_of(self, features: Array) -> Array:
        """The genotypes (n, knobs) that gave features (n, columns)."""
        out = np.zeros((len(features), len(self.knobs)))
        for j, knob in enumerate(self.knobs):
            own = features[:, self._first[j] : self._first[j + 1]]
            if knob.is_numeric:
                out[:, j] = own[:, 0]
                for s in range(len(knob.special)):
                    out[own[:, 1 + s] > 0.5, j] = -1 - s
            else:
                out[:, j] = own.argmax(axis=1)
        return out


def _width(knob: Knob) -> int:
    return 1 + len(knob.special) if knob.is_numeric else len(knob.values)


def _levels(knob: Knob) -> Array | None:
    """Positions of an integer's values, where they are few."""
    if knob.type != "integer" or knob.high - knob.low > _FEW_LEVELS:
        return None
    return np.array([knob.to_unit(v) for v in range(int(knob.low), int(knob.high) + 1)])


def _gene(knob: Knob, value: Value) -> float:
    if not knob.is_numeric:
        return float(knob.values.index(value))
    if knob.is_special(value):
        return float(-1 - knob.special.index(value))
    return knob.to_unit(value)


def _value(knob: Knob, gene: float) -> Value:
    if not knob.is_numeric:
        return knob.values[int(gene)]
    if gene < 0:
        return knob.special[round(-1 - gene)]
    return knob.from_unit(gene)
