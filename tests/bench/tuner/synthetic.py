"""Synthetic problems: mixed knobs of which few matter, with traps, interactions, special values and a memory limit."""

from __future__ import annotations

import math

import numpy as np

from tests.bench.tuner.knob import Config, Knob, random_config
from tests.bench.tuner.problem import Problem

FAMILIES = {"synthetic8": (8, 5), "synthetic20": (20, 6), "synthetic30": (30, 10), "synthetic60": (60, 8)}
"""Knobs, and how many of them matter."""


class Synthetic(Problem):
    """D mixed knobs of which `important` matter; the seed picks the instance.

    Saturating and peaked effects, interactions, special values that are far better or worse than the range, traps
    (10 % of the knobs: any move away from the default hurts), and two memory-like knobs whose sum crashes the DBMS.
    The rest move the value by 0.2 % at most.
    """

    def __init__(self, dims: int, important: int, seed: int) -> None:
        g = np.random.default_rng(1000 + seed)
        self.name = f"synthetic{dims}"
        self.knobs = [_make_knob(i, g) for i in range(dims)]
        order = [int(i) for i in g.permutation(dims)]
        self.memory = [0, 3]
        self.important = self.memory + [i for i in order if i not in self.memory][: important - 2]
        rest = [i for i in order if i not in self.important]
        traps = rest[: max(1, round(0.1 * dims))] if rest else []
        weight = g.dirichlet(np.ones(important) * 1.5) * 1.5
        self._levels: dict[int, dict[str, float]] = {}
        self._curves: dict[int, tuple[str, float, float, float]] = {}
        self._weight = {i: float(w) for i, w in zip(self.important, weight, strict=True)}
        for i in self.important:
            self._draw_effect(i, g)
        self.interactions = []
        for _ in range(max(1, important // 3)):
            a, b = g.choice(important, 2, replace=False)
            self.interactions.append((self.important[int(a)], self.important[int(b)], float(g.uniform(0.1, 0.25))))
        self.trap = {i: float(g.uniform(0.15, 0.6)) for i in traps}
        self.minor = {i: float(g.uniform(-0.004, 0.004)) for i in rest if i not in self.trap}
        self._offset = self._log_gain(self.default())
        self.baseline = self.default_value()
        self.reference = self._search()

    def _draw_effect(self, i: int, g: np.random.Generator) -> None:
        knob = self.knobs[i]
        if knob.kind == "enum":
            levels = g.permutation(np.linspace(0, 1, len(knob.values)))
            self._levels[i] = {v: float(x) for v, x in zip(knob.values, levels, strict=True)}
            return
        shape = "saturating" if i in self.memory else str(g.choice(["peak", "saturating", "peak"]))
        at_special = float(g.choice([-0.2, 1.05])) if knob.special else 0.0
        self._curves[i] = (shape, float(g.uniform(0.55, 0.9)), float(g.uniform(0.15, 0.35)), at_special)

    def true(self, config: Config) -> float | None:
        if sum(self._unit(i, config) or 0.0 for i in self.memory) > 1.55:
            return None
        return 1000.0 * math.exp(self._log_gain(config) - self._offset)

    def _unit(self, i: int, config: Config) -> float | None:
        knob = self.knobs[i]
        value = config[knob.name]
        return None if value in knob.special else knob.to_unit(float(value))

    def _effect(self, i: int, config: Config) -> float:
        if i in self._levels:
            return self._levels[i][str(config[self.knobs[i].name])]
        shape, centre, width, at_special = self._curves[i]
        u = self._unit(i, config)
        if u is None:
            return at_special
        if shape == "saturating":
            fall = -0.8 * (u - centre) ** 2 if u > centre else 0.0
            return 1 - math.exp(-4 * u / max(centre, 0.1)) + fall
        return math.exp(-0.5 * ((u - centre) / width) ** 2)

    def _log_gain(self, config: Config) -> float:
        effects = {i: self._effect(i, config) for i in self.important}
        gain = sum(self._weight[i] * e for i, e in effects.items())
        gain += sum(w * effects[a] * effects[b] for a, b, w in self.interactions)
        gain -= sum(w * self._distance(i, config) for i, w in self.trap.items())
        for i, w in self.minor.items():
            u = None if self.knobs[i].kind == "enum" else self._unit(i, config)
            gain += w * (0.5 if u is None else u)
        return gain

    def _distance(self, i: int, config: Config) -> float:
        """How far a trap has been moved from its default; a tenth of the range is free."""
        knob = self.knobs[i]
        if knob.kind == "enum":
            return float(config[knob.name] != knob.default)
        u, u0 = self._unit(i, config), self._unit(i, self.default())
        if u is None or u0 is None:
            return 0.4 * ((u is None) != (u0 is None))
        return max(0.0, abs(u - u0) - 0.1)

    def _search(self) -> float:
        """The best value that coordinate searches from the default and five random configurations find."""
        rng = np.random.default_rng(7)
        best = self.baseline
        for restart in range(6):
            config = self.default() if restart == 0 else random_config(self.knobs, rng)
            value = self.true(config) or 0.0
            for knob in [*self.knobs, *self.knobs]:
                grid = [knob.from_unit(float(u)) for u in np.linspace(0, 1, 41)] if knob.kind != "enum" else []
                for option in (*knob.values, *knob.special, *grid):
                    tried = {**config, knob.name: option}
                    got = self.true(tried)
                    if got is not None and got > value:
                        config, value = tried, got
            best = max(best, value)
        return best


def _make_knob(i: int, g: np.random.Generator) -> Knob:
    kind, at = i % 8, float(g.uniform(0.1, 0.45))
    if kind == 2:
        return Knob(f"k{i}_switch", "enum", "on", values=("on", "off"))
    if kind == 5:
        return Knob(f"k{i}_enum", "enum", "a", values=tuple("abcd"[: 3 + int(g.integers(2))]))
    if kind == 4:
        special = int(g.choice([0, -1]))
        ranged = Knob(f"k{i}_hybrid", "integer", 0, 1, 2000.0, True, special=(special,))
        return _with_default(ranged, special if g.random() < 0.6 else ranged.from_unit(at))
    if kind in (0, 3):
        knob = Knob(f"k{i}_log", "integer", 0, 1, float(g.choice([1e3, 1e5, 1e6])), True)
    elif kind == 1:
        knob = Knob(f"k{i}_share", "real", 0.0, 0.0, 1.0)
    elif kind == 6:
        knob = Knob(f"k{i}_count", "integer", 0, 0.0, float(g.choice([50, 500, 5000])))
    else:
        knob = Knob(f"k{i}_cost", "real", 0.0, 0.1, 8.0)
    return _with_default(knob, knob.from_unit(at))


def _with_default(knob: Knob, default: float) -> Knob:
    return Knob(knob.name, knob.kind, default, knob.low, knob.high, knob.log, special=knob.special)
