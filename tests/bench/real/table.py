"""The results of experiments on real servers, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

HEADER = (
    "server and load", "memory", "knobs", "start", "rules over default", "best over default", "best over rules",
    "winner", "trials to 95 % of the best", "rounds", "minutes",
)  # fmt: skip


def table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """A row an experiment, in Markdown; ratios above 1 are better, with 95 % from low to high."""
    lines = [f"| {' | '.join(HEADER)} |", "|---" * len(HEADER) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(_cells(result))} |" for result in results.values())])


def _cells(result: Mapping[str, Any]) -> list[str]:
    comparison = result["comparison"]
    load = f"{result['case']} ({result['told']})" if result["told"] else str(result["case"])
    return [
        load,
        f"{result['memory'] / 1e9:.2f} GB",
        str(result["knob_set"]),
        str(result["start"]),
        _ratio(comparison["ratios"].get("rules")),
        _ratio(comparison["ratios"].get("best")) if "best" in comparison["values"] else "the rules are the best",
        _ratio(comparison["best_over_rules"]),
        str(result["winner"]),
        str(trials_needed(result["trials"])),
        str(max(map(len, comparison["values"].values()), default=0)),
        f"{result['took_s'] / 60:.0f}",
    ]


def trials_needed(trials: Sequence[Mapping[str, Any]], share: float = 0.95) -> int | None:
    """How many trials it took until one gave `share` of what the best gave; None where none was measured."""
    gains = [trial["relative"] for trial in trials]
    known = [gain for gain in gains if gain is not None]
    if not known:
        return None
    return next(place + 1 for place, gain in enumerate(gains) if gain is not None and gain >= share * max(known))


def _ratio(ratio: Mapping[str, Any] | None) -> str:
    return f"{ratio['ratio']:.2f} [{ratio['low']:.2f}, {ratio['high']:.2f}]" if ratio else "-"
