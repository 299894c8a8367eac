"""The problems by name."""

from __future__ import annotations

import numpy as np

from tests.bench.tuner.drifting import MACHINES, Drifting
from tests.bench.tuner.measured import NAMES as MEASURED
from tests.bench.tuner.measured import Measured
from tests.bench.tuner.part import PARTS, Part
from tests.bench.tuner.problem import Problem
from tests.bench.tuner.synthetic import FAMILIES, Synthetic

SIX = ("synthetic8", "synthetic20", "synthetic60", *MEASURED[:3])
"""What the tables compare on."""
FURTHER = ("synthetic30", *PARTS)
"""For choosing between variants of the tuner, beside the six on other seeds."""


def make(name: str, seed: int) -> Problem:
    """A problem by name; the seed picks a synthetic one's instance, and a part's knobs.

    Raises ValueError for an unknown name. `synthetic20@steps` is synthetic20 on a machine of `drifting.MACHINES`.
    """
    plain, _, machine = name.partition("@")
    if machine:
        if machine not in MACHINES:
            raise ValueError(f"machine {machine!r} is unknown: use one of {', '.join(MACHINES)}")
        return Drifting(make(plain, seed), MACHINES[machine](np.random.default_rng(9000 + seed)))
    if plain in FAMILIES:
        return Synthetic(*FAMILIES[plain], seed)
    if plain in MEASURED:
        return Measured(plain)
    if plain in PARTS:
        whole, free = PARTS[plain]
        return Part(plain, Measured(whole), free, seed)
    raise ValueError(f"problem {name!r} is unknown: use one of {', '.join((*FAMILIES, *MEASURED, *PARTS))}")
