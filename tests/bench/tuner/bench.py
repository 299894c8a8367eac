"""One tuning run on one problem, and what is kept of it.

A score is the share of the attainable gain over the default that the chosen configuration really has (noise-free; 0 is
the default, 1 the best known). Chosen is the configuration with the best single observation, for every method alike.
"""

from __future__ import annotations

import time
from typing import Any, TypedDict

import numpy as np

from tests.bench.tuner.catalogue import make
from tests.bench.tuner.knob import Config
from tests.bench.tuner.methods import METHODS, Otterflow
from tests.bench.tuner.problem import Problem


class Run(TypedDict):
    """One line of a file of results. Seconds are of processor time, per suggestion: the median and the largest."""

    method: str
    problem: str
    seed: int
    scores: list[float]
    """After each trial."""
    crashes: int
    seconds: float
    seconds_max: float
    curse: float
    """The chosen configuration's observed value minus its true one, as a share of the true one: the winner's curse."""
    model_score: float | None
    """The score of the configuration that the model's mean chooses; None for a method that has no such choice."""
    model_curse: float | None
    """The model's mean of it minus its true value, as a share of the true one."""


def run(method: str, name: str, seed: int, budget: int) -> Run:
    """`budget` trials. Raises ValueError where a method suggests a configuration of other knobs."""
    problem = make(name, seed)
    noise = np.random.default_rng(5000 + seed)
    tuner = METHODS[method](problem.knobs, seed)
    trials: list[tuple[Config, float | None]] = []
    scores: list[float] = []
    seconds: list[float] = []
    best_seen, chosen = -np.inf, problem.baseline
    for i in range(budget):
        start = time.process_time()
        config = tuner.suggest(trials) if i else problem.default()
        if i:
            seconds.append(time.process_time() - start)
        if wrong := {k.name for k in problem.knobs} ^ set(config):
            raise ValueError(f"{method} suggested a configuration with wrong knobs: {sorted(wrong)[:5]}")
        value = problem.observe(config, noise)
        if value is not None and value > best_seen:
            best_seen, chosen = value, _true(problem, config)
        trials.append((config, value))
        scores.append(problem.score(chosen))
    result: Run = {
        "method": method,
        "problem": name,
        "seed": seed,
        "scores": [round(s, 4) for s in scores],
        "crashes": sum(value is None for _, value in trials),
        "seconds": round(float(np.median(seconds or [0.0])), 4),
        "seconds_max": round(max(seconds, default=0.0), 4),
        "curse": round(best_seen / chosen - 1.0, 5),
        "model_score": None,
        "model_curse": None,
    }
    if isinstance(tuner, Otterflow):
        config, mean = tuner.incumbent(trials)
        true = _true(problem, config)
        result |= {"model_score": round(problem.score(true), 4), "model_curse": round(mean / true - 1.0, 5)}
    return result


def _true(problem: Problem, config: Config) -> float:
    """The true value of a configuration that was measured, and so did not crash."""
    value = problem.true(config)
    if value is None:
        raise ValueError(f"{problem.name} gave a measurement of a configuration that crashes")
    return value


def key(row: Run | dict[str, Any]) -> tuple[str, str, int]:
    """What a run is found again by."""
    return row["method"], row["problem"], row["seed"]
