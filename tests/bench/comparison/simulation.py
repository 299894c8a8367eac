"""Final comparisons on made-up machines, by the pipeline's own schedule, intervals and choice of the winner.

The truth is flat: baseline, rules and best are equally fast, so whoever else wins is a false winner.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from otterflow.experiment.comparison import ARMS, BASELINE, BEST, schedule, winner
from otterflow.experiment.outcome import faulty_arms, ratios
from otterflow.measures.objective import Objective
from otterflow.repository import Measurement
from otterflow.repository.records import TrialState

Machine = Callable[[int, np.random.Generator], np.ndarray]
"""The logarithm of the machine's speed in each of so many turns."""
NOISES = (0.03, 0.10, 0.20)
_WHEN = datetime(2026, 1, 1, tzinfo=UTC)


def still(turns: int, rng: np.random.Generator) -> np.ndarray:
    """A machine that does not change."""
    return np.zeros(turns)


def walk(step: float) -> Machine:
    """A random walk with this standard deviation of a step."""
    return lambda turns, rng: np.cumsum(step * rng.standard_normal(turns))


def drift(step: float) -> Machine:
    """Slower or faster by the same share each turn."""
    return lambda turns, rng: float(rng.choice([-1.0, 1.0])) * step * np.arange(turns)


def hiccups(turns: int, rng: np.random.Generator) -> np.ndarray:
    """One turn in ten gets a third to two thirds of the machine."""
    return np.where(rng.random(turns) < 0.1, np.log(rng.uniform(1 / 3, 2 / 3, turns)), 0.0)


def neighbour(turns: int, rng: np.random.Generator) -> np.ndarray:
    """From some turn on a neighbour takes half of the machine."""
    return np.where(np.arange(turns) >= rng.integers(turns), np.log(0.5), 0.0)


@dataclass(frozen=True)
class Case:
    """A machine, and how many of all turns fail: by the arm's own fault, or by nobody's."""

    machine: Machine
    faults: float = 0.0
    lost: float = 0.0


CASES: dict[str, Case] = {
    "still": Case(still),
    "random walk of 5 % a turn": Case(walk(0.05)),
    "random walk of 20 % a turn": Case(walk(0.20)),
    "steady drift of 1 % a turn": Case(drift(0.01)),
    "steady drift of 5 % a turn": Case(drift(0.05)),
    "hiccups in 10 % of the turns": Case(hiccups),
    "a neighbour takes half": Case(neighbour),
    "10 % of the turns fail": Case(still, faults=0.1),
    "10 % of the turns are lost": Case(still, lost=0.1),
    "40 % of the turns are lost": Case(still, lost=0.4),
}


def comparison(case: Case, noise: float, rounds: int, rng: np.random.Generator) -> list[Measurement]:
    """What the turns of one comparison measure."""
    turns = schedule(ARMS, rounds, int(rng.integers(2**31)))
    logs = case.machine(len(turns), rng) + noise * rng.standard_normal(len(turns))
    luck = rng.random(len(turns))
    measured = []
    for (number, arm), log, chance in zip(turns, logs, luck, strict=True):
        state, result = TrialState.ok, {}
        if chance < case.faults:
            state = TrialState.crashed
        elif chance < case.faults + case.lost:
            state, result = TrialState.failed, {"teaches_nothing": True}
        value = 1000.0 * float(np.exp(log)) if state is TrialState.ok else None
        measured.append(Measurement(1, number, arm, value, result, state, _WHEN))
    return measured


def false_winners(case: Case, noise: float, rounds: int, runs: int, seed: int) -> float:
    """The share of comparisons that leave another arm than the baseline in force."""
    rng = np.random.default_rng([seed, rounds, round(100 * noise)])
    false = 0
    for _ in range(runs):
        measured = comparison(case, noise, rounds, rng)
        false += winner(ratios(measured, Objective.throughput), (), faulty_arms(measured)) != BASELINE
    return false / runs


def found(gain: float, noise: float, rounds: int, runs: int, seed: int) -> float:
    """The share of comparisons on a still machine that leave an arm in force which is `gain` better (1.1: 10 %)."""
    rng = np.random.default_rng([seed, rounds, round(100 * noise)])
    right = 0
    for _ in range(runs):
        measured = [
            Measurement(m.comparison, m.round, m.arm, (m.value or 0.0) * gain, m.result, m.state, m.measured_at)
            if m.arm == BEST
            else m
            for m in comparison(CASES["still"], noise, rounds, rng)
        ]
        right += winner(ratios(measured, Objective.throughput)) == BEST
    return right / runs
