"""Parts of the measured problems: some of the knobs free, the others where they stand, and another default.

The three forests are few. A seed picks the free knobs and the default, which is a random configuration worse than seven
tenths of such; so choices between variants of a tuner need not be made on the very problems that they are reported on.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.bench.tuner.knob import Config, random_config
from tests.bench.tuner.measured import Measured
from tests.bench.tuner.problem import Problem

PARTS = {
    "part_sysbench14": ("mysql_sysbench20", 14),
    "part_job14": ("mysql_job20", 14),
    "part_tpcc40": ("pg_tpcc_cloudlab", 40),
}
"""Which problem it is part of, and how many of its knobs are free."""
_SAMPLE = 60
_LEAST_GAIN, _TRIES = 1.2, 20
"""A part whose best is no further above its default has a gain that drowns in the noise of 3 %: another is drawn."""
_POOL, _FIRST, _CHILDREN, _MOVED, _CROSSED = 40, 300, 6000, 3, 0.2


class Part(Problem):
    """A part of `whole`, with a `reference` found by an evolutionary search."""

    def __init__(self, name: str, whole: Measured, free: int, seed: int) -> None:
        g = np.random.default_rng(77000 + seed)
        self.name, self._whole = name, whole
        for _ in range(_TRIES):
            self._fixed = self._poor(g)
            chosen = sorted(int(i) for i in g.permutation(len(whole.knobs))[:free])
            self.knobs = [replace(whole.knobs[i], default=self._fixed[whole.knobs[i].name]) for i in chosen]
            self.baseline = self.default_value()
            self.reference = self._search(np.random.default_rng(3))
            if self.reference > _LEAST_GAIN * self.baseline:
                return
        raise ValueError(f"{name}, seed {seed}: no part with a gain of {_LEAST_GAIN:g} in {_TRIES} tries")

    def _poor(self, rng: np.random.Generator) -> Config:
        sample: list[tuple[float, Config]] = []
        while len(sample) < _SAMPLE:
            config = random_config(self._whole.knobs, rng)
            value = self._whole.true(config)
            if value is not None:
                sample.append((value, config))
        return sorted(sample, key=lambda pair: pair[0])[round(0.3 * _SAMPLE)][1]

    def true(self, config: Config) -> float | None:
        return self._whole.true({**self._fixed, **config})

    def _search(self, rng: np.random.Generator) -> float:
        pool = [(self.baseline, self.default())]
        for _ in range(_FIRST):
            self._add(pool, random_config(self.knobs, rng))
        for _ in range(_CHILDREN):
            a = pool[int(rng.integers(len(pool)) * rng.random())][1]
            b = pool[int(rng.integers(len(pool)))][1]
            child = {k: (b[k] if rng.random() < _CROSSED else a[k]) for k in a}
            fresh = random_config(self.knobs, rng)
            for i in rng.choice(len(self.knobs), size=min(_MOVED, len(self.knobs)), replace=False):
                child[self.knobs[i].name] = fresh[self.knobs[i].name]
            self._add(pool, child)
        return pool[0][0]

    def _add(self, pool: list[tuple[float, Config]], config: Config) -> None:
        value = self.true(config)
        if value is not None and (len(pool) < _POOL or value > pool[-1][0]):
            pool.append((value, config))
            pool.sort(key=lambda pair: -pair[0])
            del pool[_POOL:]
