"""What is still to be gained: much at first, little at the end, and never less than nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import pytest

from otterflow.errors import InvalidInput
from otterflow.knobs.space import KnobSpace
from otterflow.tuner import Outlook, Trial, outlook, suggest
from otterflow.tuner.encoding import Encoder
from otterflow.tuner.history import pool
from otterflow.tuner.outlook import LEAST_MEASURED, candidates
from otterflow.tuner.search import random_genes

from .conftest import throughput


def told(config: Mapping[str, Any]) -> Trial:
    value = throughput(config)
    return Trial(dict(config), None if value is None else math.log(value), "ok" if value is not None else "crashed")


def searched(space: KnobSpace, n_trials: int) -> list[Trial]:
    trials: list[Trial] = []
    while len(trials) < n_trials:
        trials.append(told(suggest(space, trials, seed=1)))
    return trials


def left(space: KnobSpace, trials: list[Trial]) -> Outlook:
    """The outlook where there is one."""
    return cast(Outlook, outlook(space, trials))


@pytest.mark.slow
def test_the_gain_that_is_left_shrinks_as_the_search_goes_on(space: KnobSpace) -> None:
    trials = searched(space, 26)
    early, late = left(space, trials[:8]), left(space, trials)
    assert late.gains.mean() < 0.5 * early.gains.mean()
    assert (late.gains > math.log(1.3)).mean() < 0.1
    best = max(t.value for t in trials[:8] if t.value is not None)
    truth = math.log(1000 * math.exp(0.3 * (0.5 - 0.005))) - best
    assert early.incumbent == pytest.approx(best, abs=0.1)
    assert np.quantile(early.gains, 0.02) < truth < np.quantile(early.gains, 0.98)


@pytest.mark.slow
def test_the_same_trials_give_the_same_outlook_on_any_scale(space: KnobSpace) -> None:
    trials = searched(space, 10)
    once, again = left(space, trials), left(space, trials)
    assert np.array_equal(once.gains, again.gains)
    stretched = [Trial(t.config, None if t.value is None else 5 * t.value - 3, t.state) for t in trials]
    assert left(space, stretched).gains.mean() == pytest.approx(5 * once.gains.mean(), rel=1e-3)


@pytest.mark.slow
def test_too_few_measurements_say_nothing(space: KnobSpace) -> None:
    trials = searched(space, 14)
    few = [t for t in trials if t.state == "ok"][: LEAST_MEASURED - 1]
    assert outlook(space, few) is None
    assert outlook(space, [*few, *few]) is None
    assert outlook(space, []) is None


@pytest.mark.slow
def test_what_is_likely_to_crash_or_to_break_a_constraint_is_no_hope(space: KnobSpace) -> None:
    rng = np.random.default_rng(0)
    trials: list[Trial] = []
    for i, config in enumerate(Encoder(space).config(g) for g in random_genes(Encoder(space), rng, 36)):
        config = {**config, "jit": i % 2 == 0, "method": "abc"[i % 3]}
        crashed = config["method"] == "c"
        slack = 0.4 if config["jit"] else -0.4
        trials.append(Trial(config, None, "crashed") if crashed else Trial(config, rng.normal(), "ok", (slack,)))
    history = pool(space, trials)
    hopeful = candidates(history, history.genotypes[:3], rng)
    jit, crashing = history.encoder.knob_of_column == 3, history.encoder.knob_of_column == 4
    assert len(hopeful) > 50
    assert (hopeful[:, jit][:, 1] > 0).all()
    assert (hopeful[:, crashing][:, 2] == 0).all()


def test_a_wrong_trial_is_refused(space: KnobSpace) -> None:
    with pytest.raises(InvalidInput, match=r"trials\[0\].value: nan is not a finite number"):
        outlook(space, [Trial(space.baseline(), math.nan)])
