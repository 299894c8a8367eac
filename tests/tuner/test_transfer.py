from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from otterflow.errors import InvalidInput
from otterflow.knobs.space import Config, KnobSpace
from otterflow.tuner import PastExperiment, Trial, suggest, suggest_batch
from otterflow.tuner.encoding import Encoder
from otterflow.tuner.history import History, pool
from otterflow.tuner.model import Model, fit_model
from otterflow.tuner.options import Options
from otterflow.tuner.past import PastModel, fit_past
from otterflow.tuner.search import random_genes
from otterflow.tuner.transfer import (
    Chorus,
    TransferModel,
    Voice,
    beyond_chance,
    ensemble_weights,
    losses,
    slope,
    weigh,
    with_past,
)
from otterflow.tuner.turn import MOST_PAST, Turn

from .conftest import RECORDS, model_of, rate, throughput, trial_of

RULES: Config = {"memory": 1000, "cost": 1.1, "delay": 0, "jit": True, "method": "b", "workers": 2}


def trials_of(
    space: KnobSpace, n: int, seed: int, value: Callable[[dict[str, Any]], float | None] = throughput
) -> list[Trial]:
    encoder = Encoder(space)
    configs = [encoder.config(g) for g in random_genes(encoder, np.random.default_rng(seed), n)]
    values = [value(c) for c in configs]
    return [Trial(c, v, "ok" if v is not None else "crashed") for c, v in zip(configs, values, strict=True)]


def opposite(config: Mapping[str, Any]) -> float | None:
    """Another workload: what is good for the first is bad for it."""
    value = throughput(config)
    return None if value is None else 1e6 / value


@pytest.fixture
def alike(space: KnobSpace) -> PastExperiment:
    """The same server measured in another unit: a past experiment with the same order."""
    trials = trials_of(space, 40, 1, lambda c: None if (v := throughput(c)) is None else 7.0 + v / 60)
    return PastExperiment("alike", space, trials)


@pytest.fixture
def unlike(space: KnobSpace) -> PastExperiment:
    return PastExperiment("unlike", space, trials_of(space, 40, 2, opposite))


def voices(space: KnobSpace, *past: PastExperiment) -> list[Voice]:
    return [Voice.of(model_of(p), Encoder(space)) for p in past]


def test_a_loss_counts_the_pairs_in_the_wrong_order() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0])
    predicted = np.array([[1.1, 2.1, 3.1, 4.1], [2.5, 2.1, 3.1, 4.1], [4.0, 3.0, 2.0, 1.0]])
    assert list(losses(predicted, values)) == [0, 1, 8]


def test_a_weight_is_how_often_a_model_ranks_best() -> None:
    past = np.array([[0.0, 0.0, 5.0, 5.0], [9.0, 9.0, 9.0, 2.0]])
    assert list(ensemble_weights(past, np.array([3.0, 3.0, 3.0, 20.0]))) == [0.5, 0.25]


def test_the_current_model_wins_a_tie_and_past_models_share_one() -> None:
    same = np.zeros((2, 4))
    assert list(ensemble_weights(same, np.zeros(4))) == [0, 0]
    assert list(ensemble_weights(same, np.ones(4))) == [0.5, 0.5]


def test_a_past_model_that_is_mostly_worse_is_dropped_even_if_lucky_at_times() -> None:
    past = np.array([[0.0, 8.0, 8.0, 8.0]])
    assert list(ensemble_weights(past, np.array([1.0, 2.0, 3.0, 4.0]))) == [0]
    assert list(ensemble_weights(past, np.array([1.0, 2.0, 3.0, 20.0]))) == [0.5]


def test_what_a_coin_would_win_is_no_weight() -> None:
    assert list(beyond_chance(np.array([0.3, 0.2]))) == [0, 0]
    assert list(beyond_chance(np.array([0.5, 0.25]))) == pytest.approx([1 / 3, 1 / 6])
    assert list(beyond_chance(np.zeros(2))) == [0, 0]


def test_a_slope_follows_the_scale_and_never_turns_the_order_round() -> None:
    predicted = np.linspace(-1, 1, 50)
    assert slope(predicted, 3.0 * predicted) == pytest.approx((3.0, 1.0), rel=0.02)
    assert slope(predicted, -predicted) == (0.0, 0.0)


def test_a_slope_that_may_as_well_be_chance_is_not_sure() -> None:
    rng = np.random.default_rng(3)
    predicted = rng.standard_normal(20)
    by_chance = [slope(predicted, rng.standard_normal(20))[1] for _ in range(50)]
    assert np.mean(by_chance) < 0.25
    assert slope(predicted, predicted + 0.3 * rng.standard_normal(20))[1] > 0.9


def test_an_alike_experiment_outweighs_few_trials_and_an_unlike_one_falls_silent(
    space: KnobSpace, alike: PastExperiment, unlike: PastExperiment
) -> None:
    rng = np.random.default_rng(0)
    few = weigh(pool(space, trials_of(space, 6, 3)), voices(space, alike, unlike), rng)
    assert few.weights[0] > 0.25
    assert few.weights[1] < 0.1
    more = weigh(pool(space, trials_of(space, 20, 3)), voices(space, unlike), rng)
    assert more.weights.sum() < 0.05


@pytest.mark.slow
def test_past_models_say_where_values_are_high_before_the_trials_do(space: KnobSpace, alike: PastExperiment) -> None:
    history = pool(space, trials_of(space, 5, 3))
    helped = with_past(fit_model, voices(space, alike))(history, np.random.default_rng(0))
    alone = fit_model(history, np.random.default_rng(0))
    fresh = [t for t in trials_of(space, 60, 9) if t.value is not None]
    features = history.encoder.features(history.encoder.genotypes([t.config for t in fresh]))
    truth = [cast(float, t.value) for t in fresh]
    right = [np.corrcoef(model.predict(features)[0], truth)[0, 1] for model in (helped, alone)]
    assert isinstance(helped, TransferModel)
    assert right[0] > 0.98
    assert right[0] > right[1] + 0.05
    assert np.all(helped.expected_improvement(features) >= 0)
    assert len(helped.tried_means) == history.ok.sum()  # the best to beat is one of this experiment's


def test_past_trials_join_by_weight_on_the_current_scale(
    space: KnobSpace, alike: PastExperiment, unlike: PastExperiment
) -> None:
    history = pool(space, trials_of(space, 12, 3))
    heard = voices(space, alike, unlike)
    chorus = Chorus(heard, np.array([0.6, 0.2]), np.array([1.0, 0.0]), 1200.0, 100.0)
    joined, n_past = chorus.joined(history)
    assert n_past == 40
    assert joined.repeats[:n_past] == pytest.approx([0.18] * 30 + [0.06] * 10)
    assert joined.ok[:n_past].all()
    assert np.all(joined.genotypes[n_past:] == history.genotypes)
    assert joined.means[:n_past].std() > 50
    assert joined.means[30:n_past].std() == 0  # without a slope they say nothing of the order
    true = [rate(space_config) for space_config in map(history.encoder.config, joined.genotypes[:30])]
    assert np.corrcoef(joined.means[:30], true)[0, 1] > 0.99


def test_knobs_that_the_past_did_not_tune_come_from_current_trials_with_their_values(space: KnobSpace) -> None:
    some = KnobSpace.from_records([r for r in RECORDS if r["name"] in ("memory", "workers")])
    then = trials_of(some, 30, 5, lambda c: throughput(space.baseline() | c))
    history = pool(space, [t for t in trials_of(space, 20, 3) if t.value is not None])
    spread = history.means.std()
    (voice,) = voices(space, PastExperiment("some", some, then))
    per_deviation = np.std([t.value for t in then if t.value is not None])
    chorus = Chorus([voice], np.array([1.0]), np.array([per_deviation / spread]), history.means.mean(), spread)
    joined, n_past = chorus.joined(history)
    ours = {tuple(g) for g in history.genotypes[:, [1, 2, 3, 4]]}
    assert {tuple(g) for g in joined.genotypes[:n_past, [1, 2, 3, 4]]} == ours
    true = [rate(c) for c in map(history.encoder.config, joined.genotypes[:n_past])]
    assert np.corrcoef(joined.means[:n_past], true)[0, 1] > 0.8


def test_without_a_weight_the_model_is_the_current_one(space: KnobSpace, unlike: PastExperiment) -> None:
    history = pool(space, trials_of(space, 20, 3))
    assert isinstance(with_past(fit_model, voices(space, unlike))(history, np.random.default_rng(0)), Model)
    assert with_past(fit_model, []) is fit_model


@pytest.mark.slow
def test_the_best_of_the_past_is_tried_first_then_evidence_decides(space: KnobSpace, alike: PastExperiment) -> None:
    trials: list[Trial] = []
    kinds: list[str] = []
    for _ in range(5):
        suggestion = suggest(space, trials, rules=RULES, past=[alike])
        kinds.append(suggestion.reasons["idea"].split(":")[0])
        trials.append(trial_of(suggestion))
    assert kinds[1:4] == ["what a DBA would set from memory, cores and disk", "warm start", "warm start"]
    assert kinds[4].startswith("expected improvement")  # the past is trusted: no design is needed
    assert trials[2].config == model_of(alike).best_first[0]
    assert cast(float, trials[2].value) > 1.4 * cast(float, trials[0].value)
    assert json.loads(json.dumps(suggestion.reasons))["past"][0]["experiment"] == "alike"
    assert 0 < suggestion.reasons["past"][0]["weight"] <= 1
    assert 0.2 < suggestion.reasons["past"][0]["slope"] < 2


def test_a_warm_start_that_failed_is_not_repeated(space: KnobSpace, unlike: PastExperiment) -> None:
    trials = [trial_of(space.baseline())]
    trials.append(trial_of(suggest(space, trials, past=[unlike])))
    assert cast(float, trials[1].value) < cast(float, trials[0].value)
    assert suggest(space, trials, past=[unlike]).reasons["idea"].startswith("design")


def test_a_crashed_warm_start_is_survived(space: KnobSpace, alike: PastExperiment) -> None:
    taken = suggest(space, [trial_of(space.baseline())], past=[alike])
    trials = [trial_of(space.baseline()), Trial(dict(taken), None, "crashed")]
    assert suggest(space, trials, past=[alike]).reasons["idea"].startswith("design")


@pytest.mark.slow
def test_what_crashed_an_alike_server_is_feared_before_it_crashes_this_one(
    space: KnobSpace, alike: PastExperiment, unlike: PastExperiment
) -> None:
    """As an unlike experiment has no weight, its crashes say nothing."""
    trials = [t for t in trials_of(space, 12, 3) if t.value is not None]
    crashing, safe = (
        [space.baseline() | {"memory": m, "jit": False} for m in memory] for memory in ((95_000,), (3_000,))
    )
    chances = {}
    for name, past in (("alike", [alike]), ("unlike", [unlike]), ("none", [])):
        turn = Turn(space, trials, [], Options(past=tuple(past)))
        features = turn.encoder.features(turn.encoder.genotypes([*crashing, *safe]))
        chances[name] = turn.feared.probability(features)
    assert sum(t.value is None for t in alike.trials) >= 2
    assert chances["alike"][0] > 0.5 > 0.1 > chances["alike"][1]
    assert list(chances["unlike"]) == list(chances["none"]) == pytest.approx([chances["none"][0]] * 2)


@pytest.mark.slow
def test_nobody_climbs_where_an_alike_server_crashed(space: KnobSpace, alike: PastExperiment) -> None:
    trials = [t for t in trials_of(space, 12, 3) if t.value is not None]
    survivors = replace(alike, trials=[t for t in alike.trials if t.value is not None])

    def daring(past: PastExperiment) -> int:
        ideas = (suggest(space, trials[:n], past=[past]).reasons["idea"] for n in range(6, 10))
        return sum("polished" in idea or "climbed" in idea for idea in ideas)

    assert daring(survivors) == 4
    assert daring(alike) == 0


def chorus_of(space: KnobSpace, past: PastExperiment) -> Chorus:
    return Chorus(voices(space, past), np.ones(1), np.ones(1), 900.0, 100.0)


def test_what_was_tried_here_is_told_by_the_trial_here(space: KnobSpace, alike: PastExperiment) -> None:
    crashed_there = model_of(alike).crashed[0]
    history = pool(space, [Trial(crashed_there, 900.0, "ok"), trial_of(space.baseline())])
    told = cast(History, chorus_of(space, alike).with_crashes(history, space.baseline()))
    rows = np.flatnonzero((told.genotypes == history.encoder.genotype(crashed_there)).all(axis=1))
    assert list(told.faults[rows]) == [0.0]
    assert told.faults.sum() == len(model_of(alike).crashed) - 1


def test_a_past_crash_is_told_only_where_it_is_the_very_same_configuration(space: KnobSpace) -> None:
    """Not where a value is out of today's range, nor where a knob that is none today may have been why."""
    records = [*(r for r in RECORDS if r["name"] != "jit"), {"name": "other", "type": "boolean", "default": False}]
    then = KnobSpace.from_records(records)
    configs = [then.baseline() | {"workers": n} for n in range(6)]
    ok = [Trial(c, 100.0 + cast(int, c["workers"]), "ok") for c in configs]
    crash = [then.baseline() | changes for changes in ({"memory": 50_000}, {"memory": 900}, {"other": True})]
    past = PastExperiment("then", then, [*ok, *(Trial(c, None, "crashed") for c in crash)])
    smaller = KnobSpace.from_records([r | {"max": 10_000} if r["name"] == "memory" else r for r in RECORDS])
    history = pool(smaller, [trial_of(smaller.baseline())])
    told = cast(History, chorus_of(smaller, past).with_crashes(history, smaller.baseline() | {"jit": False}))
    (feared,) = (told.encoder.config(g) for g in told.genotypes[told.faults > 0])
    assert (feared["memory"], feared["jit"]) == (900, False)  # jit was no knob then: it stands where it stands now


def test_where_one_past_experiment_crashed_and_another_survived_it_crashes(space: KnobSpace) -> None:
    config = space.baseline() | {"memory": 900}
    others = [Trial(space.baseline() | {"workers": n}, 100.0 + n, "ok") for n in range(4)]
    crashed = PastExperiment("crashed", space, [*others, Trial(config, None, "crashed")])
    survived = PastExperiment("survived", space, [*others, Trial(config, 130.0, "ok")])
    history = pool(space, [trial_of(space.baseline())])
    for pasts in ((crashed, survived), (survived, crashed)):
        chorus = Chorus(voices(space, *pasts), np.ones(2), np.ones(2), 900.0, 100.0)
        told = cast(History, chorus.with_crashes(history, space.baseline()))
        assert [told.encoder.config(g) for g in told.genotypes[told.faults > 0]] == [config]


def test_failed_and_timed_out_pasts_are_no_crashes(space: KnobSpace, alike: PastExperiment) -> None:
    slow = replace(alike, trials=[replace(t, state="timed_out") if t.value is None else t for t in alike.trials])
    assert chorus_of(space, slow).with_crashes(pool(space, [trial_of(space.baseline())]), space.baseline()) is None


@pytest.mark.slow
def test_a_server_that_survives_more_than_an_alike_one_is_tuned_beyond_it(space: KnobSpace) -> None:
    """The past crashed from 2,000 of memory on; here the optimum is at 10,000."""
    then = trials_of(space, 40, 1, lambda c: None if c["memory"] > 2_000 else throughput(c))
    past = PastExperiment("smaller", space, then)
    best: dict[int, Any] = {}
    for seed in range(3):
        trials: list[Trial] = []
        for _ in range(16):
            trials.append(trial_of(suggest(space, trials, past=[past], seed=seed, budget=16)))
        best[seed] = max((t for t in trials if t.value), key=lambda t: cast(float, t.value)).config["memory"]
    assert min(best.values()) > 3_000


@pytest.mark.parametrize("algorithm", ["random", "lhs"])
def test_algorithms_without_a_model_are_the_same_whatever_else_was_measured(
    space: KnobSpace, alike: PastExperiment, algorithm: str
) -> None:
    trials = trials_of(space, 8, 3)
    with_past_, without = (suggest(space, trials, algorithm=algorithm, past=past) for past in ([alike], []))
    assert (dict(with_past_), with_past_.crash_probability) == (dict(without), without.crash_probability)


def test_spaces_that_differ_in_knobs_help_too(space: KnobSpace) -> None:
    records = [r for r in RECORDS if r["name"] != "jit"] + [{"name": "extra", "type": "boolean", "default": False}]
    other = KnobSpace.from_records(records)
    past = PastExperiment("other", other, trials_of(other, 40, 4, lambda c: throughput(c | {"jit": True})))
    taken = suggest(space, [trial_of(space.baseline())], past=[past])
    space.validate(taken)
    assert taken["jit"] is True
    assert rate(taken) > 1.2 * rate(space.baseline())


@pytest.mark.slow
def test_the_answer_is_the_same_again_and_is_repaired(
    space: KnobSpace, alike: PastExperiment, unlike: PastExperiment
) -> None:
    trials = trials_of(space, 8, 3)

    def repair(config: Config) -> Config:
        return config | {"workers": 1}

    first, second = (suggest(space, trials, past=[alike, unlike], repair=repair) for _ in range(2))
    assert first == second
    assert first["workers"] == 1


def test_a_batch_takes_one_configuration_from_the_past_and_differs(space: KnobSpace, alike: PastExperiment) -> None:
    batch = suggest_batch(space, [trial_of(space.baseline())], 3, past=[alike])
    assert len({tuple(s.items()) for s in batch}) == 3
    assert [s.reasons["idea"].startswith("warm start") for s in batch] == [True, False, False]


@pytest.mark.slow
def test_other_algorithms_are_helped_and_those_without_a_model_are_not(space: KnobSpace, alike: PastExperiment) -> None:
    trials = trials_of(space, 8, 3)
    assert suggest(space, trials, algorithm="forest", past=[alike]).reasons["past"]
    assert "past" not in suggest(space, trials, algorithm="random", past=[alike]).reasons


def test_a_past_that_cannot_be_is_refused_at_once(space: KnobSpace) -> None:
    with pytest.raises(InvalidInput, match=r"past\[odd\]\.trials\[0\]\.value"):
        suggest(space, [], past=[PastExperiment("odd", space, [Trial(space.baseline(), None)])])


def test_a_past_with_too_few_trials_changes_nothing(space: KnobSpace) -> None:
    short = PastExperiment("short", space, trials_of(space, 2, 1))
    trials = trials_of(space, 8, 3)
    assert suggest(space, trials, past=[short]) == suggest(space, trials)


def test_no_more_past_models_are_fitted_than_have_a_say(space: KnobSpace, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[str] = []

    def noted(past: PastExperiment) -> PastModel | None:
        fitted.append(past.name)
        return fit_past(past)

    monkeypatch.setattr("otterflow.tuner.turn.fit_past", noted)
    many = [PastExperiment(f"past {i}", space, trials_of(space, 10, i)) for i in range(MOST_PAST + 3)]
    short = PastExperiment("short", space, trials_of(space, 2, 1))
    suggest(space, [trial_of(space.baseline())], past=[short, *many])
    assert fitted == ["short", *(f"past {i}" for i in range(MOST_PAST))]


@pytest.mark.slow
@pytest.mark.parametrize("kept", [{0, 3, 5}, set()])
@pytest.mark.parametrize("algorithm", ["default", "gpr", "dnn", "forest"])
def test_constraints_and_a_past_go_together(
    space: KnobSpace, alike: PastExperiment, algorithm: str, kept: set[int]
) -> None:
    trials = [t for t in trials_of(space, 12, 3) if t.value is not None]
    trials = [replace(t, slacks=(0.1 if i in kept else -0.1,)) for i, t in enumerate(trials)]
    suggestion = suggest(space, trials, algorithm=algorithm, past=[alike])
    assert suggestion.reasons["past"]
    assert suggestion.feasible_probability is not None
    space.validate(suggestion)


def test_the_best_that_keeps_the_constraints_is_to_be_beaten(space: KnobSpace, alike: PastExperiment) -> None:
    history = pool(space, trials_of(space, 8, 3))
    helped = with_past(fit_model, voices(space, alike))(history, np.random.default_rng(0))
    assert isinstance(helped, TransferModel)
    worst = np.full(len(helped.tried_means), -np.inf)
    worst[helped.tried_means.argmin()] = helped.tried_means.min()
    features = history.features
    assert np.all(
        replace(helped, tried_means=worst).expected_improvement(features) >= helped.expected_improvement(features)
    )
