"""The algorithms to choose from: what all of them share, and what is each one's own."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from otterflow.errors import InvalidInput
from otterflow.knobs.space import Config, KnobSpace
from otterflow.tuner import Trial, incumbent, suggest
from otterflow.tuner.algorithms import ALGORITHMS, with_optuna
from otterflow.tuner.algorithms.climb import climbed
from otterflow.tuner.algorithms.few_knobs import children_of_few, leading_knobs
from otterflow.tuner.algorithms.without_model import latin_hypercube
from otterflow.tuner.encoding import Array, Encoder
from otterflow.tuner.history import pool
from otterflow.tuner.model import fit_model
from otterflow.tuner.options import Options
from otterflow.tuner.ranking import Ranking
from otterflow.tuner.trial import Suggestion
from otterflow.tuner.turn import Turn

from .conftest import rate, trial_of

OWN = [name for name in ALGORITHMS if not name.startswith("optuna_")]
RULES: Config = {"memory": 1000, "cost": 1.1, "delay": 0, "jit": True, "method": "b", "workers": 2}


def run(space: KnobSpace, n_trials: int, **options: Any) -> tuple[list[Trial], list[Suggestion]]:
    trials: list[Trial] = []
    suggestions: list[Suggestion] = []
    for _ in range(n_trials):
        suggestions.append(suggest(space, trials, **options))
        space.validate(suggestions[-1])
        trials.append(trial_of(suggestions[-1]))
    return trials, suggestions


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", OWN)
def test_all_share_baseline_rules_repair_and_no_configuration_twice(space: KnobSpace, algorithm: str) -> None:
    def repair(config: Config) -> Config:
        return {**config, "workers": 3}

    trials, suggestions = run(space, 9, algorithm=algorithm, rules=RULES, budget=9, repair=repair)
    assert [s.kind for s in suggestions[:2]] == ["baseline", "rules"]
    assert all(s["workers"] == 3 for s in suggestions[2:])
    assert len({tuple(t.config.items()) for t in trials}) == 9
    for said in suggestions[2:]:
        assert 0 <= cast(float, said.crash_probability) <= 1
        assert said.reasons["idea"]
    again = suggest(space, trials[:-1], algorithm=algorithm, rules=RULES, budget=9, repair=repair)
    assert again == suggestions[-1]


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["gpr", "dnn", "forest"])
def test_the_models_find_much_more_than_the_default_and_say_what_they_expect(space: KnobSpace, algorithm: str) -> None:
    trials, suggestions = run(space, 18, algorithm=algorithm, seed=3)
    assert rate(incumbent(space, trials).config) > 1.5 * rate(space.baseline())
    assert suggestions[-1].kind == "model"
    assert cast(float, suggestions[-1].predicted_std) > 0
    assert suggestions[-1].reasons["idea"].startswith(f"{algorithm}: ")


def test_a_latin_hypercube_spreads_each_knob_and_gives_special_values_their_share(space: KnobSpace) -> None:
    points = latin_hypercube(Encoder(space), 40, seed=1)
    cost = np.sort(points[:, space.names.index("cost")])
    assert np.all(np.abs(cost - (np.arange(40) + 0.5) / 40) < 0.5 / 40 + 1e-9)
    delay = points[:, space.names.index("delay")]
    assert [(delay == special).sum() for special in (-1, -2)] == [4, 4]
    assert sorted(np.unique(points[:, space.names.index("method")], return_counts=True)[1]) == [13, 13, 14]


@pytest.mark.slow
def test_lhs_is_one_design_whatever_the_trials_gave(space: KnobSpace) -> None:
    good, _ = run(space, 10, algorithm="lhs", budget=10, seed=4)
    trials: list[Trial] = []
    for told in good:
        assert dict(suggest(space, trials, algorithm="lhs", budget=10, seed=4)) == told.config
        trials.append(Trial(told.config, 1.0))
    assert dict(suggest(space, trials, algorithm="lhs", budget=10, seed=4)) not in [t.config for t in trials]


@pytest.mark.slow
def test_random_keeps_away_from_where_the_server_is_known_to_crash(space: KnobSpace) -> None:
    rng = np.random.default_rng(0)
    trials: list[Trial] = []
    for jit in (True, False) * 12:
        config = {**space.baseline(), "jit": jit, "cost": float(rng.uniform(0.1, 8.0)), "workers": int(rng.integers(9))}
        trials.append(Trial(config, 1.0) if jit else Trial(config, None, "crashed"))
    asked = [suggest(space, trials, algorithm="random", seed=seed) for seed in range(8)]
    assert all(s["jit"] for s in asked)
    assert len({s["memory"] for s in asked}) >= 6


def test_a_climb_reaches_the_top_from_afar_over_mixed_knobs(space: KnobSpace) -> None:
    encoder = Encoder(space)
    goal = encoder.genotype({**space.baseline(), "memory": 9000, "cost": 2.0, "jit": False, "delay": 0})

    def worth(genotypes: Array) -> Array:
        value: Array = -np.abs(genotypes - goal).sum(axis=1)
        return value

    start = encoder.genotypes([space.baseline()])
    top = climbed(encoder, worth, start, np.random.default_rng(0))[0]
    assert worth(top[None])[0] > 0.1 * worth(start)[0]
    assert encoder.config(top)["delay"] == 0


@pytest.mark.parametrize(
    ("options", "field", "said"),
    [
        ({"algorithm": "magic"}, "algorithm", "'magic' is unknown; use one of default, gpr, dnn"),
        ({"algorithm": "lhs", "mode": "safe"}, "mode", "use mode explore, or one of default"),
    ],
)
def test_a_wrong_choice_is_refused_by_name(space: KnobSpace, options: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as refused:
        suggest(space, [], **options)
    assert refused.value.problems[0].field == field


def test_optuna_is_asked_for_by_name_where_it_is_not_installed(
    space: KnobSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(with_optuna, "installed", lambda: False)
    with pytest.raises(InvalidInput, match="algorithm: 'optuna_tpe' needs optuna, which is not installed; install it"):
        suggest(space, [], algorithm="optuna_tpe")


class FakeStudy:
    """Optuna's study as far as the tuner uses it; asks for the same configuration each time but the last."""

    def __init__(self, asked: list[dict[str, Any]]) -> None:
        self.told: list[tuple[Any, Any, float]] = []
        self.asked = iter(asked)

    def add_trial(self, trial: tuple[Any, Any, float]) -> None:
        self.told.append(trial)

    def ask(self, distributions: object) -> SimpleNamespace:
        return SimpleNamespace(params=next(self.asked))


def test_optuna_is_told_all_trials_in_its_own_words_and_asked_until_it_says_something_new(
    space: KnobSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = {"memory": 0.5, "cost": 0.5, "delay": 0.5, "delay: mode": 1, "jit": 0, "method": 2, "workers": 1.0}
    start = {"memory": 0.4, "cost": 0.4937, "delay": 0.5, "delay: mode": 0, "jit": 1, "method": 0, "workers": 0.25}
    study = FakeStudy([params, {**params, "method": 1}])
    fake = SimpleNamespace(
        logging=SimpleNamespace(set_verbosity=lambda level: None, ERROR=40),
        create_study=lambda direction, sampler: study,
        samplers=SimpleNamespace(TPESampler=lambda **settings: settings),
        distributions=SimpleNamespace(
            FloatDistribution=lambda low, high: (low, high), CategoricalDistribution=lambda choices: choices
        ),
        trial=SimpleNamespace(create_trial=lambda params, distributions, value: (params, distributions, value)),
    )
    monkeypatch.setattr(with_optuna, "installed", lambda: True)
    monkeypatch.setitem(sys.modules, "optuna", fake)
    tried: Config = {"memory": 316, "cost": 4.05, "delay": 0, "jit": False, "method": "c", "workers": 8}
    trials = [Trial(space.baseline(), 5.0), Trial(tried, None, "crashed"), Trial({**tried, "memory": 9}, 3.0)]
    said = suggest(space, trials, algorithm="optuna_tpe")
    assert dict(said) == {**tried, "method": "b"}
    assert said.crash_probability is not None
    assert [value for _, _, value in study.told] == [5.0, 3.0, 3.0]
    assert study.told[0][0] == pytest.approx(start, abs=1e-3)
    assert study.told[0][1]["delay: mode"] == ("range", 0, 1)


@pytest.mark.slow
def test_a_space_of_one_switch_is_answered_by_every_algorithm_beyond_its_end() -> None:
    space = KnobSpace.from_records([{"name": "jit", "type": "boolean", "default": True}])
    for algorithm in OWN:
        trials: list[Trial] = []
        for _ in range(6):
            trials.append(Trial(dict(suggest(space, trials, algorithm=algorithm, budget=6)), 1.0))
        assert {t.config["jit"] for t in trials} == {True, False}


def trials_of(space: KnobSpace, n_trials: int) -> list[Trial]:
    trials: list[Trial] = []
    while len(trials) < n_trials:
        trials.append(trial_of(dict(suggest(space, trials, seed=3))))
    return trials


@pytest.mark.slow
def test_ranked_candidates_move_only_the_leading_knobs_and_the_rest_stays_as_in_the_best(space: KnobSpace) -> None:
    trials = trials_of(space, 12)
    history = pool(space, trials)
    turn = Turn(space, trials, [], Options(ranked=True))
    model = fit_model(history, np.random.default_rng(0))
    names = leading_knobs(turn, history, model)
    assert {"memory", "jit"} <= set(names)
    starts = history.genotypes[history.ok][np.argsort(-model.tried_means)[:4]]

    def offered(bounds: tuple[Array, Array] | None) -> Array:
        return children_of_few(
            turn, names[:2], lambda g: g[:, 0], starts, shares=(0.5, 0.8), nears=(0.0,), bounds=bounds
        )

    found, first = offered(None), space.names.index("memory")
    assert found[:, first].max() > 0.9
    assert offered((np.zeros(len(space)), np.full(len(space), 0.3)))[:, first].max() <= 0.3
    moved = [space.names[j] for j in np.flatnonzero((found != starts[0]).any(axis=0))]
    assert set(moved) <= set(names[:2])
    assert moved


@pytest.mark.slow
def test_a_ranking_from_elsewhere_has_its_say_and_is_named_in_the_reasons(space: KnobSpace) -> None:
    trials = trials_of(space, 12)
    shares = dict.fromkeys(space.names, 0.0) | {"delay": 0.9, "cost": 0.1}
    elsewhere = Ranking(("delay", "cost", "memory", "jit", "method", "workers"), shares, shares, shares, 1000)
    said = suggest(space, trials, seed=3, ranked=True, ranking=elsewhere)
    assert said.reasons["leading_knobs"][0] == "delay"
    assert "leading_knobs" not in suggest(space, trials, seed=3).reasons


def test_measurements_that_are_all_alike_rank_nothing(space: KnobSpace) -> None:
    trials = [Trial({**space.baseline(), "memory": m}, 7.0) for m in (100, 500, 2000, 9000, 20_000, 30_000, 40_000)]
    assert suggest(space, trials, ranked=True, budget=10).reasons["leading_knobs"] == list(space.names)
