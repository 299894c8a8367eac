"""Machine drift: what the same configuration's repeated trials say about the machine, taken out of all trials.

The host is not the same machine from hour to hour: a shared one changed by a factor of 3 within half an hour. The
model, on the logarithm of a positive measurement y of configuration c at trial t:

    log y_t = level_c + drift_t + noise,    drift_0 = 0,  drift_t - drift_(t-1) ~ N(0, q)

The drift is a random walk, so its best estimate runs straight between two reference trials and stays level after the
last (Brownian interpolation). Its speed q is estimated; where the references differ by no more than the noise, q is 0
and nothing is corrected.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.space import Value
from otterflow.tuner.encoding import Array
from otterflow.tuner.trial import OK

NOISE = 0.05
"""Standard deviation of one measurement's logarithm on a machine that stands still; 3 to 9 % was measured on such."""
_SPEEDS = (0.0, *np.geomspace(0.01, 1.0, 25))
"""Drift per trial that is tried out, as a standard deviation of the logarithm; 1.0 is a factor of 2.7."""


@dataclass(frozen=True)
class Measured:
    """One trial in the order of time. `value` is the objective as measured (positive), in its own unit.

    `reference` marks a trial that was made to measure the machine: a configuration that was measured before.
    """

    config: Mapping[str, Value]
    value: float | None
    state: str = OK
    reference: bool = False


def relative(measured: Sequence[Measured]) -> list[float | None]:
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


def drift(measured: Sequence[Measured]) -> Array:
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
    steps = np.arange(len(measured), dtype=float)
    fits = [_posterior(speed, times, logs, member, steps) for speed in _SPEEDS]
    _, best = max(fits, key=lambda fit: fit[0])
    return best


def _posterior(speed: float, times: Array, logs: Array, member: Array, steps: Array) -> tuple[float, Array]:
    """Evidence of a drift of `speed` per trial, and the drift's mean at `steps` under it.

    Each configuration's level is a constant with a flat prior (restricted maximum likelihood).
    """
    walk = np.minimum(times[:, None], times) * speed**2
    cov = walk + NOISE**2 * np.eye(len(times))
    factor = cho_factor(cov, lower=True)
    solved = cho_solve(factor, member)
    information = member.T @ solved
    level = np.linalg.solve(information, solved.T @ logs)
    rest = logs - member @ level
    weights = cho_solve(factor, rest)
    evidence = -0.5 * rest @ weights - np.log(np.diag(factor[0])).sum() - 0.5 * np.linalg.slogdet(information)[1]
    return float(evidence), np.minimum(steps[:, None], times) @ weights * speed**2
