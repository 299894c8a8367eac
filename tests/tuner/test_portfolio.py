from __future__ import annotations

import pytest

from otterflow.knobs.space import KnobSpace
from otterflow.tuner import Trial, suggest
from otterflow.tuner.algorithms.portfolio import CAUTIOUS, IDEAS, idea_of
from otterflow.tuner.design import SHARES

from .conftest import a_dozen, trial_of


def test_each_idea_has_its_turn_in_every_round_in_an_order_of_its_own() -> None:
    rounds = [
        tuple(idea_of("explore", 5, len(IDEAS) * r + place).idea for place in range(len(IDEAS))) for r in range(8)
    ]
    assert {frozenset(r) for r in rounds} == {frozenset(idea.idea for idea in IDEAS)}
    assert len(set(rounds)) > 1
    assert idea_of("explore", 5, 7) is idea_of("explore", 5, 7)
    assert [idea_of("explore", s, 3) for s in range(9)] != [idea_of("explore", 5, 3)] * 9


@pytest.mark.slow
def test_the_reasons_say_whose_turn_it_was(space: KnobSpace) -> None:
    trials = a_dozen(space)
    for _ in IDEAS:
        suggestion = suggest(space, trials, seed=2)
        assert suggestion.kind == "model"
        crashed = any(trial.state == "crashed" for trial in trials)
        assert suggestion.reasons["idea"] == idea_of("explore", 2, len(trials), crashed).idea
        trials.append(trial_of(suggestion))


def test_the_design_moves_few_and_many_knobs_in_turn_but_never_many_in_mode_safe() -> None:
    assert min(SHARES["explore"]) < 0.4 < 0.8 < max(SHARES["explore"])
    assert max(SHARES["safe"]) <= 0.2


def test_mode_safe_neither_polishes_nor_climbs() -> None:
    turns = {idea_of("safe", 1, number).idea for number in range(3 * len(CAUTIOUS))}
    assert turns == {idea.idea for idea in CAUTIOUS}
    assert not any(idea.climb or idea.polish for idea in CAUTIOUS)


@pytest.mark.slow
def test_nobody_climbs_once_the_server_has_crashed(space: KnobSpace) -> None:
    trials = a_dozen(space)
    trials.append(Trial({**space.baseline(), "cost": 8.0}, None, "crashed"))
    said = set()
    for _ in range(2 * len(CAUTIOUS)):
        said.add(suggest(space, trials, seed=2).reasons["idea"])
        trials.append(trial_of(suggest(space, trials, seed=2)))
    assert said == {idea.idea for idea in CAUTIOUS}
