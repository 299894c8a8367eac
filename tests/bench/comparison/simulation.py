"""Final comparisons on made-up machines, by the pipeline's own schedule, looks, intervals and choice of the winner.

The noise of a measurement is the standard deviation of its logarithm. That of a round's ratio, of two measurements, is
1.41 times as much.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean

import numpy as np

from otterflow.experiment.comparison import ARMS, BASELINE, BEST, LEAST_ROUNDS, REDUCED, schedule
from otterflow.experiment.repeated import Looks
from otterflow.experiment.standing import standing
from otterflow.measures.goal import Goal
from otterflow.measures.objective import Objective
from otterflow.repository import Measurement
from otterflow.repository.records import TrialState

Machine = Callable[[int, np.random.Generator], np.ndarray]
"""The logarithm of the machine's speed in each of so many turns."""
NOISES = (0.03, 0.10, 0.20)
MATTERS = 0.03
"""The form's gain that matters, as it is where nothing else is said."""
_GOAL = Goal(Objective.throughput, ())
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
    """A machine, and how many of all turns fail: by the arm's own fault, or by nobody's.

    `noisier` is an arm whose measurements vary three times as much as the others'.
    """

    machine: Machine
    faults: float = 0.0
    lost: float = 0.0
    noisier: str = ""


CASES: dict[str, Case] = {
    "still": Case(still),
    "random walk of 5 % a turn": Case(walk(0.05)),
    "random walk of 20 % a turn": Case(walk(0.20)),
    "steady drift of 1 % a turn": Case(drift(0.01)),
    "steady drift of 5 % a turn": Case(drift(0.05)),
    "hiccups in 10 % of the turns": Case(hiccups),
    "a neighbour takes half": Case(neighbour),
    "the baseline three times as noisy": Case(still, noisier=BASELINE),
    "best three times as noisy": Case(still, noisier=BEST),
    "10 % of the turns fail": Case(still, faults=0.1),
    "10 % of the turns are lost": Case(still, lost=0.1),
    "40 % of the turns are lost": Case(still, lost=0.4),
}


Gains = Mapping[str, float]
"""How many times better an arm really is than the baseline; what is not named is as good."""


def comparison(
    case: Case,
    noise: float,
    rounds: int,
    rng: np.random.Generator,
    gains: Gains | None = None,
    arms: Sequence[str] = ARMS,
) -> list[Measurement]:
    """What the turns of so many rounds measure."""
    turns = schedule(arms, rounds, int(rng.integers(2**31)))
    noises = noise * np.array([3.0 if arm == case.noisier else 1.0 for _, arm in turns])
    logs = case.machine(len(turns), rng) + noises * rng.standard_normal(len(turns))
    luck = rng.random(len(turns))
    measured = []
    for (number, arm), log, chance in zip(turns, logs, luck, strict=True):
        state, result = TrialState.ok, {}
        if chance < case.faults:
            state = TrialState.crashed
        elif chance < case.faults + case.lost:
            state, result = TrialState.failed, {"teaches_nothing": True}
        value = 1000.0 * (gains or {}).get(arm, 1.0) * float(np.exp(log)) if state is TrialState.ok else None
        measured.append(Measurement(1, number, arm, value, result, state, _WHEN))
    return measured


def decide(measured: Sequence[Measurement], looks: Looks | None) -> tuple[str, int]:
    """Who wins, and after how many rounds: a look after each, as the task `compare` does, or one at the end."""
    rounds = max(m.round for m in measured)
    if looks is not None:
        for done in range(LEAST_ROUNDS, rounds):
            stands = standing([m for m in measured if m.round <= done], _GOAL, looks)
            if stands.decided is not None:
                return stands.winner, done
    return standing(measured, _GOAL, looks).winner, rounds


@dataclass(frozen=True)
class Found:
    """The share of comparisons that each arm won, and the rounds they took on average."""

    winners: Mapping[str, float]
    rounds: float

    @property
    def false_winners(self) -> float:
        """The share that left another arm than the baseline in force."""
        return 1.0 - self.winners[BASELINE]


def simulate(
    case: Case,
    noise: float,
    limit: int,
    runs: int,
    seed: int,
    *,
    gains: Gains | None = None,
    looks: bool = True,
    reduced: bool = False,
) -> Found:
    """So many comparisons of at most `limit` rounds; without `looks` all are made; `reduced` is an arm more."""
    arms = (*ARMS, REDUCED) if reduced else ARMS
    rng = np.random.default_rng([seed, limit, round(1000 * noise)])
    told = [
        decide(comparison(case, noise, limit, rng, gains, arms), Looks(limit, MATTERS) if looks else None)
        for _ in range(runs)
    ]
    winners = Counter(winner for winner, _ in told)
    return Found({arm: winners[arm] / runs for arm in arms}, fmean(rounds for _, rounds in told))
