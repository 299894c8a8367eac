"""Tables of results: scores by problem, and differences paired by problem and seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Rows = Sequence[dict[str, Any]]


def table(rows: Rows, at: Sequence[int], against: str) -> str:
    """Markdown: mean scores after `at` trials by problem, crashes, seconds; then each method against one of them.

    Raises ValueError where there is no run of `against`.
    """
    problems = list(dict.fromkeys(r["problem"] for r in rows))
    methods = list(dict.fromkeys(r["method"] for r in rows))
    if against not in methods:
        raise ValueError(f"no run of {against!r} to compare with: there are runs of {', '.join(methods)}")
    at = [t for t in at if t <= max(len(r["scores"]) for r in rows)]
    lines = [_line("after", "method", "seeds", *problems, "mean"), _line(*["---"] * (len(problems) + 4))]
    for trials in at:
        for method in methods:
            mine = [r for r in rows if r["method"] == method]
            cells = [_mean([_score(r, trials) for r in mine if r["problem"] == p]) for p in problems]
            seeds = len({r["seed"] for r in mine})
            lines.append(_line(f"{trials} trials", method, seeds, *cells, _mean([_score(r, trials) for r in mine])))
    lines += ["", _line("method", "crashes a run", *problems, "s a suggestion", "s at most", "winner's curse")]
    lines.append(_line(*["---"] * (len(problems) + 5)))
    for method in methods:
        mine = [r for r in rows if r["method"] == method]
        by_problem = [_mean([r["crashes"] for r in mine if r["problem"] == p], 1) for p in problems]
        seconds, most = np.median([r["seconds"] for r in mine]), max(r["seconds_max"] for r in mine)
        curse = _mean([100.0 * r["curse"] for r in mine if "curse" in r], 1) + " %"
        crashes = _mean([r["crashes"] for r in mine], 2)
        lines.append(_line(method, crashes, *by_problem, f"{seconds:.3f}", f"{most:.3f}", curse))
    lines += ["", *_paired(rows, at, against, methods)]
    return "\n".join(lines)


def _paired(rows: Rows, at: Sequence[int], against: str, methods: Sequence[str]) -> list[str]:
    """`against` minus each other method, over the problems and seeds that both have."""
    lines = [_line(f"{against} minus", "runs", *(f"after {t}" for t in at), "crashes a run")]
    lines.append(_line(*["---"] * (len(at) + 3)))
    by_key = {(r["method"], r["problem"], r["seed"]): r for r in rows}
    for method in methods:
        keys = [(p, s) for m, p, s in by_key if m == method and (against, p, s) in by_key]
        if method == against or not keys:
            continue
        pairs = [(by_key[against, p, s], by_key[method, p, s]) for p, s in keys]
        cells = [_interval([_score(a, t) - _score(b, t) for a, b in pairs]) for t in at]
        crashes = _interval([a["crashes"] - b["crashes"] for a, b in pairs])
        lines.append(_line(method, len(keys), *cells, crashes))
    return lines


def _score(row: dict[str, Any], trials: int) -> float:
    """After `trials`, or after the last of a shorter run."""
    return float(row["scores"][min(trials, len(row["scores"])) - 1])


def _mean(values: Sequence[float], digits: int = 3) -> str:
    return f"{np.mean(values):.{digits}f}" if len(values) else "-"


def _interval(values: Sequence[float]) -> str:
    """The mean with the half-width of its 95 % interval."""
    if len(values) < 2:
        return f"{np.mean(values):+.3f}"
    return f"{np.mean(values):+.3f} ± {1.96 * np.std(values, ddof=1) / len(values) ** 0.5:.3f}"


def _line(*cells: object) -> str:
    return "| " + " | ".join(str(c) for c in cells) + " |"
