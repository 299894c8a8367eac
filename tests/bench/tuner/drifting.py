"""A machine that is not the same from trial to trial: what shared hosts do, by a factor of up to 3 within the hour.

`Drifting` wraps a problem; the machine's speed multiplies every measurement, and the truth stays what it was.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.bench.tuner.knob import Config
from tests.bench.tuner.problem import Problem

Machine = Callable[[int], float]
"""The machine's speed at a trial, against that of the first trial's."""


def still() -> Machine:
    """A machine that does not change."""
    return lambda trial: 1.0


def wander(rng: np.random.Generator, trials: int = 200) -> Machine:
    """A slow wander of a factor of up to 3 from its slowest to its fastest."""
    path = np.cumsum(rng.standard_normal(trials))
    path = np.convolve(path, np.ones(5) / 5, mode="same")
    path *= np.log(3.0) / np.ptp(path)
    return lambda trial: float(np.exp(path[trial] - path[0]))


def steps(rng: np.random.Generator, trials: int = 200) -> Machine:
    """A neighbour comes and goes: steps between full speed and a third of it, every 6 to 20 trials."""
    levels: list[float] = []
    while len(levels) < trials:
        levels += [float(rng.uniform(1 / 3, 1.0))] * int(rng.integers(6, 21))
    return lambda trial: levels[trial] / levels[0]


def noisy_spell(rng: np.random.Generator, trials: int = 200) -> Machine:
    """A quiet machine but for a quarter of each forty trials, in which each trial gets 35 to 100 % of its speed."""
    speed = np.ones(trials)
    for first in range(0, trials, 40):
        start = first + int(rng.integers(8, 25))
        spell = slice(start, min(start + 10, trials))
        speed[spell] = rng.uniform(0.35, 1.0, size=len(speed[spell]))
    return lambda trial: float(speed[trial])


MACHINES: dict[str, Callable[[np.random.Generator], Machine]] = {
    "still": lambda rng: still(),
    "wander": wander,
    "steps": steps,
    "noisy_spell": noisy_spell,
}


class Drifting(Problem):
    """`inner` on a machine whose speed changes. Observations must be made in the order of time."""

    def __init__(self, inner: Problem, machine: Machine) -> None:
        self.name, self.knobs = inner.name, inner.knobs
        self.baseline, self.reference = inner.baseline, inner.reference
        self._inner, self._machine, self._trial = inner, machine, 0

    def true(self, config: Config) -> float | None:
        return self._inner.true(config)

    def observe(self, config: Config, rng: np.random.Generator) -> float | None:
        speed = self._machine(self._trial)
        self._trial += 1
        value = super().observe(config, rng)
        return None if value is None else value * speed
