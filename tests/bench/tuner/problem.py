"""What a problem is: a function of a configuration that behaves like a DBMS under a benchmark. Larger is better."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.bench.tuner.knob import Config, Knob


class Problem:
    """`baseline` is the true value of the default, `reference` the best known: 0 and 1 of a score."""

    noise = 0.03
    """Standard deviation of a measurement, as a share of the true value."""
    name: str
    knobs: Sequence[Knob]
    baseline: float
    reference: float

    def default(self) -> Config:
        """The configuration that every tuner starts from."""
        return {k.name: k.default for k in self.knobs}

    def true(self, config: Config) -> float | None:
        """The noise-free value, or None where the configuration crashes the DBMS."""
        raise NotImplementedError

    def observe(self, config: Config, rng: np.random.Generator) -> float | None:
        """What a tuner gets to see of `true`."""
        value = self.true(config)
        return None if value is None else value * (1 + self.noise * float(rng.standard_normal()))

    def score(self, value: float) -> float:
        """The share of the attainable gain over the default that a true value is."""
        return (value - self.baseline) / (self.reference - self.baseline)

    def default_value(self) -> float:
        """The true value of the default. Raises ValueError where the default crashes: such a problem is no use."""
        value = self.true(self.default())
        if value is None:
            raise ValueError(f"the default configuration of {self.name} crashes")
        return value
