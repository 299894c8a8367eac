"""The knobs of a problem, apart from the project's own: the peers tune them too, in an environment of theirs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Value = int | float | str
Config = dict[str, Value]


@dataclass(frozen=True)
class Knob:
    """One knob. `kind` is integer, real or enum; `special` holds values outside the range that mean something else."""

    name: str
    kind: str
    default: Any
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    values: tuple[Any, ...] = ()
    special: tuple[Any, ...] = ()

    def from_unit(self, u: float) -> int | float:
        """The value at position u in [0, 1] of the range."""
        u = min(1.0, max(0.0, u))
        if self.log:
            shift = 0.0 if self.low > 0 else 1.0 - self.low
            lo, hi = math.log(self.low + shift), math.log(self.high + shift)
            value = math.exp(lo + u * (hi - lo)) - shift
        else:
            value = self.low + u * (self.high - self.low)
        value = min(self.high, max(self.low, value))
        return round(value) if self.kind == "integer" else float(value)

    def to_unit(self, value: float) -> float:
        """Where a value of the range lies in [0, 1]."""
        value = min(self.high, max(self.low, float(value)))
        if self.log:
            shift = 0.0 if self.low > 0 else 1.0 - self.low
            lo, hi = math.log(self.low + shift), math.log(self.high + shift)
            return (math.log(value + shift) - lo) / (hi - lo)
        return (value - self.low) / (self.high - self.low) if self.high > self.low else 0.0

    def record(self) -> dict[str, Any]:
        """The knob as a plain record, the form that `KnobSpace.from_records` takes."""
        if self.kind == "enum":
            return {"name": self.name, "type": "enum", "values": list(self.values), "default": self.default}
        number = int if self.kind == "integer" else float
        return {
            "name": self.name,
            "type": self.kind,
            "min": number(self.low),
            "max": number(self.high),
            "scale": "log" if self.log else "linear",
            "special": [number(s) for s in self.special],
            "default": number(self.default),
        }


def random_config(knobs: Sequence[Knob], rng: np.random.Generator, special_share: float = 0.2) -> Config:
    """Anywhere in the space; a special value with its share."""
    config: Config = {}
    for knob in knobs:
        if knob.kind == "enum":
            config[knob.name] = knob.values[rng.integers(len(knob.values))]
        elif knob.special and rng.random() < special_share:
            config[knob.name] = knob.special[rng.integers(len(knob.special))]
        else:
            config[knob.name] = knob.from_unit(rng.random())
    return config
