"""Which of the winner's knobs go back to the baseline: by groups, by what was measured, and never into a crash."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from otterflow.experiment.ablation import Ablation, Question
from otterflow.knobs.space import Config, KnobSpace
from otterflow.tuner import Trial

KNOBS = 12
SPACE = KnobSpace.from_records(
    [{"name": f"k{i:02}", "type": "real", "min": 0.0, "max": 1.0, "default": 0.0} for i in range(KNOBS)]
)
BASELINE: Config = dict.fromkeys(SPACE.names, 0.0)
WINNER: Config = {**dict.fromkeys(SPACE.names, 1.0), "k11": 0.0}
GIVES = {"k00": 0.5, "k01": 0.3, "k02": 0.1}
"""What the knobs that matter give; all others but k11 were moved for nothing."""
IDLE = frozenset(SPACE.names) - {*GIVES, "k11"}
NOISE = 0.01


def value(config: Config, rng: np.random.Generator) -> float:
    return sum(GIVES.get(name, 0.0) * float(at) for name, at in config.items()) + NOISE * float(rng.normal())


@pytest.fixture(scope="module")
def searched() -> list[Trial]:
    """The baseline, random configurations, and the winner."""
    rng = np.random.default_rng(1)
    rows: list[Config] = [{name: float(rng.random()) for name in SPACE.names} for _ in range(24)]
    return [Trial(row, value(row, rng)) for row in [BASELINE, *rows, WINNER]]


def question(searched: list[Trial], made: list[Trial], most: int = 12) -> Question:
    return Question(
        space=SPACE, baseline=BASELINE, winner=WINNER, trials=searched, made=made, most=most, mean=0.9, limit=0.03
    )


def followed(searched: list[Trial], most: int, crashes: frozenset[str] = frozenset()) -> tuple[Ablation, list[Trial]]:
    """The whole ablation; a configuration with all of `crashes` at home crashes."""
    rng = np.random.default_rng(2)
    made: list[Trial] = []
    while len(made) < most and (step := Ablation(question(searched, made, most)).next()) is not None:
        is_fatal = bool(crashes) and crashes <= step.home
        made.append(Trial(step.config, None, "crashed") if is_fatal else Trial(step.config, value(step.config, rng)))
    return Ablation(question(searched, made, most)), made


@pytest.mark.slow
def test_what_was_moved_for_nothing_goes_home_and_what_matters_stays(searched: list[Trial]) -> None:
    asked, made = followed(searched, 12)
    reduced = asked.reduced()
    assert reduced is not None
    assert not reduced.home & {*GIVES}
    assert len(reduced.home & IDLE) >= 6
    assert reduced.config in [trial.config for trial in made], "what is put in force was measured"
    assert len(made) < 12, "it ends by itself"
    effects = {effect.knob: effect for effect in asked.effects()}
    assert set(effects) == {*SPACE.names} - {"k11"}, "a knob that was never changed has no effect"
    assert {name for name, effect in effects.items() if effect.is_home} == reduced.home
    assert effects["k00"].loss == pytest.approx(0.5, abs=0.15)
    assert effects["k00"].loss > 3 * effects["k00"].std


@pytest.mark.slow
def test_of_a_group_that_gave_no_value_no_more_than_half_is_tried_again(searched: list[Trial]) -> None:
    crashes = frozenset({"k05", "k09"})
    asked, made = followed(searched, 12, crashes)
    assert sum(trial.state == "crashed" for trial in made) >= 1, "the test is of no use else"
    fatal = [asked.home_of(trial.config) for trial in made if trial.state == "crashed"]
    homes = [asked.home_of(trial.config) for trial in made]
    for group in fatal:
        assert all(2 * len(group & later) <= len(group) for later in homes[homes.index(group) + 1 :])
    reduced = asked.reduced()
    assert reduced is not None
    assert not crashes <= reduced.home
    assert any(effect.fatal for effect in asked.effects() if not effect.is_home)


@pytest.mark.slow
def test_what_breaks_a_constraint_does_not_stay_at_home(searched: list[Trial]) -> None:
    home = dict(WINNER, **{name: 0.0 for name in IDLE})
    held = [Trial(t.config, t.value, slacks=(0.5,)) for t in searched]
    broken = [Trial(home, 0.9, slacks=(-0.1,))]
    assert Ablation(question(held, broken)).reduced() is None
    kept = Ablation(question(held, [Trial(home, 0.9, slacks=(0.1,))])).reduced()
    assert kept is not None
    assert kept.home == IDLE


def test_a_winner_that_is_the_baseline_has_nothing_to_send_home(searched: list[Trial]) -> None:
    asked = Ablation(
        Question(
            space=SPACE, baseline=BASELINE, winner=BASELINE, trials=searched, made=[], most=9, mean=0.0, limit=0.03
        )
    )
    assert asked.next() is None
    assert asked.reduced() is None


def test_what_two_measurements_say_of_one_knob_is_its_measured_effect(searched: list[Trial]) -> None:
    without = {**WINNER, "k02": 0.0}
    asked = Ablation(question(searched, [Trial(without, 0.70), Trial(WINNER, 0.82)]))
    effect = next(effect for effect in asked.effects() if effect.knob == "k02")
    once = searched[-1].value
    assert once is not None
    winner = np.mean([once, 0.82])
    assert effect.is_measured
    assert effect.loss == pytest.approx(winner - 0.70)
    assert effect.std == pytest.approx(asked.believed.noise * np.sqrt(1 / 2 + 1))
    assert not effect.is_home
    assert not next(e for e in asked.effects() if e.knob == "k01").is_measured


def test_a_group_that_was_missed_is_told_of_each_of_its_knobs(searched: list[Trial]) -> None:
    both = {**WINNER, "k00": 0.0, "k01": 0.0}
    asked = Ablation(question(searched, [Trial(both, 0.1)]))
    assert asked.reduced() is None
    for effect in asked.effects():
        if effect.knob in ("k00", "k01"):
            assert [set(group.knobs) for group in effect.groups] == [{"k00", "k01"}]
            assert effect.groups[0].loss == pytest.approx(0.8, abs=0.1)
        else:
            assert effect.groups == ()


def test_the_constraints_between_knobs_are_kept_on_the_way(searched: list[Trial]) -> None:
    """k03 may not go home without k04 doing so."""

    def repair(config: Config) -> Config:
        return {**config, "k03": 1.0} if config["k04"] else config

    asked = Ablation(replace(question(searched, [], most=2), repair=repair))
    step = asked.next()
    assert step is not None
    assert step.config == repair(step.config)
    assert asked.home_of(step.config) == step.home
    assert "k04" in step.home or "k03" not in step.home
