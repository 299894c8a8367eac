"""What reference trials and `otterflow.measures.drift` are worth on a machine whose speed changes.

Every fifth trial measures a known configuration again, the baseline and the best so far in turns, as the pipeline does.
The same tuner then learns from the measurements as they are, or with the drift taken out; on a still machine neither
matters. Chosen is the incumbent by the model's mean, and its score is free of noise and drift.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.bench.tuner.catalogue import make
from tests.bench.tuner.drifting import MACHINES
from tests.bench.tuner.knob import Config

_EVERY = 5


def compare(problems: Sequence[str], seeds: int, budget: int) -> str:
    """Markdown: the mean final score on each machine, without and with the correction, and their paired difference."""
    lines = ["| machine | runs | as measured | corrected | difference |", "|---|---|---|---|---|"]
    for machine in MACHINES:
        pairs = [
            [tuned(f"{problem}@{machine}", seed, budget, corrected=corrected) for corrected in (False, True)]
            for problem in problems
            for seed in range(seeds)
        ]
        scores = np.array(pairs)
        gain = scores[:, 1] - scores[:, 0]
        half = 1.96 * gain.std(ddof=1) / len(gain) ** 0.5 if len(gain) > 1 else float("nan")
        plain, corrected = scores.mean(axis=0)
        lines.append(f"| {machine} | {len(pairs)} | {plain:.3f} | {corrected:.3f} | {gain.mean():+.3f} ± {half:.3f} |")
    return "\n".join(lines)


def tuned(name: str, seed: int, budget: int, *, corrected: bool) -> float:
    """The final score of one run with reference trials on a problem that drifts."""
    from otterflow.knobs.space import KnobSpace
    from otterflow.measures.drift import Sample, relative
    from otterflow.tuner import Trial, incumbent, suggest

    problem, noise = make(name, seed), np.random.default_rng(5000 + seed)
    space = KnobSpace.from_records([k.record() for k in problem.knobs])
    measured: list[Sample] = []

    def told() -> list[Trial]:
        values = relative(measured) if corrected else [m.value for m in measured]
        return [Trial(dict(m.config), v, m.state) for m, v in zip(measured, values, strict=True)]

    for i in range(budget):
        reference = i > 0 and i % _EVERY == 0
        config: Config = problem.default()
        if reference and (i // _EVERY) % 2 == 0:
            config = dict(incumbent(space, told(), seed=seed).config)
        elif i and not reference:
            config = dict(suggest(space, told(), seed=seed))
        value = problem.observe(config, noise)
        measured.append(Sample(config, value, "crashed" if value is None else "ok", reference))
    best = problem.true(dict(incumbent(space, told(), seed=seed).config))
    return problem.score(problem.baseline if best is None else best)
