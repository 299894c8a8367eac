"""What an experiment tunes for: the objective, named or a formula of the user's, its direction, and constraints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from otterflow.errors import InvalidInput, Problem
from otterflow.measures.formula import Constraint, Formula, constraints, formula
from otterflow.measures.names import Offer, names_for
from otterflow.measures.objective import InvalidResult, Objective
from otterflow.measures.result import BenchmarkResult

BENCHMARK_DEFAULT = "benchmark's own"
"""The form's word for: the objective that the benchmark is usually tuned for."""


class Direction(StrEnum):
    """Which way the objective is to go."""

    own = "objective's own"
    maximise = "maximise"
    minimise = "minimise"


@dataclass(frozen=True)
class Goal:
    """Checked: every name is one that the benchmark's results have."""

    objective: Objective | Formula
    constraints: tuple[Constraint, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """The numbers of a result that the objective and the constraints speak of."""
        own = self.objective.expression.names if isinstance(self.objective, Formula) else {self.objective.value}
        return frozenset(own).union(*(constraint.expression.names for constraint in self.constraints))

    def slacks(self, result: Mapping[str, Any]) -> tuple[float | None, ...]:
        """How well a recorded result keeps each constraint, in [-1, 1]; None where it lacks a number for it."""
        if not self.constraints:
            return ()
        measured = BenchmarkResult.from_dict(result)
        return tuple(_slack(constraint, measured) for constraint in self.constraints)


def _slack(constraint: Constraint, result: BenchmarkResult) -> float | None:
    try:
        return constraint.slack(result)
    except InvalidResult:
        return None


def goal(
    objective: str,
    direction: Direction,
    limits: Sequence[str],
    offer: Offer | None,
    metrics: Iterable[str] = (),
) -> Goal:
    """Read the form's three fields for what a benchmark offers; `metrics` are the names of the user's own metrics.

    Without an offer, what would be wrong with any is found all the same. Raises InvalidInput that names every wrong
    field, its value and what is right.
    """
    names = names_for(offer, metrics)
    problems: list[Problem] = []
    chosen: Objective | Formula = Objective.throughput
    kept: tuple[Constraint, ...] = ()
    try:
        if objective == BENCHMARK_DEFAULT or objective in Objective.__members__:
            chosen = _named(objective, direction, offer)
        else:
            chosen = formula(objective, names, maximise=direction is Direction.maximise)
            if direction is Direction.own:
                found = f"{direction.value!r}, but {objective!r} is no objective that has one"
                problems.append(Problem("direction", found, "choose maximise or minimise"))
    except InvalidInput as error:
        problems += error.problems
    try:
        kept = constraints(limits, names)
    except InvalidInput as error:
        problems += error.problems
    if problems:
        raise InvalidInput(problems)
    return Goal(chosen, kept)


def _named(objective: str, direction: Direction, offer: Offer | None) -> Objective:
    own = Objective.throughput if offer is None else offer.objective
    chosen = own if objective == BENCHMARK_DEFAULT else Objective(objective)
    if offer is not None and chosen not in offer.objectives:
        offered = ", ".join([BENCHMARK_DEFAULT, *(o.value for o in offer.objectives)])
        found = f"{objective!r} is not measured by benchmark {offer.name!r}"
        raise InvalidInput(Problem("objective", found, f"one of: {offered}, or an expression of these"))
    natural = Direction.maximise if chosen.maximise else Direction.minimise
    if offer is not None and direction not in (Direction.own, natural):
        advice = f"use {Direction.own.value!r}; a direction is for expressions"
        raise InvalidInput(Problem("direction", f"{direction.value!r}, but {chosen.value} is {natural.value}d", advice))
    return chosen
