"""Hamiltonian Monte Carlo: draws from a density whose gradient is known (Neal 2011, section 5.3).

Small and plain: a unit mass, a fixed number of leapfrog steps, a step size adapted during the warm-up to an acceptance
of 0.75. That is enough for log hyperparameters, which all live on a scale near 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from otterflow.tuner.encoding import Array

Density = Callable[[Array], tuple[float, Array]]
"""Negative log density and its gradient; infinite where the density is 0."""

_LEAPS = 6
_ACCEPTANCE = 0.75
_FIRST_STEP = 0.25


def draw(density: Density, start: Array, rng: np.random.Generator, *, warm_up: int, draws: int, thin: int) -> Array:
    """`draws` states (draws, dimensions), `thin` steps apart, after `warm_up` steps from `start`."""
    state, (energy, gradient) = start, density(start)
    step, kept = _FIRST_STEP, []
    for i in range(warm_up + draws * thin):
        momentum = rng.standard_normal(len(state))
        size = step * rng.uniform(0.7, 1.3)
        before = energy + 0.5 * float(momentum @ momentum)
        proposal, momentum, new_energy, new_gradient = _leapfrog(density, state, momentum, gradient, size)
        after = new_energy + 0.5 * float(momentum @ momentum)
        chance = float(np.exp(min(0.0, before - after))) if np.isfinite(after) else 0.0
        if rng.random() < chance:
            state, energy, gradient = proposal, new_energy, new_gradient
        if i < warm_up:
            step *= float(np.exp(0.3 * (chance - _ACCEPTANCE)))
        elif (i - warm_up + 1) % thin == 0:
            kept.append(state)
    return np.array(kept)


def _leapfrog(
    density: Density, state: Array, momentum: Array, gradient: Array, size: float
) -> tuple[Array, Array, float, Array]:
    energy = np.inf
    momentum = momentum - 0.5 * size * gradient
    for leap in range(_LEAPS):
        state = state + size * momentum
        energy, gradient = density(state)
        if not np.isfinite(energy):
            break
        momentum = momentum - (size if leap < _LEAPS - 1 else 0.5 * size) * gradient
    return state, momentum, energy, gradient
