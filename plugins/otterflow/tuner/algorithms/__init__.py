"""The algorithms that a suggestion can come from, by the name that the trigger form offers.

All share what is around them in `recommend.py`: the checks, the baseline and the rules first, repair, no configuration
twice, and the chance of a crash.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from otterflow.errors import Problem
from otterflow.tuner.algorithms import with_optuna
from otterflow.tuner.algorithms.by_model import ByModel
from otterflow.tuner.algorithms.plain_models import fit_dnn, fit_gpr, fit_plain_forest
from otterflow.tuner.algorithms.portfolio import in_turns
from otterflow.tuner.algorithms.without_model import at_random, from_latin_hypercube
from otterflow.tuner.options import Options
from otterflow.tuner.trial import Suggestion
from otterflow.tuner.turn import Turn

__all__ = ["ALGORITHMS", "Algorithm", "algorithm_problems"]


@dataclass(frozen=True)
class Algorithm:
    """`next` makes a suggestion. `designed`: the tuner's short design comes first, and mode safe is obeyed."""

    next: Callable[[Turn], Suggestion]
    designed: bool = True


ALGORITHMS = {
    "default": Algorithm(in_turns),
    "gpr": Algorithm(ByModel(fit_gpr, "gpr: expected improvement by a Gaussian process", climb=True)),
    "dnn": Algorithm(ByModel(fit_dnn, "dnn: expected improvement by an ensemble of neural networks")),
    "forest": Algorithm(ByModel(fit_plain_forest, "forest: expected improvement by a random forest")),
    "random": Algorithm(at_random, designed=False),
    "lhs": Algorithm(from_latin_hypercube, designed=False),
    "optuna_tpe": Algorithm(with_optuna.by_tpe, designed=False),
    "optuna_gp": Algorithm(with_optuna.by_gp, designed=False),
}


def algorithm_problems(options: Options) -> list[Problem]:
    """What is wrong with the choice of algorithm, together with the mode."""
    name = options.algorithm
    if name not in ALGORITHMS:
        return [Problem("algorithm", f"{name!r} is unknown", f"use one of {', '.join(ALGORITHMS)}")]
    problems = []
    if name.startswith("optuna_") and not with_optuna.installed():
        advice = "install it where the tasks run (pip install optuna), or choose another algorithm"
        problems.append(Problem("algorithm", f"{name!r} needs optuna, which is not installed", advice))
    if options.mode == "safe" and not ALGORITHMS[name].designed:
        advice = "use mode explore, or one of " + ", ".join(n for n, a in ALGORITHMS.items() if a.designed)
        problems.append(Problem("mode", f"'safe' is not to be had with algorithm {name!r}", advice))
    return problems
