"""Objectives and constraints that a user defines over a result's numbers."""

from __future__ import annotations

import math
import re

import pytest

from otterflow.errors import InvalidInput
from otterflow.language.expressions import Dimension
from otterflow.measures.formula import constraints, formula
from otterflow.measures.names import UNITS, measures
from otterflow.measures.objective import InvalidResult
from otterflow.measures.result import BenchmarkResult

NAMES: dict[str, Dimension] = dict.fromkeys([*UNITS, "metrics.queue"], "number")
RESULT = BenchmarkResult(
    throughput=800.0,
    latency_ms={"mean": 1.0, "p99": 4.0},
    errors=2,
    transactions=7998,
    seconds=10.0,
    metrics={"queue": 2.0},
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("throughput / latency_p99", 200.0),
        ("throughput - 1000", -200.0),
        ("min(throughput, 500) - 10 * errors", 480.0),
        ("if(latency_p99 < 5, throughput, 0)", 800.0),
        ("throughput / metrics.queue", 400.0),
        ("error_share", 2 / 8000),
    ],
)
def test_a_formula_is_computed_of_the_result(text: str, value: float) -> None:
    found = formula(text, NAMES, maximise=True)
    assert found.read(RESULT) == pytest.approx(value)
    assert found.value == text


def test_numbers_that_are_absent_have_no_name() -> None:
    assert "run_time" not in measures(RESULT)
    with pytest.raises(InvalidResult, match=r"objective run_time \* 2: the benchmark's result has no run_time"):
        formula("run_time * 2", NAMES, maximise=False).read(RESULT)


def test_a_formula_that_cannot_be_computed_fails_the_trial() -> None:
    with pytest.raises(InvalidResult, match="division by 0"):
        formula("throughput / (errors - 2)", NAMES, maximise=True).read(RESULT)
    with pytest.raises(InvalidResult, match="inf is not a finite number"):
        formula("throughput * 1e300 * 1e300", NAMES, maximise=True).read(RESULT)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "objective: expression '', position 1: the end of the text does not belong here"),
        ("speed", "position 1: 'speed' is not known; use one of throughput, latency_mean"),
        ("throughput > 5", "objective: 'throughput > 5' is a comparison; give a number to improve here"),
        ("1 + 1", "objective: '1 + 1' speaks of no number of the result; use one of throughput"),
        ("throughput + 5ms", "position 12: '+': number and time are mixed"),
        ("throughput * 5ms", "gives a time; use bare numbers: throughput is per second"),
        ("__import__('os').system('x')", "'__import__' is not known"),
    ],
)
def test_a_wrong_formula_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(said)):
        formula(text, NAMES, maximise=True)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("latency_p99 < 50", True),
        ("latency_p99 < 4", False),
        ("latency_p99 <= 4", True),
        ("error_share < 0.0001", False),
        ("errors <= 2", True),
        ("throughput >= 2 * 300 + 200", True),
        ("throughput > 900", False),
        ("errors - 2 <= 0", True),
        ("errors - 2 < 0", False),
    ],
)
def test_slack_is_negative_where_a_constraint_is_broken(text: str, holds: bool) -> None:
    slack = constraints([text], NAMES)[0].slack(RESULT)
    assert -1 <= slack <= 1
    strict = text.split()[-2] in ("<", ">")
    assert (slack > 0 if strict else slack >= 0) is holds


def test_equal_sides_break_a_strict_constraint_and_keep_the_other() -> None:
    equal = ("errors < 2", "errors <= 2", "2 > errors", "2 >= errors", "errors - 2 < 0", "errors - 2 <= 0")
    slacks = [constraint.slack(RESULT) for constraint in constraints(equal, NAMES)]
    assert [slack < 0 for slack in slacks] == [True, False] * 3


def test_numbers_beyond_all_bounds_are_no_slack() -> None:
    (constraint,) = constraints(["throughput < 1e308 * 10"], NAMES)
    with pytest.raises(InvalidResult, match=r"constraint throughput < 1e308 \* 10: 800 and inf cannot be compared"):
        constraint.slack(RESULT)


def test_slack_is_by_how_many_per_cent_whatever_the_unit() -> None:
    by_latency, by_throughput = constraints(["latency_p99 < 8", "throughput > 400"], NAMES)
    assert by_latency.slack(RESULT) == pytest.approx(by_throughput.slack(RESULT))
    assert by_latency.slack(RESULT) == pytest.approx(math.tanh(math.log(2) / 2))


def test_all_wrong_constraints_are_named_by_their_position() -> None:
    with pytest.raises(InvalidInput) as refused:
        constraints(["latency_p99 < 50", "latency_p99", "p99 < 5", "errors == 0", "latency_p99 < 50ms"], NAMES)
    message = str(refused.value)
    assert "constraints[1]: 'latency_p99' is no constraint; compare two numbers with <, <=, >, >=" in message
    assert "constraints[2]: expression 'p99 < 5', position 1: 'p99' is not known" in message
    assert "constraints[3]: 'errors == 0' is no constraint" in message
    assert "constraints[4]" in message
    assert "constraints[0]" not in message
