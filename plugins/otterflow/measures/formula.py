"""What a user defines over a result's numbers: an objective (`throughput / latency_p99`) and constraints on it.

Both are expressions of `otterflow.language.expressions` over the names of `otterflow.measures.names`, checked before
the experiment starts. A constraint is a comparison (`latency_p99 < 50`); how well it holds is its *slack*, a number in
[-1, 1] that is below 0 where it is broken:

    slack = (right - left) / (|left| + |right|)    for left < right, and its negative for left > right

Of two positive numbers that is tanh(log(right / left) / 2): by how many per cent they differ, whatever their unit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from otterflow.errors import InvalidInput, Problem
from otterflow.language.expressions import Dimension, Expression
from otterflow.measures.names import measures
from otterflow.measures.objective import InvalidResult
from otterflow.measures.result import BenchmarkResult

_COMPARISONS = ("<", "<=", ">", ">=")
_TOUCHES = 1e-9
"""By how much two equal sides break `<` or `>`: a slack of 0 counts as kept."""


@dataclass(frozen=True)
class Formula:
    """An objective that the user defines; stands where an `Objective` does. Its number may be zero or negative."""

    expression: Expression = field(compare=False)
    value: str
    """The expression's text, which is its name too."""
    maximise: bool
    unit: str = ""

    def read(self, result: BenchmarkResult) -> float:
        """The objective's number. Raises InvalidResult where the result lacks a number for it, or it is not finite."""
        numbers = _needed(self.expression, f"objective {self.value}", result)
        try:
            value = float(self.expression.value(numbers).value)
        except InvalidInput as error:
            raise InvalidResult(f"objective {self.value}: {error}") from None
        if not math.isfinite(value):
            raise InvalidResult(f"objective {self.value}: {value:g} is not a finite number")
        return value


@dataclass(frozen=True)
class Constraint:
    """A comparison that a result must satisfy; `text` is as the user wrote it."""

    text: str
    expression: Expression = field(compare=False)

    def slack(self, result: BenchmarkResult) -> float:
        """How well it holds, in [-1, 1]; below 0 it is broken. Raises InvalidResult for a number that is absent."""
        numbers = _needed(self.expression, f"constraint {self.text}", result)
        try:
            left, right = (float(side.value) for side in self.expression.sides(numbers))
        except InvalidInput as error:
            raise InvalidResult(f"constraint {self.text}: {error}") from None
        room = right - left if self.expression.comparison in ("<", "<=") else left - right
        size = abs(left) + abs(right)
        if not math.isfinite(size):
            raise InvalidResult(f"constraint {self.text}: {left:g} and {right:g} cannot be compared")
        if room == 0:
            return 0.0 if self.expression.comparison in ("<=", ">=") else -_TOUCHES
        return room / size


def _needed(expression: Expression, what: str, result: BenchmarkResult) -> dict[str, float | str]:
    found = measures(result)
    missing = sorted(expression.names - set(found))
    if missing:
        raise InvalidResult(f"{what}: the benchmark's result has no {', '.join(missing)}")
    return {name: found[name] for name in expression.names}


def formula(text: str, names: Mapping[str, Dimension], *, maximise: bool) -> Formula:
    """Read and check an objective. Raises InvalidInput that names the field, the position and what is right."""
    expression = _read("objective", text, names)
    if expression.comparison is not None:
        advice = "give a number to improve here, and put comparisons into constraints"
        raise InvalidInput(Problem("objective", f"{text!r} is a comparison", advice))
    _tried("objective", expression)
    return Formula(expression, text, maximise)


def constraints(texts: Sequence[str], names: Mapping[str, Dimension]) -> tuple[Constraint, ...]:
    """Read and check constraints. Raises InvalidInput that lists all that is wrong, each by its position."""
    problems: list[Problem] = []
    found = []
    for i, text in enumerate(texts):
        try:
            found.append(_constraint(f"constraints[{i}]", text, names))
        except InvalidInput as error:
            problems += error.problems
    if problems:
        raise InvalidInput(problems)
    return tuple(found)


def _constraint(where: str, text: str, names: Mapping[str, Dimension]) -> Constraint:
    expression = _read(where, text, names)
    if expression.comparison not in _COMPARISONS:
        advice = f"compare two numbers with {', '.join(_COMPARISONS)}, such as latency_p99 < 50"
        raise InvalidInput(Problem(where, f"{text!r} is no constraint", advice))
    _tried(where, expression)
    return Constraint(text, expression)


def _read(where: str, text: str, names: Mapping[str, Dimension]) -> Expression:
    try:
        expression = Expression(text, names)
    except InvalidInput as error:
        raise InvalidInput([Problem(f"{where}: {p.field}", p.found, p.advice) for p in error.problems]) from None
    if not expression.names:
        advice = f"use one of {', '.join(names)}"
        raise InvalidInput(Problem(where, f"{text!r} speaks of no number of the result", advice))
    return expression


def _tried(where: str, expression: Expression) -> None:
    """Evaluate with made-up numbers, all different, so that a clash of dimensions shows before the first trial."""
    numbers = {name: 1.0 + 0.618 * i for i, name in enumerate(sorted(expression.names), start=1)}
    try:
        sides = [expression.value(numbers)] if expression.comparison is None else expression.sides(numbers)
    except InvalidInput as error:
        raise InvalidInput([Problem(f"{where}: {p.field}", p.found, p.advice) for p in error.problems]) from None
    for side in sides:
        if side.dimension != "number":
            found = f"{expression.text!r} gives a {side.dimension}"
            advice = "use bare numbers: throughput is per second, latencies are in ms, run_time is in s"
            raise InvalidInput(Problem(where, found, advice))
