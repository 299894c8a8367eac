"""Pairs of problems: one that was tuned before, and one that is tuned now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tests.bench.tuner.catalogue import make
from tests.bench.tuner.problem import Problem
from tests.bench.tuner.synthetic import FAMILIES, Synthetic


class Alike(Synthetic):
    """An instance of the family that shares another's knobs, those that matter and the traps, but not their effects.

    Weights differ by a factor of about 1.4, optima by 0.08 of the range, widths by 1.2, interactions and traps by 1.35.
    """

    def __init__(self, family: str, seed: int) -> None:
        super().__init__(*FAMILIES[family], seed)
        g = np.random.default_rng(7000 + seed)

        def about(value: float, spread: float) -> float:
            return value * float(np.exp(spread * g.standard_normal()))

        self.name = f"{family}_alike"
        self._weight = {i: about(w, 0.35) for i, w in self._weight.items()}
        for i, (shape, centre, width, at_special) in self._curves.items():
            moved = float(np.clip(centre + 0.08 * g.standard_normal(), 0.35, 0.95))
            self._curves[i] = (shape, moved, about(width, 0.2), at_special)
        self.interactions = [(a, b, about(w, 0.3)) for a, b, w in self.interactions]
        self.trap = {i: about(w, 0.3) for i, w in self.trap.items()}
        self._offset = self._log_gain(self.default())
        self.baseline = self.default_value()
        self.reference = self._search()


@dataclass(frozen=True)
class Pair:
    """`then` was tuned before `now`; each is a problem's maker from a seed."""

    now: str
    then: Callable[[int], Problem]
    alike: bool
    noise_then: float = 0.03
    """Standard deviation of the past measurements, as a share of the true value."""

    def past_problem(self, seed: int) -> Problem:
        """The problem that was tuned before."""
        problem = self.then(seed)
        problem.noise = self.noise_then
        return problem


PAIRS = {
    "alike20": Pair("synthetic20", lambda seed: Alike("synthetic20", seed), alike=True),
    "alike60": Pair("synthetic60", lambda seed: Alike("synthetic60", seed), alike=True),
    "copy20": Pair("synthetic20", lambda seed: make("synthetic20", seed), alike=True, noise_then=0.1),
    "copy_job20": Pair("mysql_job20", lambda seed: make("mysql_job20", seed), alike=True, noise_then=0.1),
    "sysbench5_to_20": Pair("mysql_sysbench20", lambda seed: make("mysql_sysbench5", seed), alike=True),
    "unlike20": Pair("synthetic20", lambda seed: make("synthetic20", seed + 100), alike=False),
    "job_to_sysbench": Pair("mysql_sysbench20", lambda seed: make("mysql_job20", seed), alike=False),
    "sysbench_to_job": Pair("mysql_job20", lambda seed: make("mysql_sysbench20", seed), alike=False),
}
