"""One pair: the past experiment by this tuner from cold, then the new one with it and without."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache
from typing import TypedDict

import numpy as np

from otterflow.knobs.space import KnobSpace
from otterflow.tuner import PastExperiment, Trial, suggest
from tests.bench.tuner.catalogue import make
from tests.bench.tuner.problem import Problem
from tests.bench.tuner_transfer.pairs import PAIRS

COLD = "cold"


class Run(TypedDict):
    """One line of a file of results. `pair` is `COLD` for a run without a past; seconds are of processor time."""

    pair: str
    problem: str
    seed: int
    scores: list[float]
    """After each trial: that of the configuration with the best single observation."""
    crashes: int
    seconds: float
    seconds_max: float


def run(pair: str, seed: int, budget: int) -> Run:
    """The pair's new experiment with its past one."""
    problem = make(PAIRS[pair].now, seed)
    return played(pair, problem, seed, budget, [past_experiment(pair, seed, budget)])[0]


def run_cold(problem: str, seed: int, budget: int) -> Run:
    """The same without a past."""
    return played(COLD, make(problem, seed), seed, budget, [])[0]


@lru_cache(maxsize=1)
def past_experiment(pair: str, seed: int, budget: int) -> PastExperiment:
    """A past experiment of `budget` trials. Its seeds, of the tuner and of the noise, are not the new one's."""
    problem = PAIRS[pair].past_problem(seed)
    _, trials = played(COLD, problem, seed + 900, budget, [])
    return PastExperiment(pair, _space(problem), trials)


def _space(problem: Problem) -> KnobSpace:
    return KnobSpace.from_records([k.record() for k in problem.knobs])


def played(
    pair: str, problem: Problem, seed: int, budget: int, past: Sequence[PastExperiment]
) -> tuple[Run, list[Trial]]:
    """A run of so many trials with a past, and the trials; `pair` is what it is called in the table."""
    space, noise = _space(problem), np.random.default_rng(5000 + seed)
    trials: list[Trial] = []
    scores, seconds = [], []
    best_seen, chosen = -np.inf, problem.baseline
    for _ in range(budget):
        start = time.process_time()
        config = dict(suggest(space, trials, seed=seed, past=past))
        seconds.append(time.process_time() - start)
        value = problem.observe(config, noise)
        if value is not None and value > best_seen:
            best_seen, chosen = value, problem.true(config) or 0.0
        trials.append(Trial(config, value, "crashed" if value is None else "ok"))
        scores.append(problem.score(chosen))
    result: Run = {
        "pair": pair,
        "problem": problem.name,
        "seed": seed,
        "scores": [round(s, 4) for s in scores],
        "crashes": sum(t.value is None for t in trials),
        "seconds": round(float(np.median(seconds)), 4),
        "seconds_max": round(max(seconds), 4),
    }
    return result, trials
