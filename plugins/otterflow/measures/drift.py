"""Machine drift: what the same configuration's repeated trials say about the machine, taken out of all trials.

The host is not the same machine from hour to hour: a shared one changed by a factor of 3 within half an hour. The
model, on the logarithm of a positive measurement y of configuration c at trial t:

    log y_t = level_c + drift_t + noise,    drift_0 = 0,  drift_t - drift_(t-1) ~ N(0, q)

The drift is a random walk, so its best estimate runs straight between two reference trials and stays level after the
last (Brownian interpolation). Neither its speed q nor the noise is known, and a handful of reference trials cannot
always tell the one from the other: taken for drift, noise makes everything worse. So no one fit is believed. The noise
is integrated out, and the estimate is the mean over all speeds that are tried, each weighed by its evidence and by
what was believed before: that every other machine stands still (Bayesian model averaging; J. A. Hoeting and others,
Statistical Science 14, 1999). What that is worth at which noise is in docs/measurements/tuner.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.space import Value

Array = npt.NDArray[np.float64]

OK = "ok"
"""The state of a trial that has a value; any other has none."""
NOISE, NOISE_WEIGHT = 0.05, 0.5
"""What the standard deviation of a measurement's logarithm is taken to be before there is one (3 to 9 % was measured on
machines that stand still), and how many differences of reference trials that counts for: an inverse gamma prior."""
STILL = 0.5
"""How likely it is, before there is a measurement, that the machine stands still."""
_SPEEDS = np.geomspace(0.1, 30.0, 25)
"""Drift per trial that is tried out otherwise, in standard deviations of the noise, all equally likely."""


@dataclass(frozen=True)
class Sample:
    """One trial in the order of time. `value` is the objective as measured (positive), in its own unit.

    `reference` marks a trial that was made to measure the machine: a configuration that was measured before.
    """

    config: Mapping[str, Value]
    value: float | None
    state: str = OK
    reference: bool = False


def relative(measured: Sequence[Sample]) -> list[float | None]:
    """Each trial's value as it would have been on the machine of the first trial; None where it has none.

    All trials of a configuration that some trial marks as reference tell of the drift, so the first trial of it needs
    no mark. Larger or smaller may be better: a correction is a factor. Without two trials of a reference configuration
    the values come back as they are. Raises InvalidInput for a value that is not positive and finite.
    """
    problems = [
        Problem(f"measured[{i}].value", f"{m.value!r} is not a positive number", "give the objective as measured")
        for i, m in enumerate(measured)
        if m.state == OK and (m.value is None or not math.isfinite(m.value) or m.value <= 0)
    ]
    if problems:
        raise InvalidInput(problems)
    factors = np.exp(-drift(measured))
    return [
        m.value * float(f) if m.state == OK and m.value is not None else None
        for m, f in zip(measured, factors, strict=True)
    ]


def drift(measured: Sequence[Sample]) -> Array:
    """Estimated drift (trials,): by how much the logarithm of a measurement was raised, against the first trial."""
    keys = [tuple(sorted(m.config.items())) for m in measured]
    references = {key for key, m in zip(keys, measured, strict=True) if m.reference}
    at = [i for i, (key, m) in enumerate(zip(keys, measured, strict=True)) if key in references and m.state == OK]
    if len(at) < 2:
        return np.zeros(len(measured))
    times = np.array(at, dtype=float)
    logs = np.log([measured[i].value for i in at])  # type: ignore[arg-type]
    levels = sorted(references.intersection(keys[i] for i in at), key=repr)
    member = np.array([[float(keys[i] == level) for level in levels] for i in at])
    return _average(_Differences(times, logs, member), np.arange(len(measured), dtype=float))


class _Differences:
    """Reference trials as differences within each configuration (restricted likelihood), made independent.

    `values` (d,) are d independent numbers of variance noise² (1 + r² `growth`) for a drift of r times the noise a
    trial; `shape` (trials, d) takes them back to the times of the trials.
    """

    def __init__(self, times: Array, logs: Array, member: Array) -> None:
        within = np.linalg.svd(member)[0][:, member.shape[1] :]
        growth, turn = np.linalg.eigh(within.T @ np.minimum(times[:, None], times) @ within)
        self.shape = within @ turn
        self.growth = np.maximum(growth, 0.0)
        self.values = self.shape.T @ logs
        self.times = times


def _average(differences: _Differences, steps: Array) -> Array:
    """The drift's mean at `steps`, over all speeds by their evidence."""
    values, growth = differences.values, differences.growth
    if not len(values):
        return np.zeros(len(steps))
    ratios = np.array([0.0, *_SPEEDS**2])
    spread = 1.0 + ratios[:, None] * growth
    squares = (values**2 / spread).sum(axis=1) + NOISE_WEIGHT * NOISE**2
    evidence = -0.5 * np.log(spread).sum(axis=1) - 0.5 * (len(values) + NOISE_WEIGHT) * np.log(squares)
    believed = np.array([STILL, *np.full(len(_SPEEDS), (1.0 - STILL) / len(_SPEEDS))])
    weights = believed * np.exp(evidence - evidence.max())
    weights /= weights.sum()
    pull = (weights * ratios) @ (values / spread)
    return np.asarray(np.minimum(steps[:, None], differences.times) @ differences.shape @ pull)
