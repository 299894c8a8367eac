from __future__ import annotations

from typing import cast

import numpy as np
import pytest

from otterflow.errors import InvalidInput
from otterflow.knobs.space import KnobSpace
from otterflow.tuner import Trial, incumbent

from .conftest import rate


@pytest.mark.slow
def test_repeats_are_pooled_and_a_lucky_one_does_not_win(space: KnobSpace) -> None:
    rng = np.random.default_rng(0)
    good = {**space.baseline(), "memory": 9000}
    trials = [Trial(good, 100.0 + x) for x in rng.normal(0, 1, 4)]
    trials += [Trial({**space.baseline(), "memory": m}, 80.0 + rng.normal()) for m in (5, 20, 60)]
    lucky = {**space.baseline(), "memory": 40}
    trials += [Trial(lucky, v) for v in (104.0, 76.0, 78.0)]
    assert incumbent(space, trials).config == good
    assert incumbent(space, trials).index == 0


def test_smooth_neighbours_outvote_one_high_measurement(space: KnobSpace) -> None:
    rng = np.random.default_rng(2)
    trials = []
    for memory in np.geomspace(10, 50_000, 24).astype(int):
        config = {**space.baseline(), "memory": int(memory)}
        trials.append(Trial(config, rate(config) * (1 + 0.02 * rng.standard_normal())))
    trials[4] = Trial(trials[4].config, 1.02 * max(cast(float, t.value) for t in trials))
    assert incumbent(space, trials).index != 4


def test_a_configuration_that_mostly_crashed_is_out(space: KnobSpace) -> None:
    shaky = {**space.baseline(), "memory": 50_000}
    trials = [Trial(space.baseline(), 1.0), Trial(shaky, 9.0), Trial(shaky, None, "crashed")]
    trials += [Trial(shaky, None, "timed_out")]
    best = incumbent(space, trials)
    assert best.config == space.baseline()
    assert best.mean == 1.0
    assert best.std is None


def test_without_an_ok_trial_there_is_none(space: KnobSpace) -> None:
    with pytest.raises(InvalidInput, match="none of them is ok"):
        incumbent(space, [Trial(space.baseline(), None, "crashed")])
