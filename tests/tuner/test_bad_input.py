"""What cannot be used is refused with the field, the value and what is right; what is merely hard is answered."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest

from otterflow.errors import InvalidInput
from otterflow.knobs.space import KnobSpace
from otterflow.tuner import Outlook, Trial, incumbent, outlook, suggest, suggest_batch
from otterflow.tuner.algorithms import ALGORITHMS
from otterflow.tuner.encoding import Encoder
from otterflow.tuner.search import random_genes

from .conftest import trial_of

KNOB = {"name": "work_mem", "type": "integer", "min": 64, "max": 1024, "default": 64}
OWN = [name for name in ALGORITHMS if not name.startswith("optuna_")]


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([], "knobs: the space holds no knob; give at least one knob to tune"),
        ([KNOB, KNOB], "work_mem: the knob is there twice; list each knob once"),
        ([KNOB | {"min": 2048}], "work_mem: its minimum 2048 is above its maximum 1024; swap or mend min and max"),
        ([KNOB | {"default": 4096}], "work_mem: its default: 4096 is out of range; use an integer from 64 to 1024"),
        ([KNOB | {"default": math.nan}], "work_mem: its default: nan is not an integer"),
        ([KNOB | {"max": math.inf}], "work_mem.max: inf is not an integer; give a finite number"),
    ],
)
def test_a_space_that_cannot_be_is_refused(records: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        KnobSpace.from_records(records)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("trial", "said"),
    [
        (Trial({"work_mem": 64, "jit": True}, 1.0), "trials[0].config.jit: the knob is not in the space; leave it out"),
        (Trial({}, 1.0), "trials[0].config.work_mem: has no value; give each knob of the space a value"),
        (Trial({"work_mem": math.inf}, 1.0), "trials[0].config.work_mem: inf is not a value of the knob; use a finite"),
        (Trial({"work_mem": 64}, math.nan), "trials[0].value: nan is not a finite number; give the measured objective"),
        (Trial({"work_mem": 64}, -math.inf), "trials[0].value: -inf is not a finite number"),
        (Trial({"work_mem": 64}, 1.0, "fine"), "trials[0].state: 'fine' is unknown; use one of ok, crashed, failed"),
    ],
)
@pytest.mark.parametrize("call", [suggest, incumbent, outlook, lambda s, t: suggest_batch(s, t, 2)])
def test_a_trial_that_cannot_be_learned_from_is_refused_everywhere(
    call: Callable[[KnobSpace, list[Trial]], object], trial: Trial, said: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        call(KnobSpace.from_records([KNOB]), [trial])
    assert said in str(refused.value)


def test_all_that_is_wrong_with_the_trials_is_said_at_once() -> None:
    trials = [Trial({"work_mem": 64}, 1.0), Trial({"work_mem": 64}, None), Trial({"jit": 1}, math.nan)]
    with pytest.raises(InvalidInput) as refused:
        suggest(KnobSpace.from_records([KNOB]), trials)
    assert [p.field for p in refused.value.problems] == [
        "trials[1].value",
        "trials[2].value",
        "trials[2].config.jit",
        "trials[2].config.work_mem",
    ]


@pytest.mark.parametrize("algorithm", OWN)
def test_where_everything_crashed_each_algorithm_tries_something_else(space: KnobSpace, algorithm: str) -> None:
    trials: list[Trial] = []
    for _ in range(9):
        config = dict(suggest(space, trials, algorithm=algorithm, budget=9))
        assert config not in [t.config for t in trials]
        trials.append(Trial(config, None, "crashed"))
    assert outlook(space, trials) is None
    with pytest.raises(InvalidInput, match="trials: none of them is ok; measure at least the baseline first"):
        incumbent(space, trials)


@pytest.fixture(scope="module")
def long_history() -> tuple[KnobSpace, list[Trial]]:
    """5,000 trials of the small space."""
    from .conftest import RECORDS

    space = KnobSpace.from_records(RECORDS)
    encoder = Encoder(space)
    genotypes = random_genes(encoder, np.random.default_rng(0), 4999)
    return space, [trial_of(space.baseline()), *(trial_of(encoder.config(g)) for g in genotypes)]


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", OWN)
def test_5000_trials_are_answered_in_bounded_time(long_history: tuple[KnobSpace, list[Trial]], algorithm: str) -> None:
    space, trials = long_history
    start = time.process_time()
    suggestion = suggest(space, trials, algorithm=algorithm)
    assert time.process_time() - start < 15.0
    assert dict(suggestion) not in [t.config for t in trials]


@pytest.mark.slow
def test_ranking_many_knobs_takes_bounded_time() -> None:
    """Each model is asked 128 times a knob."""
    records = [{"name": f"k{i}", "type": "real", "min": 0.0, "max": 1.0, "default": 0.5} for i in range(100)]
    space, rng = KnobSpace.from_records(records), np.random.default_rng(0)
    configs = [dict(zip(space.names, rng.random(100), strict=True)) for _ in range(40)]
    trials = [Trial(c, 1.0 + c["k3"] - c["k7"]) for c in configs]
    for seed in range(4):
        start = time.process_time()
        suggest(space, trials, seed=seed, ranked=True)
        assert time.process_time() - start < 10.0


@pytest.mark.slow
def test_5000_trials_leave_an_outlook_and_a_batch_in_bounded_time(long_history: tuple[KnobSpace, list[Trial]]) -> None:
    space, trials = long_history
    start = time.process_time()
    assert cast(Outlook, outlook(space, trials)).gains.min() >= 0
    assert len(suggest_batch(space, trials, 3)) == 3
    assert time.process_time() - start < 40.0
