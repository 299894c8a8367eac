from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest

from otterflow.errors import InvalidInput
from otterflow.knobs.space import Config, KnobSpace
from otterflow.tuner import Trial, incumbent, suggest
from otterflow.tuner.encoding import Encoder
from otterflow.tuner.search import random_genes
from otterflow.tuner.trial import Suggestion

from .conftest import rate, trial_of


def run(space: KnobSpace, n_trials: int, **options: Any) -> tuple[list[Trial], list[Suggestion]]:
    trials: list[Trial] = []
    suggestions: list[Suggestion] = []
    for _ in range(n_trials):
        suggestion = suggest(space, trials, **options)
        space.validate(suggestion)
        suggestions.append(suggestion)
        trials.append(trial_of(suggestion))
    return trials, suggestions


RULES: Config = {"memory": 1000, "cost": 1.1, "delay": 0, "jit": True, "method": "b", "workers": 2}


@pytest.mark.slow
def test_baseline_rules_design_and_model_in_this_order(space: KnobSpace) -> None:
    _, suggestions = run(space, 8, rules=RULES, budget=10)
    assert [s.kind for s in suggestions] == ["baseline", "rules", "design", "design", *["model"] * 4]
    assert suggestions[0] == space.baseline()
    assert suggestions[1] == RULES


@pytest.mark.slow
def test_the_model_finds_the_optimum_that_few_trials_allow(space: KnobSpace) -> None:
    trials, _ = run(space, 18, seed=3)
    best = incumbent(space, trials)
    assert rate(best.config) > 1.7 * rate(space.baseline())
    assert trials[best.index].config == best.config


@pytest.mark.slow
def test_no_configuration_is_repeated_and_crashes_stay_few(space: KnobSpace) -> None:
    trials, _ = run(space, 20, seed=1)
    assert len({tuple(t.config.items()) for t in trials}) == 20
    assert sum(t.state == "crashed" for t in trials) <= 3


@pytest.mark.slow
def test_same_arguments_same_answer(space: KnobSpace) -> None:
    trials, _ = run(space, 7, budget=10)
    first, second = (suggest(space, trials, seed=5, budget=10) for _ in range(2))
    assert first == second
    assert first.predicted_mean == second.predicted_mean
    assert first != suggest(space, trials, seed=6, budget=10)


@pytest.mark.slow
def test_the_answer_does_not_depend_on_the_scale_of_the_values(space: KnobSpace) -> None:
    trials, _ = run(space, 7, budget=10)
    shifted = [Trial(t.config, None if t.value is None else 1e-3 * t.value - 50.0, t.state) for t in trials]
    assert suggest(space, shifted, budget=10) == suggest(space, trials, budget=10)


@pytest.mark.slow
def test_reasons_are_plain_json_and_name_the_knobs_that_moved(space: KnobSpace) -> None:
    trials, suggestions = run(space, 9, budget=12)
    said = suggestions[-1]
    reasons = json.loads(json.dumps(said.reasons))
    origin = {m["knob"]: m["from"] for m in reasons["moved"]}
    measured = [t for t in trials[:-1] if t.value is not None]
    start = next(t for t in measured if t.config == {**said, **origin})  # the best by the model of this turn's idea
    assert cast(float, start.value) > 0.9 * max(cast(float, t.value) for t in measured)
    assert {m["knob"]: m["to"] for m in reasons["moved"]} == {k: said[k] for k in origin}
    assert reasons["knobs_moved"] == len(origin) > 0
    assert cast(float, said.predicted_std) > 0
    assert 0 <= cast(float, said.crash_probability) <= 1
    assert all(type(v) in (int, float, str, bool) for v in said.values())


def test_rules_that_were_repaired_on_the_way_are_not_offered_for_ever(space: KnobSpace) -> None:
    repaired = {**RULES, "memory": 999}
    trials = [trial_of(space.baseline()), trial_of(repaired)]
    assert suggest(space, trials, rules=RULES).kind == "design"


def test_the_design_is_around_the_better_of_baseline_and_rules(space: KnobSpace) -> None:
    good_rules = [trial_of(space.baseline()), Trial(RULES, 5000.0)]
    crashed_rules = [trial_of(space.baseline()), Trial(RULES, None, "crashed")]
    good, bad = (suggest(space, t, rules=RULES) for t in (good_rules, crashed_rules))
    assert all(m["from"] == RULES[m["knob"]] for m in good.reasons["moved"])
    assert all(m["from"] == space.baseline()[m["knob"]] for m in bad.reasons["moved"])


@pytest.mark.slow
@pytest.mark.parametrize("after", [3, 12])
def test_repair_has_the_last_word(space: KnobSpace, after: int) -> None:
    trials, _ = run(space, after)
    suggestion = suggest(space, trials, repair=lambda c: {**c, "workers": 3})
    assert suggestion["workers"] == 3


@pytest.mark.slow
def test_all_crashed_still_answers_and_does_not_repeat(space: KnobSpace) -> None:
    trials: list[Trial] = []
    for _ in range(15):
        config = dict(suggest(space, trials))
        assert all(config != t.config for t in trials)
        trials.append(Trial(config, None, "crashed"))


def test_reference_trials_do_not_disturb(space: KnobSpace) -> None:
    trials = [trial_of(space.baseline())] * 3
    assert suggest(space, trials).kind == "design"
    trials = [trial_of(space.baseline())] * 20
    assert suggest(space, trials).kind == "design"


@pytest.mark.slow
def test_a_space_of_one_switch_answers_beyond_its_end() -> None:
    space = KnobSpace.from_records([{"name": "jit", "type": "boolean", "default": True}])
    trials: list[Trial] = []
    for i in range(8):
        config = dict(suggest(space, trials))
        trials.append(Trial(config, 1.0 + (not config["jit"]) + 0.01 * i))
    assert not incumbent(space, trials).config["jit"]


@pytest.mark.slow
def test_a_long_history_is_answered_in_bounded_time(space: KnobSpace) -> None:
    encoder = Encoder(space)
    genotypes = random_genes(encoder, np.random.default_rng(0), 3000)
    trials = [trial_of(space.baseline()), *(trial_of(encoder.config(g)) for g in genotypes)]
    start = time.process_time()
    suggestion = suggest(space, trials)
    assert time.process_time() - start < 10.0
    assert suggestion.kind == "model"
    best = incumbent(space, trials)
    assert rate(best.config) > 0.95 * max(t.value for t in trials if t.value is not None)


@pytest.mark.slow
def test_equal_values_everywhere_still_answer(space: KnobSpace) -> None:
    trials: list[Trial] = []
    for _ in range(14):
        trials.append(Trial(dict(suggest(space, trials)), 7.0))
    assert suggest(space, trials).predicted_mean == pytest.approx(7.0)


GOOD: Config = {"memory": 100, "cost": 4.0, "delay": -1, "jit": True, "method": "a", "workers": 2}


@pytest.mark.parametrize(
    ("trial", "field"),
    [
        (Trial({**GOOD, "fsync": False}, 1.0), "trials[0].config.fsync"),
        (Trial({k: v for k, v in GOOD.items() if k != "cost"}, 1.0), "trials[0].config.cost"),
        (Trial({**GOOD, "cost": float("nan")}, 1.0), "trials[0].config.cost"),
        (Trial({**GOOD, "method": "z"}, 1.0), "trials[0].config.method"),
        (Trial(GOOD, float("nan")), "trials[0].value"),
        (Trial(GOOD, float("inf")), "trials[0].value"),
        (Trial(GOOD, None), "trials[0].value"),
        (Trial(GOOD, 1.0, "melted"), "trials[0].state"),
    ],
)
@pytest.mark.parametrize("call", [suggest, incumbent])
def test_a_trial_that_teaches_nothing_is_refused_by_name(
    space: KnobSpace, call: Callable[[KnobSpace, list[Trial]], object], trial: Trial, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        call(space, [trial])
    assert [p.field for p in refused.value.problems] == [field]


@pytest.mark.parametrize(
    ("options", "field"),
    [({"mode": "wild"}, "mode"), ({"budget": 0}, "budget"), ({"rules": {"memory": 1}}, "rules.cost")],
)
def test_bad_options_are_refused_by_name(space: KnobSpace, options: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        suggest(space, [], **options)
    assert refused.value.problems[0].field == field
