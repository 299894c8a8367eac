from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from otterflow.errors import InvalidInput
from otterflow.knobs.space import Config, KnobSpace, Value
from otterflow.tuner import Trial
from otterflow.tuner.encoding import Encoder
from otterflow.tuner.past import PastExperiment, Translation, fit_past, fitted_hyperparameters
from otterflow.tuner.search import random_genes

from .conftest import model_of, trial_of

THEN: list[dict[str, Any]] = [
    {"name": "memory", "type": "integer", "min": 10, "max": 10_000, "scale": "log", "default": 100},
    {"name": "delay", "type": "integer", "min": 0, "max": 2000, "default": 0},
    {"name": "method", "type": "enum", "values": ["c", "a"], "default": "a"},
    {"name": "gone", "type": "real", "min": 0.0, "max": 1.0, "default": 0.25},
    {"name": "jit", "type": "integer", "min": 0, "max": 1, "default": 1},
]


@pytest.fixture
def translation(space: KnobSpace) -> Translation:
    return Translation(Encoder(space), Encoder(KnobSpace.from_records(THEN)))


def translated(translation: Translation, **values: Value) -> Config:
    """What the past is asked for a configuration of the current space, as its own configuration."""
    now = translation.current
    config = now.space.baseline() | values
    return translation.past.config(translation.genotypes(now.genotypes([config]))[0])


def test_a_value_stays_the_same_value_in_another_range(translation: Translation) -> None:
    assert translated(translation, memory=1000)["memory"] == 1000
    assert translated(translation, memory=90_000)["memory"] == 10_000  # clipped to the past's range
    assert translated(translation, memory=1)["memory"] == 10


def test_a_special_value_is_the_pasts_value_where_it_had_one(translation: Translation) -> None:
    assert translated(translation, delay=0)["delay"] == 0  # special now, in the range then
    assert translated(translation, delay=-1)["delay"] == 0  # unknown then: where it stood
    assert translated(translation, delay=700)["delay"] == 700


def test_a_value_of_the_range_that_was_special_then_is_asked_for_as_special(space: KnobSpace) -> None:
    now = KnobSpace.from_records([{"name": "delay", "type": "integer", "min": 0, "max": 2000, "default": 5}])
    back = Translation(Encoder(now), Encoder(space))
    genotypes = back.genotypes(back.current.genotypes([{"delay": 0}, {"delay": 900}]))
    assert [back.past.config(g)["delay"] for g in genotypes] == [0, 900]


def test_enum_values_go_by_name_and_unknown_ones_stand_where_they_stood(translation: Translation) -> None:
    assert translated(translation, method="c")["method"] == "c"
    assert translated(translation, method="b")["method"] == "a"


@pytest.mark.parametrize(
    "then", [{"type": "boolean"}, {"type": "enum", "values": ["ON", "OFF"]}, {"values": ["0", "1"]}]
)
@pytest.mark.parametrize("now", [{"type": "boolean"}, {"values": ["lz4", "on", "off"]}])
def test_a_switch_is_the_same_however_it_is_spelt(then: dict[str, Any], now: dict[str, Any]) -> None:
    def made(record: dict[str, Any]) -> KnobSpace:
        values = record.get("values")
        return KnobSpace.from_records(
            [{"name": "zip", "type": "enum", "default": values[-1] if values else True, **record}]
        )

    def is_on(value: Value) -> bool:
        return str(value).lower() in ("true", "on", "1")

    here = Translation(Encoder(made(now)), Encoder(made(then)))
    for value in made(now)["zip"].values[-2:]:
        (there,) = here.genotypes(here.current.genotypes([{"zip": value}]))
        assert is_on(here.past.config(there)["zip"]) is is_on(value)
    for value in made(then)["zip"].values:
        back = here.config_here({"zip": value}, {})
        assert is_on(back["zip"]) is is_on(value)
        assert here.as_it_was({"zip": value}, {}) == back


def test_knobs_that_are_not_shared_stand_where_they_stood(translation: Translation) -> None:
    assert translated(translation)["gone"] == 0.25
    assert translation.shared == ["memory", "delay", "method"]  # jit was a number then: another knob


def test_a_past_configuration_here_keeps_what_it_does_not_know(space: KnobSpace, translation: Translation) -> None:
    otherwise = space.baseline() | {"cost": 1.5, "jit": False}
    then: Config = {"memory": 4000, "delay": 0, "method": "c", "gone": 1.0, "jit": 1}
    here = translation.config_here(then, otherwise)
    assert here == otherwise | {"memory": 4000, "delay": 0, "method": "c"}
    space.validate(here)


def test_a_special_value_without_a_word_for_it_here_is_left_out(space: KnobSpace) -> None:
    now = KnobSpace.from_records([{"name": "delay", "type": "integer", "min": 1, "max": 2000, "default": 5}])
    here = Translation(Encoder(now), Encoder(space)).config_here(space.baseline() | {"delay": -1}, {"delay": 5})
    assert here == {"delay": 5}


@pytest.fixture
def past(space: KnobSpace) -> PastExperiment:
    encoder = Encoder(space)
    genes = random_genes(encoder, np.random.default_rng(1), 40)
    return PastExperiment("then", space, [trial_of(encoder.config(g)) for g in genes])


def test_a_past_model_knows_the_order_of_its_trials(past: PastExperiment) -> None:
    model = model_of(past)
    best = max(t.value for t in past.trials if t.value is not None)
    assert next(cast(float, t.value) for t in past.trials if t.config == model.best_first[0]) > 0.95 * best
    assert all(trial_of(c).value is not None for c in model.best_first)  # a crash is no configuration to try again
    assert fit_past(past) is model  # fitted once


def test_what_broke_a_constraint_then_is_not_offered_now(past: PastExperiment) -> None:
    best = model_of(past).best_first[0]
    told = [replace(t, slacks=(-0.1 if t.config == best else 0.1,)) for t in past.trials]
    offered = model_of(replace(past, trials=told)).best_first
    assert best not in offered
    assert len(offered) == len(model_of(past).best_first) - 1


def test_kept_hyperparameters_give_the_same_model_without_a_fit(
    past: PastExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted, kept = model_of(past), fitted_hyperparameters(past)
    again = PastExperiment(past.name, past.space, past.trials, hyperparameters=kept)
    monkeypatch.setattr("otterflow.tuner.past.most_probable", lambda *_: pytest.fail("fitted again"))
    assert model_of(again).best_first == fitted.best_first
    assert model_of(again).process.conditioned.alpha == pytest.approx(fitted.process.conditioned.alpha)


def test_hyperparameters_of_another_space_are_fitted_again(past: PastExperiment) -> None:
    odd = PastExperiment(past.name, past.space, past.trials, hyperparameters=[0.0, 1.0])
    assert model_of(odd).process.conditioned.alpha == pytest.approx(model_of(past).process.conditioned.alpha)


@pytest.mark.parametrize("values", [[1.0, 2.0], [3.0, 3.0, 3.0]])
def test_too_little_teaches_nothing(space: KnobSpace, values: list[float]) -> None:
    trials = [Trial(space.baseline() | {"workers": i}, v) for i, v in enumerate(values)]
    past = PastExperiment("short", space, trials)
    assert fit_past(past) is None
    assert fitted_hyperparameters(past) is None


def test_a_past_with_wrong_trials_is_named(space: KnobSpace) -> None:
    trials = [Trial(space.baseline(), float("nan"))]
    with pytest.raises(InvalidInput, match=r"past\[odd\]\.trials\[0\]\.value"):
        fit_past(PastExperiment("odd", space, trials))
    with pytest.raises(InvalidInput, match=r"past\[odd\]\.metrics"):
        fit_past(PastExperiment("odd", space, [Trial(space.baseline(), 1.0)], metrics=[]))
