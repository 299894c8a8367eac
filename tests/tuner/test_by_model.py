from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest

from otterflow.knobs.space import KnobSpace
from otterflow.tuner import Trial, suggest
from otterflow.tuner.algorithms.by_model import ByModel
from otterflow.tuner.encoding import Array
from otterflow.tuner.options import Mode, Options
from otterflow.tuner.turn import Turn

from .conftest import a_dozen

SMALL = KnobSpace.from_records(
    [
        {"name": "memory", "type": "integer", "min": 0, "max": 15, "default": 2},
        {"name": "jit", "type": "boolean", "default": True},
    ]
)


def measured(config: Mapping[str, Any]) -> Trial:
    """A server that more than 7 of memory crash."""
    if config["memory"] > 7:
        return Trial(dict(config), None, "crashed")
    return Trial(dict(config), 100.0 + config["memory"] * (1 + config["jit"]), "ok")


@dataclass(frozen=True)
class MoreIsBetter:
    """A model that is sure that more memory is better."""

    tried_means: Array

    def predict(self, features: Array) -> tuple[Array, Array]:
        return features[:, 0], np.full(len(features), 0.1)

    def expected_improvement(self, features: Array) -> Array:
        return features[:, 0] + 1e-9


@dataclass(frozen=True)
class CostIsGood:
    """A model that is sure that more of the second knob is better, and its special value worst."""

    tried_means: Array

    def predict(self, features: Array) -> tuple[Array, Array]:
        return features[:, 1], np.full(len(features), 0.1)

    def expected_improvement(self, features: Array) -> Array:
        return np.where(features[:, 2] > 0, 0.0, features[:, 1]) + 1e-9


@dataclass(frozen=True)
class Crashes:
    """The mean and the worst of the chances that draws give where memory is beyond a half."""

    mean: float
    worst: float

    def probability(self, features: Array) -> Array:
        return np.where(features[:, 0] > 0.5, self.mean, 0.0)

    def at_worst(self, features: Array) -> Array:
        return np.where(features[:, 0] > 0.5, self.worst, 0.0)


def memory_of(mode: Mode = "explore", **crashes: tuple[float, float]) -> float:
    """What is suggested where memory is good and likely to crash, as the crash models of `crashes` have it."""
    space = KnobSpace.from_records([{"name": "memory", "type": "real", "min": 0.0, "max": 1.0, "default": 0.2}])
    trials = [Trial({"memory": m}, m, "ok") for m in (0.2, 0.3, 0.4)]
    turn = Turn(space, trials, [], Options(mode=mode))
    for name, (mean, worst) in crashes.items():
        turn.__dict__[name] = Crashes(mean, worst)  # in the place of the cached property
    idea = ByModel(lambda history, _: MoreIsBetter(history.means[history.ok]), "more", polish=True)
    return cast(float, idea(turn)["memory"])


@pytest.mark.parametrize(
    ("mode", "worst", "tried"), [("explore", 0.07, True), ("explore", 0.09, False), ("safe", 0.07, False)]
)
def test_what_one_draw_fears_beyond_the_limit_is_not_tried(mode: Mode, worst: float, tried: bool) -> None:
    """The limit is 8 %, and 6 % in mode safe, whatever the draws' mean."""
    assert (memory_of(mode, crashes=(0.0, worst), feared=(0.0, worst)) > 0.5) is tried


@pytest.mark.parametrize(("mode", "tried"), [("explore", True), ("safe", False)])
def test_what_crashed_elsewhere_forbids_nothing_but_in_mode_safe(mode: Mode, tried: bool) -> None:
    assert (memory_of(mode, crashes=(0.0, 0.0), feared=(0.3, 0.3)) > 0.5) is tried


def test_what_is_worth_less_for_its_crashes_elsewhere_gives_way() -> None:
    assert memory_of(crashes=(0.0, 0.0), feared=(0.3, 0.999)) <= 0.5


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["explore", "safe"])
def test_where_only_crashes_are_left_the_best_is_measured_again(mode: Mode) -> None:
    trials = [measured({"memory": m, "jit": j}) for m in range(16) for j in (True, False) if m != 13]
    suggestion = suggest(SMALL, trials, mode=mode)
    assert dict(suggestion) == {"memory": 7, "jit": True}
    assert cast(float, suggestion.crash_probability) < 0.5


@pytest.mark.slow
def test_a_small_space_is_tried_to_its_end_and_then_the_best_again() -> None:
    trials = [Trial({"memory": m, "jit": j}, float(m), "ok") for m in range(16) for j in (True, False)]
    for left_out in (3, 12, 31):
        suggestion = suggest(SMALL, [t for t in trials if t is not trials[left_out]])
        assert dict(suggestion) == trials[left_out].config
    assert suggest(SMALL, trials)["memory"] == 15


@pytest.mark.slow
def test_a_failed_trial_is_no_crash_and_does_not_end_the_climbing(space: KnobSpace) -> None:
    trials = a_dozen(space)
    for state, daring in (("failed", True), ("timed_out", True), ("crashed", False)):
        idea = suggest(space, [*trials, Trial({**space.baseline(), "workers": 7}, None, state)]).reasons["idea"]
        assert ("polished" in idea or "climbed" in idea) is daring


def test_in_mode_safe_numbers_go_little_by_little_beyond_what_survived() -> None:
    """Where more is better and nothing has crashed yet, explore goes to the end at once, safe an eighth at a time."""
    space = KnobSpace.from_records(
        [
            {"name": "memory", "type": "real", "min": 0.0, "max": 1.0, "default": 0.2},
            {"name": "cost", "type": "integer", "min": 0, "max": 10, "default": 5, "special": [-1]},
        ]
    )
    idea = ByModel(lambda history, rng: MoreIsBetter(history.features[history.ok][:, 0]), "more is better")

    def highest(mode: Mode, trials: list[Trial]) -> float:
        turn = Turn(space, trials, [], Options(seed=1, mode=mode))
        turn.__dict__["crashes"] = Crashes(0.0, 0.0)
        return cast(float, idea(turn)["memory"])

    trials = [Trial({"memory": m, "cost": c}, 1.0 + m) for m, c in ((0.2, 5), (0.25, -1))]
    crashed = Trial({"memory": 0.9, "cost": 5}, None, "crashed")
    assert highest("explore", trials) > 0.9
    for _ in range(4):
        reached = max(cast(float, t.config["memory"]) for t in trials)
        step = highest("safe", [*trials, crashed]) - reached
        assert 0.0 < step <= 0.12 + 1e-9
        trials.append(Trial({"memory": reached + step, "cost": 5}, 1.0 + reached + step))
    assert reached > 0.4


@pytest.mark.parametrize(("levels", "survived", "next_one"), [(4, 1, 2), (14, 3, 4), (20, 3, 5), (40, 3, 7)])
def test_in_mode_safe_a_number_of_few_levels_goes_an_eighth_or_one_level_beyond_what_survived(
    levels: int, survived: int, next_one: int
) -> None:
    space = KnobSpace.from_records(
        [
            {"name": "memory", "type": "integer", "min": 0, "max": levels - 1, "default": 1},
            {"name": "cost", "type": "real", "min": 0.0, "max": 1.0, "default": 0.5},
        ]
    )
    idea = ByModel(lambda history, rng: MoreIsBetter(history.features[history.ok][:, 0]), "more is better")
    trials = [Trial({"memory": survived, "cost": c}, 1.0) for c in (0.4, 0.5)]
    assert idea(Turn(space, trials, [], Options(seed=1, mode="safe")))["memory"] == next_one
    assert idea(Turn(space, trials, [], Options(seed=1)))["memory"] == levels - 1


def test_in_mode_safe_a_number_that_was_only_ever_special_may_go_anywhere() -> None:
    space = KnobSpace.from_records(
        [
            {"name": "memory", "type": "real", "min": 0.0, "max": 1.0, "default": 0.2},
            {"name": "cost", "type": "real", "min": 0.0, "max": 1.0, "default": -1, "special": [-1]},
        ]
    )
    idea = ByModel(lambda history, rng: CostIsGood(np.zeros(2)), "cost is good")
    turn = Turn(space, [Trial({"memory": m, "cost": -1}, 1.0) for m in (0.2, 0.25)], [], Options(seed=1, mode="safe"))
    assert cast(float, idea(turn)["cost"]) > 0.9
