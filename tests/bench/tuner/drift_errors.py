"""How far measurements are from the truth as they are, and with the machine's drift taken out, at which noise.

Each fifth trial measures a known configuration again, the baseline and the one that looks best so far in turns: under
noise that one is the luckiest, as in the pipeline. The truth is a value on the machine of the first trial.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from otterflow.measures.drift import Sample, relative
from tests.bench.tuner.drifting import MACHINES

NOISES = (0.03, 0.10, 0.20, 0.40)
_EVERY = 5


def experiment(machine: str, noise: float, trials: int, seed: int) -> tuple[list[Sample], np.ndarray]:
    """Trials on a machine, and the logarithm of what each configuration is worth."""
    rng = np.random.default_rng(seed)
    speed = MACHINES[machine](np.random.default_rng([seed, 1]))
    worth: dict[int, float] = {0: 0.0}
    seen: dict[int, list[float]] = {}
    measured, truth = [], []
    for i in range(trials):
        reference = i > 0 and i % _EVERY == 0
        config = i
        if i == 0 or (reference and (i // _EVERY) % 2 == 1):
            config = 0
        elif reference:
            config = max(seen, key=lambda known: float(np.mean(seen[known])))
        else:
            worth[i] = 0.5 * (1 - np.exp(-i / 15)) * float(rng.uniform(-0.5, 1.2))
        log = worth[config] + np.log(speed(i)) + noise * float(rng.standard_normal())
        seen.setdefault(config, []).append(log)
        measured.append(Sample({"number": config}, float(np.exp(log)), reference=reference))
        truth.append(worth[config])
    return measured, np.array(truth)


def errors(machine: str, noise: float, trials: int, seeds: Iterable[int]) -> tuple[float, float]:
    """The mean over experiments of the error of a logarithm (root mean square): as measured, and corrected."""
    pairs = []
    for seed in seeds:
        measured, truth = experiment(machine, noise, trials, seed)
        values = [np.array([m.value for m in measured]), np.array(relative(measured))]
        pairs.append([float(np.sqrt(np.mean((np.log(of) - truth) ** 2))) for of in values])
    plain, corrected = np.mean(pairs, axis=0)
    return float(plain), float(corrected)


def table(trials: int, seeds: Iterable[int]) -> str:
    """Markdown: a row a machine, the errors as measured and corrected at each noise, and the second by the first."""
    lines = ["| machine | " + " | ".join(f"noise {noise:.0%}" for noise in NOISES) + " |"]
    lines.append("|---" * (len(NOISES) + 1) + "|")
    for machine in MACHINES:
        cells = [errors(machine, noise, trials, seeds) for noise in NOISES]
        shown = [f"{plain:.3f} to {corrected:.3f} ({corrected / plain:.2f})" for plain, corrected in cells]
        lines.append(f"| {machine} | " + " | ".join(shown) + " |")
    return "\n".join(lines)
