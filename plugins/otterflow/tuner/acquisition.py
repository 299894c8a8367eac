"""What a candidate is worth: the improvement that the models expect of it, times the chance that the server survives.

Expected improvement (Jones, Schonlau and Welch 1998) is taken over the incumbent's posterior mean, for every model;
the mixture's is the weighted sum of its members'. The chance of survival multiplies it (Gelbart, Snoek and Adams
2014), and what is more likely than a limit to crash is not tried while anything else is worth trying.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from otterflow.tuner.encoding import Array


def expected_improvement(mean: Array, std: Array, best: float) -> Array:
    """E[max(0, f - best)] for f ~ N(mean, std^2)."""
    z = (mean - best) / std
    density = np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
    return np.asarray(std * (z * ndtr(z) + density))
