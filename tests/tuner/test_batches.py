"""Several suggestions at once, and suggestions while others are being measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from otterflow.errors import InvalidInput
from otterflow.knobs.space import Config, KnobSpace
from otterflow.tuner import Trial, incumbent, suggest, suggest_batch
from otterflow.tuner.encoding import Encoder

from .conftest import rate, trial_of

RULES: Config = {"memory": 1000, "cost": 1.1, "delay": 0, "jit": True, "method": "b", "workers": 2}


def measured(space: KnobSpace, n_trials: int = 14) -> list[Trial]:
    trials: list[Trial] = []
    while len(trials) < n_trials:
        trials.append(trial_of(dict(suggest(space, trials, budget=20))))
    return trials


def test_the_first_batch_is_baseline_rules_and_the_design(space: KnobSpace) -> None:
    batch = suggest_batch(space, [], 5, rules=RULES)
    assert [s.kind for s in batch] == ["baseline", "rules", "design", "design", "design"]
    assert len({tuple(s.items()) for s in batch}) == 5


@pytest.mark.slow
def test_a_batch_is_diverse_and_begins_with_what_one_suggestion_would_be(space: KnobSpace) -> None:
    trials = measured(space)
    batch = suggest_batch(space, trials, 4, budget=20)
    assert batch[0] == suggest(space, trials, budget=20)
    genotypes = Encoder(space).features(Encoder(space).genotypes(batch))
    apart = [np.linalg.norm(a - b) for i, a in enumerate(genotypes) for b in genotypes[:i]]
    assert min(apart) > 0.02
    assert all(s.kind == "model" for s in batch)
    assert batch == suggest_batch(space, trials, 4, budget=20)


@pytest.mark.slow
def test_batches_of_four_find_about_what_single_suggestions_find(space: KnobSpace) -> None:
    trials: list[Trial] = []
    while len(trials) < 20:
        trials += [trial_of(dict(s)) for s in suggest_batch(space, trials, 4, seed=3)]
    assert len({tuple(t.config.items()) for t in trials}) == 20
    assert rate(incumbent(space, trials).config) > 1.6 * rate(space.baseline())


@pytest.mark.slow
def test_what_is_pending_is_neither_repeated_nor_crowded(space: KnobSpace) -> None:
    trials = measured(space)
    alone = suggest(space, trials, budget=20)
    beside = suggest(space, trials, budget=20, pending=[dict(alone)])
    assert beside != alone
    assert beside.kind == "model"
    both = suggest(space, trials, budget=20, pending=[dict(alone), dict(beside)])
    assert dict(both) not in (dict(alone), dict(beside))


def test_pending_trials_count_as_made(space: KnobSpace) -> None:
    pending = [space.baseline(), dict(RULES)]
    assert suggest(space, [], rules=RULES, pending=pending[:1]).kind == "rules"
    assert suggest(space, [], rules=RULES, pending=pending).kind == "design"


@pytest.mark.slow
def test_reasons_compare_with_what_was_measured_not_with_what_is_believed(space: KnobSpace) -> None:
    trials = measured(space)
    configs = [t.config for t in trials]
    for said in suggest_batch(space, trials, 3, budget=20):
        against = {**said, **{m["knob"]: m["from"] for m in said.reasons["moved"]}}
        assert against in configs


def test_a_space_smaller_than_the_batch_is_answered() -> None:
    space = KnobSpace.from_records([{"name": "jit", "type": "boolean", "default": True}])
    batch = suggest_batch(space, [Trial(space.baseline(), 1.0)], 3)
    assert len(batch) == 3


@pytest.mark.parametrize("size", [0, -1, 2.0, True, None])
def test_a_batch_of_nothing_is_refused(space: KnobSpace, size: Any) -> None:
    with pytest.raises(InvalidInput, match=r"size: a batch of .*; ask for at least one configuration"):
        suggest_batch(space, [], size)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sead": 1}, "sead: is not an option of the tuner; use seed, rules, mode"),
        ({"pending": [{"memory": 5}]}, r"pending\[0\].cost: has no value"),
        ({"budget": 0}, "budget: 0 is not a number of trials"),
    ],
)
def test_wrong_options_of_a_batch_are_refused_by_name(space: KnobSpace, options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        suggest_batch(space, [], 2, **options)
