"""Constraints on other results: what breaks one is never the incumbent, and the search keeps to where they hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest

from otterflow.errors import InvalidInput
from otterflow.knobs.space import KnobSpace
from otterflow.tuner import Trial, incumbent, suggest

from .conftest import rate, trial_of


def slack_of(config: Mapping[str, Any]) -> float:
    """A constraint that the unconstrained optimum breaks: memory below 3,000, by its ratio."""
    memory: int = config["memory"]
    return (3000 - memory) / (3000 + memory)


def constrained(config: Mapping[str, Any]) -> Trial:
    trial = trial_of(config)
    return trial if trial.value is None else Trial(trial.config, trial.value, trial.state, (slack_of(config),))


@pytest.mark.slow
def test_the_search_ends_near_the_constraint_and_the_incumbent_keeps_it(space: KnobSpace) -> None:
    trials: list[Trial] = []
    for _ in range(22):
        trials.append(constrained(dict(suggest(space, trials, seed=2))))
    best = incumbent(space, trials)
    assert best.feasible
    assert 300 < cast(int, best.config["memory"]) < 3000
    assert rate(best.config) > 1.4 * rate(space.baseline())
    late = [t for t in trials[12:] if t.slacks]
    assert sum(t.slacks[0] >= 0 for t in late) > 0.6 * len(late)


def test_what_breaks_a_constraint_by_its_mean_is_never_the_incumbent(space: KnobSpace) -> None:
    fast = {**space.baseline(), "memory": 9000}
    trials = [Trial(space.baseline(), 1.0, "ok", (0.5,)), Trial(fast, 9.0, "ok", (0.02,))]
    assert incumbent(space, trials).config == fast
    again = [*trials, Trial(fast, 9.0, "ok", (-0.1,))]
    assert incumbent(space, again).config == space.baseline()
    lucky_once = [*again, Trial(fast, 9.0, "ok", (0.2,))]
    assert incumbent(space, lucky_once).config == fast


@pytest.mark.slow
def test_where_everything_breaks_a_constraint_the_least_broken_leads_and_is_said_to(space: KnobSpace) -> None:
    configs = [{**space.baseline(), "memory": m} for m in (10_000, 20_000, 30_000, 40_000)]
    trials = [Trial(c, float(i), "ok", (slack_of(c),)) for i, c in enumerate(configs)]
    best = incumbent(space, trials)
    assert best.config == configs[0]
    assert not best.feasible
    asked = [suggest(space, trials, seed=seed, budget=8) for seed in range(3)]
    assert min(cast(int, s["memory"]) for s in asked) < 10_000


@pytest.mark.slow
def test_the_chance_to_keep_the_constraints_is_said(space: KnobSpace) -> None:
    trials = [constrained({**space.baseline(), "memory": m}) for m in (100, 500, 1500, 4000, 9000, 20_000)]
    said = suggest(space, trials, budget=8)
    assert 0.3 < cast(float, said.feasible_probability) <= 1
    assert suggest(space, [Trial(t.config, t.value) for t in trials], budget=8).feasible_probability is None


@pytest.mark.slow
def test_a_constraint_that_always_holds_alike_changes_nothing(space: KnobSpace) -> None:
    trials = [trial_of({**space.baseline(), "memory": m}) for m in (100, 500, 1500, 4000, 9000, 20_000)]
    held = [Trial(t.config, t.value, t.state, (1.0,)) for t in trials]
    assert suggest(space, held, budget=8) == suggest(space, trials, budget=8)


@pytest.mark.parametrize(
    ("slacks", "said"),
    [
        ((), r"trials\[1\].slacks: 0 of them, the first ok trial has 1; give one for each constraint"),
        ((0.1, 0.2), r"trials\[1\].slacks: 2 of them"),
        ((float("nan"),), r"trials\[1\].slacks: nan is not a finite number; give -1 where it is not known"),
    ],
)
@pytest.mark.parametrize("call", [suggest, incumbent])
def test_slacks_that_do_not_fit_are_refused(
    space: KnobSpace, call: Callable[[KnobSpace, list[Trial]], object], slacks: tuple[float, ...], said: str
) -> None:
    trials = [Trial(space.baseline(), 1.0, "ok", (0.1,)), Trial({**space.baseline(), "memory": 5}, 1.0, "ok", slacks)]
    with pytest.raises(InvalidInput, match=said):
        call(space, trials)


def test_where_no_configuration_counts_as_measured_the_chance_is_even(space: KnobSpace) -> None:
    """Each failed more often than it was measured, so nothing is known of the constraint."""
    trials: list[Trial] = []
    for cost in (1.0, 2.0):
        config = {**space.baseline(), "cost": cost}
        trials += [Trial(config, 1.0, "ok", (0.5,)), *[Trial(config, None, "failed")] * 2]
    assert suggest(space, trials, budget=8).feasible_probability == 0.5
