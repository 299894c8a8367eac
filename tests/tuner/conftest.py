"""A small mixed space and a made-up server that answers to it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from otterflow.knobs.space import KnobSpace
from otterflow.tuner import Trial

RECORDS = [
    {"name": "memory", "type": "integer", "min": 1, "max": 100_000, "scale": "log", "default": 100},
    {"name": "cost", "type": "real", "min": 0.1, "max": 8.0, "default": 4.0},
    {"name": "delay", "type": "integer", "min": 1, "max": 2000, "scale": "log", "special": [-1, 0], "default": -1},
    {"name": "jit", "type": "boolean", "default": True},
    {"name": "method", "type": "enum", "values": ["a", "b", "c"], "default": "a"},
    {"name": "workers", "type": "integer", "min": 0, "max": 8, "default": 2},
]


@pytest.fixture
def space():
    return KnobSpace.from_records(RECORDS)


def throughput(config):
    """Best near memory 10,000 with jit off; None (a crash) with nearly all the memory."""
    if config["memory"] > 60_000:
        return None
    gain = -((math.log10(config["memory"]) - 4.0) ** 2) + (0.0 if config["jit"] else 0.5) - 0.05 * config["cost"]
    return 1000.0 * math.exp(0.3 * gain)


def trial_of(config):
    value = throughput(config)
    return Trial(dict(config), value, "ok" if value is not None else "crashed")


def a_dozen(space):
    """Trials that differ in one knob, none of them a crash."""
    costs = np.random.default_rng(0).uniform(0.1, 8.0, 12)
    return [trial_of({**space.baseline(), "cost": float(cost)}) for cost in costs]
