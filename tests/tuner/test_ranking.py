from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
import pytest

from otterflow.errors import InvalidInput
from otterflow.knobs.space import Config, KnobSpace
from otterflow.tuner import Trial
from otterflow.tuner.encoding import Array
from otterflow.tuner.history import pool
from otterflow.tuner.importance import total_effects
from otterflow.tuner.lasso import lasso_scores
from otterflow.tuner.model import fit_model
from otterflow.tuner.ranking import COVERED, Ranking, combine, knobs_for, prior_ranking, rank, rank_by
from otterflow.tuner.search import random_genes
from tests.tuner.conftest import trial_of


def tried(space: KnobSpace, n: int, seed: int = 0) -> list[Trial]:
    """`n` random configurations of the space, measured by the made-up server."""
    encoder = pool(space, []).encoder
    return [trial_of(encoder.config(g)) for g in random_genes(encoder, np.random.default_rng(seed), n)]


def wide_space(n_knobs: int = 12) -> KnobSpace:
    records = [{"name": f"k{i}", "type": "real", "min": 0.0, "max": 1.0, "default": 0.5} for i in range(n_knobs)]
    return KnobSpace.from_records(records)


def measured_by(space: KnobSpace, function: Callable[[Mapping[str, Any]], float], n: int, seed: int = 0) -> list[Trial]:
    rng = np.random.default_rng(seed)
    configs: list[dict[str, Any]] = [{name: float(rng.random()) for name in space.names} for _ in range(n)]
    return [Trial(c, function(c) + 0.02 * float(rng.standard_normal())) for c in configs]


@pytest.mark.slow
def test_the_knobs_that_matter_lead(space: KnobSpace) -> None:
    ranking = rank(space, tried(space, 40))
    assert set(ranking.names[:2]) == {"memory", "jit"}
    assert ranking.shares["memory"] + ranking.shares["jit"] > 0.8
    assert sum(ranking.shares.values()) == pytest.approx(1.0)
    assert max(ranking.lasso, key=ranking.lasso.__getitem__) == "memory"


@pytest.mark.slow
def test_every_knob_is_ranked_once_and_shares_fall(space: KnobSpace) -> None:
    ranking = rank(space, tried(space, 20))
    assert sorted(ranking.names) == sorted(space.names)
    shares = [ranking.shares[name] for name in ranking.names]
    assert shares == sorted(shares, reverse=True)


@pytest.mark.slow
def test_the_order_of_the_trials_does_not_matter(space: KnobSpace) -> None:
    trials = tried(space, 25)
    shuffled = trials.copy()
    random.Random(3).shuffle(shuffled)
    assert rank(space, shuffled) == rank(space, trials)


@pytest.mark.slow
def test_a_peak_in_the_middle_is_seen_by_both_methods() -> None:
    space = wide_space()
    ranking = rank(space, measured_by(space, lambda c: -((c["k7"] - 0.5) ** 2) * 8, 50))
    assert ranking.names[0] == "k7"
    assert max(ranking.lasso, key=ranking.lasso.__getitem__) == "k7"


@pytest.mark.slow
def test_a_pure_interaction_is_seen_by_the_lasso() -> None:
    space = wide_space(6)
    trials = measured_by(space, lambda c: 4 * (c["k1"] - 0.5) * (c["k4"] - 0.5), 60)
    scores = lasso_scores(pool(space, trials), np.random.default_rng(0))
    assert set(np.argsort(-scores)[:2]) == {1, 4}
    assert scores[[1, 4]].min() > 1.5 * np.delete(scores, [1, 4]).max()


@pytest.mark.slow
def test_a_special_value_that_matters_is_seen(space: KnobSpace) -> None:
    def value(config: Config) -> float:
        return 1.0 if config["delay"] == 0 else 0.0

    encoder = pool(space, []).encoder
    configs = [encoder.config(g) for g in random_genes(encoder, np.random.default_rng(1), 50)]
    noise = np.random.default_rng(2).normal(0.0, 0.02, 50)
    ranking = rank(space, [Trial(c, value(c) + float(e)) for c, e in zip(configs, noise, strict=True)])
    assert ranking.names[0] == "delay"
    assert max(ranking.lasso, key=ranking.lasso.__getitem__) == "delay"


def test_units_do_not_matter_to_the_lasso() -> None:
    def scores(factor: float) -> Array:
        records = [{"name": n, "type": "real", "min": 0.0, "max": factor, "default": 0.0} for n in ("a", "b", "c")]
        rng = np.random.default_rng(4)
        points = rng.random((30, 3))
        trials = [Trial(dict(zip("abc", p * factor, strict=True)), float(p[0] + 0.3 * p[2])) for p in points]
        return lasso_scores(pool(KnobSpace.from_records(records), trials), np.random.default_rng(0))

    assert scores(1024.0) == pytest.approx(scores(1.0))


@pytest.mark.slow
def test_total_effects_add_up_for_an_additive_function() -> None:
    space = wide_space(4)
    trials = measured_by(space, lambda c: 3 * c["k0"] + c["k1"], 60)
    history = pool(space, trials)
    effects = total_effects(history, fit_model(history, np.random.default_rng(0)), np.random.default_rng(1))
    assert effects[0] / effects[1] == pytest.approx(9.0, rel=0.5)
    assert effects[:2].sum() == pytest.approx(1.0, abs=0.35)
    assert effects[2:].max() < 0.05


def test_measurements_that_are_all_alike_have_no_effects(space: KnobSpace) -> None:
    history = pool(space, [Trial(t.config, 5.0) for t in tried(space, 8)])
    ranking = rank_by(history, fit_model(history, np.random.default_rng(0)))
    assert sum(ranking.shares.values()) == pytest.approx(1.0)
    assert max(ranking.effects.values()) < 1e-6
    assert set(ranking.lasso.values()) == {0.0}


@pytest.mark.slow
def test_without_the_lasso_the_order_is_the_same(space: KnobSpace) -> None:
    history = pool(space, tried(space, 30))
    model = fit_model(history, np.random.default_rng(0))
    full, quick = rank_by(history, model), rank_by(history, model, lasso=False)
    assert (quick.names, quick.shares, quick.effects) == (full.names, full.shares, full.effects)
    assert set(quick.lasso.values()) == {0.0}


@pytest.mark.parametrize("n", [0, 1, 3])
def test_without_enough_trials_the_space_gives_the_order(space: KnobSpace, n: int) -> None:
    assert rank(space, tried(space, 20)[:n]) == prior_ranking(space)


def test_trials_that_all_measured_alike_or_crashed_rank_nothing(space: KnobSpace) -> None:
    trials = tried(space, 20)
    assert rank(space, [Trial(t.config, 5.0) for t in trials]) == prior_ranking(space)
    assert rank(space, [Trial(t.config, None, "crashed") for t in trials]) == prior_ranking(space)


@pytest.mark.slow
def test_a_knob_that_was_never_varied_is_last_by_the_lasso_and_still_ranked(space: KnobSpace) -> None:
    trials = [Trial({**t.config, "cost": 4.0}, t.value, t.state) for t in tried(space, 30)]
    ranking = rank(space, trials)
    assert ranking.lasso["cost"] == 0.0
    assert "cost" in ranking.names


def test_bad_trials_are_refused_by_position(space: KnobSpace) -> None:
    with pytest.raises(InvalidInput, match=r"trials\[1\]\.value: nan"):
        rank(space, [Trial(space.baseline(), 1.0), Trial(space.baseline(), math.nan)])


@pytest.mark.slow
def test_a_ranking_survives_json(space: KnobSpace) -> None:
    ranking = rank(space, tried(space, 15))
    assert Ranking.from_dict(json.loads(json.dumps(ranking.as_dict()))) == ranking


def ranking_of(shares: list[float]) -> Ranking:
    names = tuple(f"k{i}" for i in range(len(shares)))
    by_name = dict(zip(names, shares, strict=True))
    return Ranking(names, by_name, by_name, by_name, 20)


def test_more_trials_take_in_more_knobs() -> None:
    ranking = ranking_of([0.97] + [0.03 / 29] * 29)
    assert knobs_for(ranking, 0) == ("k0", "k1", "k2", "k3")
    assert len(knobs_for(ranking, 20)) == 8
    assert len(knobs_for(ranking, 1000)) == 30


def test_a_ranking_that_is_not_sure_keeps_most_knobs(space: KnobSpace) -> None:
    assert len(knobs_for(ranking_of([1 / 30] * 30), 0)) == math.ceil(COVERED * 30)
    assert knobs_for(prior_ranking(space), 0) == space.names


def test_rankings_of_several_experiments_are_weighted_by_what_they_measured() -> None:
    first = Ranking(("a", "b"), {"a": 0.9, "b": 0.1}, {"a": 1.0, "b": 0.1}, {"a": 1.0, "b": 0.5}, 30)
    second = Ranking(("b", "c"), {"b": 0.5, "c": 0.5}, {"b": 0.5, "c": 0.5}, {"b": 1.0, "c": 0.0}, 10)
    both = cast(Ranking, combine([first, second, prior_ranking(wide_space())]))
    assert both.names == ("a", "c", "b")
    assert both.shares == pytest.approx({"a": 0.9 / 1.6, "c": 0.5 / 1.6, "b": 0.2 / 1.6})
    assert both.effects["b"] == pytest.approx(0.2)
    assert both.lasso["b"] == pytest.approx(0.625)
    assert both.measured == 40


def test_rankings_without_measurements_combine_to_nothing(space: KnobSpace) -> None:
    assert combine([prior_ranking(space)]) is None
    assert combine([]) is None


def test_a_ranking_of_another_space_keeps_what_it_knows(space: KnobSpace) -> None:
    known = Ranking(("jit", "old", "cost"), {"jit": 0.6, "old": 0.3, "cost": 0.1}, {}, {}, 25)
    ranking = known.for_space(space)
    assert ranking.names[0] == "jit"
    assert ranking.names[-1] == "cost"
    assert sorted(ranking.names) == sorted(space.names)
    assert sum(ranking.shares.values()) == pytest.approx(1.0)
    assert ranking.shares["jit"] == pytest.approx(6 * ranking.shares["cost"])
    assert ranking.measured == 25
    assert Ranking(("old",), {"old": 1.0}, {}, {}, 25).for_space(space) == prior_ranking(space)
