"""Backfills of made-up intervals, judged by the very functions that the tasks use."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from otterflow.experiment.comparison import BASELINE
from otterflow.experiment.interval import IntervalVerdict, interval_verdict
from otterflow.experiment.verdict import Answer, Rule, verdict_of
from otterflow.measures.goal import Goal
from otterflow.measures.objective import Objective
from otterflow.repository.records import Measurement, TrialState

CANDIDATE = "candidate"
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_GOAL = Goal(Objective.throughput, ())


@dataclass(frozen=True)
class Truth:
    """How good the candidate is in all intervals, how much that varies between them, and in one of them, if said.

    `between` and `noise` (of one measurement) are standard deviations of logarithms. `lost`: turns that nobody's fault
    took.
    """

    gain: float = 1.0
    between: float = 0.0
    noise: float = 0.03
    in_one: float | None = None
    lost: float = 0.0


def interval(truth: Truth, number: int, rounds: int, rng: np.random.Generator) -> IntervalVerdict:
    """One interval, its level and its noise its own."""
    level = np.log(100.0) + rng.standard_normal()
    gain = np.log(truth.gain) + truth.between * rng.standard_normal()
    if number == 0 and truth.in_one is not None:
        gain = np.log(truth.in_one)
    measured = []
    for each in range(1, rounds + 1):
        drift = 0.1 * rng.standard_normal()
        for arm, of in ((BASELINE, 0.0), (CANDIDATE, gain)):
            log = level + drift + of + truth.noise * rng.standard_normal()
            is_lost = rng.random() < truth.lost
            measured.append(
                Measurement(
                    1,
                    each,
                    arm,
                    None if is_lost else float(np.exp(log)),
                    {"teaches_nothing": True} if is_lost else {},
                    TrialState.failed if is_lost else TrialState.ok,
                    _BEGIN,
                )
            )
    start = _BEGIN + timedelta(hours=number)
    return interval_verdict(
        measured,
        _GOAL,
        recording=f"shop-{number}",
        start=start,
        end=start + timedelta(hours=1),
        experiment=f"replay-{number}",
        candidate=CANDIDATE,
    )


def answers(truth: Truth, rule: Rule, intervals: int, rounds: int, runs: int, seed: int) -> dict[Answer, float]:
    """The share of backfills that end with each answer."""
    rng = np.random.default_rng([seed, intervals, rounds])
    told = Counter(
        verdict_of(CANDIDATE, [interval(truth, i, rounds, rng) for i in range(intervals)], rule).answer
        for _ in range(runs)
    )
    return {answer: told[answer] / runs for answer in Answer}
