"""What a past experiment saved or cost, pair by pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.bench.tuner_transfer.bench import COLD
from tests.bench.tuner_transfer.pairs import PAIRS

AT = (3, 5, 10, 20, 40)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown. Mean scores with the past / without, over the seeds that both have.

    "trials" is how many the mean run with the past needs for the score that the mean run without it ends with. The last
    column is the difference at the end with the half-width of its 95 % interval.
    """
    cold = {(r["problem"], r["seed"]): r["scores"] for r in rows if r["pair"] == COLD}
    lines = ["| pair | seeds | " + " | ".join(f"after {t}" for t in AT) + " | trials | at the end |"]
    lines.append("|" + " --- |" * (len(AT) + 4))
    for pair in PAIRS:
        pairs = [
            (r["scores"], cold[r["problem"], r["seed"]])
            for r in rows
            if r["pair"] == pair and (r["problem"], r["seed"]) in cold
        ]
        if pairs:
            lines.append(_line(pair, np.array([w for w, _ in pairs]), np.array([c for _, c in pairs])))
    return "\n".join(lines)


def trials_needed(scores: np.ndarray, goal: float) -> int | None:
    """After how many trials (from 1) a run is at the goal or above; None where it never is."""
    reached = np.flatnonzero(scores >= goal - 1e-9)
    return int(reached[0]) + 1 if len(reached) else None


def _line(pair: str, warm: np.ndarray, cold: np.ndarray) -> str:
    cells = [f"{warm[:, t - 1].mean():.3f} / {cold[:, t - 1].mean():.3f}" for t in AT if t <= cold.shape[1]]
    needed = trials_needed(warm.mean(axis=0), float(cold.mean(axis=0)[-1]))
    gains = warm[:, -1] - cold[:, -1]
    width = f" ± {1.96 * gains.std(ddof=1) / len(gains) ** 0.5:.3f}" if len(gains) > 1 else ""
    told = "not reached" if needed is None else str(needed)
    return f"| {pair} | {len(gains)} | " + " | ".join(cells) + f" | {told} | {gains.mean():+.3f}{width} |"
