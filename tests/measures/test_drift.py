from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from otterflow.errors import InvalidInput
from otterflow.measures.drift import Sample, drift, relative
from otterflow.tuner.encoding import Array
from tests.bench.tuner.drift_errors import errors

BASE = {"memory": 1}


def experiment(
    machine: Callable[[int], float], *, noise: float = 0.03, every: int = 5, seed: int = 0
) -> tuple[list[Sample], Array]:
    """30 trials of configurations that get better; every fifth measures the baseline again on a drifting machine."""
    rng = np.random.default_rng(seed)
    measured, truth = [], []
    for i in range(30):
        reference = i % every == 0
        true = 1000.0 if reference else 1000.0 * (1 + 0.02 * i)
        config = BASE if reference else {"memory": 100 + i}
        value = true * machine(i) * np.exp(noise * rng.standard_normal())
        measured.append(Sample(config, value, reference=reference and i > 0))
        truth.append(true)
    return measured, np.array(truth)


def error(values: Sequence[float | None], truth: Array) -> float:
    off: float = np.sqrt(np.mean(np.log(np.array(values) / truth) ** 2))
    return off


@pytest.mark.parametrize(
    "machine",
    [
        lambda i: np.exp(0.5 * np.sin(i / 6.0)),
        lambda i: 1.0 + 2.0 * i / 30.0,
        lambda i: 2.5 if i >= 13 else 1.0,
    ],
    ids=["slow wander", "faster and faster", "a step"],
)
def test_drift_is_taken_out(machine: Callable[[int], float]) -> None:
    measured, truth = experiment(machine)
    before = error([m.value for m in measured], truth)
    assert error(relative(measured), truth) < 0.5 * before


@pytest.mark.parametrize("noise", [0.03, 0.1, 0.2, 0.4])
def test_on_a_machine_that_stands_still_the_correction_costs_less_than_a_tenth_of_the_noise(noise: float) -> None:
    """At 10 and 20 % it once took the noise of the reference trials for drift, and made the error larger by 40 %."""
    before, after = errors("still", noise, 30, range(60))
    assert after < 1.1 * before


@pytest.mark.parametrize("noise", [0.03, 0.1])
@pytest.mark.parametrize("machine", ["wander", "steps"])
def test_drift_is_taken_out_of_noisy_measurements_too(machine: str, noise: float) -> None:
    before, after = errors(machine, noise, 30, range(30))
    assert after < 0.75 * before


def test_the_reference_may_change_to_a_configuration_measured_before() -> None:
    other = {"memory": 2}
    measured = [
        Sample(BASE, 100.0),
        Sample(other, 150.0),
        Sample(BASE, 100.0, reference=True),
        Sample({"memory": 3}, 450.0),
        Sample(other, 450.0, reference=True),
        Sample(BASE, 300.0, reference=True),
        Sample(other, 450.0, reference=True),
        Sample(BASE, 300.0, reference=True),
    ]
    values: list[Any] = relative(measured)
    assert values[0] == pytest.approx(100.0, rel=0.02)
    assert values[4] == pytest.approx(values[6], rel=0.05)
    assert values[6] < 1.4 * values[1], "it was measured at three times that"
    assert values[7] < 1.4 * values[2]


def test_without_a_second_reference_nothing_changes() -> None:
    measured = [Sample(BASE, 100.0), Sample({"memory": 2}, None, "crashed"), Sample({"memory": 3}, 120.0)]
    assert relative(measured) == [100.0, None, 120.0]
    assert not drift(measured).any()


@pytest.mark.parametrize("value", [0.0, -3.0, float("nan"), None])
def test_a_value_without_a_logarithm_is_refused(value: float | None) -> None:
    with pytest.raises(InvalidInput, match=r"measured\[1\].value"):
        relative([Sample(BASE, 1.0), Sample(BASE, value)])
