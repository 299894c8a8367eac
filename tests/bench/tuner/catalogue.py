"""The problems by name."""

from __future__ import annotations

import numpy as np

from tests.bench.tuner.drifting import MACHINES, Drifting
from tests.bench.tuner.measured import NAMES as MEASURED
from tests.bench.tuner.measured import Measured
from tests.bench.tuner.problem import Problem
from tests.bench.tuner.synthetic import FAMILIES, Synthetic

SIX = (*FAMILIES, *MEASURED[:3])
"""What the tables compare on."""


def make(name: str, seed: int) -> Problem:
    """A problem by name; the seed picks a synthetic one's instance. Raises ValueError for an unknown name.

    `synthetic20@steps` is synthetic20 on a machine of `drifting.MACHINES`.
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
    raise ValueError(f"problem {name!r} is unknown: use one of {', '.join((*FAMILIES, *MEASURED))}")
