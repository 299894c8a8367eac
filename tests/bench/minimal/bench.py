"""A search on an offline problem, then the ablation of its winner, and what the problem itself says of both."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from otterflow.experiment.ablation import Ablation, Question
from otterflow.knobs.space import KnobSpace
from otterflow.tuner import Trial, incumbent
from tests.bench.tuner.catalogue import make
from tests.bench.tuner.knob import Config
from tests.bench.tuner.methods import METHODS
from tests.bench.tuner.problem import Problem

MATTERS = 0.03
"""The form's gain that matters, as it is where nothing else is said."""
NOTHING = 0.005
"""A knob that loses less than this when it alone goes home is irrelevant; one that loses `MATTERS` is relevant."""


HALVES = {
    "chosen": ("synthetic20", "synthetic30", "mysql_sysbench20", "part_job14", "part_tpcc40"),
    "reported": ("synthetic8", "synthetic60", "mysql_job20", "pg_tpcc_cloudlab", "part_sysbench14"),
}
"""On the first half all that could be chosen was chosen; the second half is what the guide reports."""


class Search(TypedDict):
    """A search that was made: its trials, each a configuration with what was measured (None: crashed)."""

    problem: str
    seed: int
    trials: list[tuple[Config, float | None]]


@dataclass(frozen=True)
class Row:
    """One ablation. Shares are None where the winner has no such knob; `loss` is of score."""

    problem: str
    seed: int
    changed: int
    left: int
    irrelevant: int
    irrelevant_home: int
    relevant: int
    relevant_kept: int
    score: float
    loss: float
    percent: float
    """Loss of value, in per cent."""
    trials: int


def search(name: str, seed: int, budget: int) -> Search:
    """`budget` trials of the project's own tuner."""
    problem, noise = make(name, seed), np.random.default_rng(5000 + seed)
    tuner = METHODS["otterflow"](problem.knobs, seed)
    trials: list[tuple[Config, float | None]] = []
    for i in range(budget):
        config = tuner.suggest(trials) if i else problem.default()
        trials.append((config, problem.observe(config, noise)))
    return {"problem": name, "seed": seed, "trials": trials}


def told(trials: list[tuple[Config, float | None]]) -> list[Trial]:
    """As the product tells its tuner: logarithms."""
    return [
        Trial(dict(config), None if value is None else math.log(value), "crashed" if value is None else "ok")
        for config, value in trials
    ]


def ablate(made: Search, percent: float) -> Row:
    """Send the winner's knobs home, within `percent` of the search's trials."""
    problem = make(made["problem"], made["seed"])
    space = KnobSpace.from_records([knob.record() for knob in problem.knobs])
    trials = told([(dict(config), value) for config, value in made["trials"]])
    best = incumbent(space, trials, seed=made["seed"])
    winner = best.config
    noise = np.random.default_rng(7000 + made["seed"])
    own: list[Trial] = []
    most = int(percent * len(trials) / 100)

    def asked() -> Ablation:
        return Ablation(
            Question(
                space=space, baseline=problem.default(), winner=winner, trials=trials, made=own, most=most,
                mean=best.mean, limit=math.log1p(MATTERS), seed=made["seed"],
            )
        )  # fmt: skip

    while len(own) < most and (step := asked().next()) is not None:
        own += told([(step.config, problem.observe(step.config, noise))])
    reduced = asked().reduced()
    return _row(made, problem, winner, frozenset() if reduced is None else reduced.home, len(own))


def _row(made: Search, problem: Problem, winner: Config, home: frozenset[str], trials: int) -> Row:
    baseline = problem.default()
    changed = [name for name in winner if winner[name] != baseline[name]]

    def value(sent: frozenset[str]) -> float:
        found = problem.true({name: baseline[name] if name in sent else winner[name] for name in winner})
        return 1e-9 if found is None else found

    full = value(frozenset())
    lost = {name: 1 - value(frozenset([name])) / full for name in changed}
    irrelevant = {name for name in changed if lost[name] < NOTHING}
    relevant = {name for name in changed if lost[name] > MATTERS}
    kept = value(home)
    return Row(
        made["problem"],
        made["seed"],
        len(changed),
        len(changed) - len(home),
        len(irrelevant),
        len(irrelevant & home),
        len(relevant),
        len(relevant - home),
        problem.score(full),
        problem.score(full) - problem.score(kept),
        100 * (1 - kept / full),
        trials,
    )
