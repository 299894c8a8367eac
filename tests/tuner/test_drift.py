from __future__ import annotations

import numpy as np
import pytest

from otterflow.errors import InvalidInput
from otterflow.tuner.drift import Measured, drift, relative

BASE = {"memory": 1}


def experiment(machine, *, noise=0.03, every=5, seed=0):
    """30 trials of configurations that get better; every fifth measures the baseline again on a drifting machine."""
    rng = np.random.default_rng(seed)
    measured, truth = [], []
    for i in range(30):
        reference = i % every == 0
        true = 1000.0 if reference else 1000.0 * (1 + 0.02 * i)
        config = BASE if reference else {"memory": 100 + i}
        value = true * machine(i) * np.exp(noise * rng.standard_normal())
        measured.append(Measured(config, value, reference=reference and i > 0))
        truth.append(true)
    return measured, np.array(truth)


def error(values, truth):
    return np.sqrt(np.mean(np.log(np.array(values) / truth) ** 2))


@pytest.mark.parametrize(
    "machine",
    [
        lambda i: np.exp(0.5 * np.sin(i / 6.0)),
        lambda i: 1.0 + 2.0 * i / 30.0,
        lambda i: 2.5 if i >= 13 else 1.0,
    ],
    ids=["slow wander", "faster and faster", "a step"],
)
def test_drift_is_taken_out(machine):
    measured, truth = experiment(machine)
    before = error([m.value for m in measured], truth)
    assert error(relative(measured), truth) < 0.5 * before


def test_a_calm_machine_is_left_alone():
    measured, truth = experiment(lambda i: 1.0)
    before = error([m.value for m in measured], truth)
    assert error(relative(measured), truth) < 1.25 * before


def test_the_reference_may_change_to_a_configuration_measured_before():
    measured = [
        Measured(BASE, 100.0),
        Measured({"memory": 2}, 150.0),
        Measured(BASE, 100.0, reference=True),
        Measured({"memory": 3}, 450.0),
        Measured({"memory": 2}, 450.0, reference=True),
        Measured({"memory": 2}, 450.0, reference=True),
    ]
    values = relative(measured)
    assert values[0] == pytest.approx(100.0, rel=0.02)
    assert values[-1] == pytest.approx(values[1], rel=0.05)
    assert values[-1] < 200.0


def test_without_a_second_reference_nothing_changes():
    measured = [Measured(BASE, 100.0), Measured({"memory": 2}, None, "crashed"), Measured({"memory": 3}, 120.0)]
    assert relative(measured) == [100.0, None, 120.0]
    assert not drift(measured).any()


@pytest.mark.parametrize("value", [0.0, -3.0, float("nan"), None])
def test_a_value_without_a_logarithm_is_refused(value):
    with pytest.raises(InvalidInput, match=r"measured\[1\].value"):
        relative([Measured(BASE, 1.0), Measured(BASE, value)])
