"""A small mixed space and a made-up server that answers to it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import pytest

from otterflow.knobs.space import KnobSpace
from otterflow.tuner import Trial
from otterflow.tuner.past import PastExperiment, PastModel, fit_past

RECORDS: list[dict[str, Any]] = [
    {"name": "memory", "type": "integer", "min": 1, "max": 100_000, "scale": "log", "default": 100},
    {"name": "cost", "type": "real", "min": 0.1, "max": 8.0, "default": 4.0},
    {"name": "delay", "type": "integer", "min": 1, "max": 2000, "scale": "log", "special": [-1, 0], "default": -1},
    {"name": "jit", "type": "boolean", "default": True},
    {"name": "method", "type": "enum", "values": ["a", "b", "c"], "default": "a"},
    {"name": "workers", "type": "integer", "min": 0, "max": 8, "default": 2},
]


@pytest.fixture
def space() -> KnobSpace:
    return KnobSpace.from_records(RECORDS)


def throughput(config: Mapping[str, Any]) -> float | None:
    """Best near memory 10,000 with jit off; None (a crash) with nearly all the memory."""
    if config["memory"] > 60_000:
        return None
    gain = -((math.log10(config["memory"]) - 4.0) ** 2) + (0.0 if config["jit"] else 0.5) - 0.05 * config["cost"]
    return 1000.0 * math.exp(0.3 * gain)


def rate(config: Mapping[str, Any]) -> float:
    """The throughput of what does not crash."""
    return cast(float, throughput(config))


def trial_of(config: Mapping[str, Any]) -> Trial:
    value = throughput(config)
    return Trial(dict(config), value, "ok" if value is not None else "crashed")


def model_of(past: PastExperiment) -> PastModel:
    """The model of a past experiment that has enough trials for one."""
    return cast(PastModel, fit_past(past))


def a_dozen(space: KnobSpace) -> list[Trial]:
    """Trials that differ in one knob, none of them a crash."""
    costs = np.random.default_rng(0).uniform(0.1, 8.0, 12)
    return [trial_of({**space.baseline(), "cost": float(cost)}) for cost in costs]
