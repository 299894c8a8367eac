"""How sure a measurement is on a machine, and how the machine went faster or slower, read from a result."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

Result = Mapping[str, Any]


@dataclass(frozen=True)
class Drift:
    """By how much the machine was slower (below 0) or faster than in the first trial, in per cent, at its extremes."""

    slowest_percent: float
    fastest_percent: float


def noise_percent(result: Result) -> float | None:
    """The standard deviation of one turn of the comparison, in per cent, what differs between arms and rounds removed.

    None with fewer than two arms and three rounds, and for values that are not all positive.
    """
    rows = [values for values in result["comparison"]["values"].values() if values]
    if len(rows) < 2 or len({len(row) for row in rows}) > 1 or len(rows[0]) < 3 or min(map(min, rows)) <= 0:
        return None
    logs = [[math.log(value) for value in row] for row in rows]
    arms, rounds = [fmean(row) for row in logs], [fmean(column) for column in zip(*logs, strict=True)]
    mean = fmean(arms)
    left = [value - arms[i] - rounds[j] + mean for i, row in enumerate(logs) for j, value in enumerate(row)]
    freedom = (len(arms) - 1) * (len(rounds) - 1)
    return 100 * math.sqrt(sum(rest**2 for rest in left) / freedom)


def drift(result: Result) -> Drift | None:
    """How the machine drifted over the trials; None where the trials say nothing of it.

    A trial's `relative` is its gain without the drift, so what its plain gain has besides is the drift.
    """
    measured = [t for t in result["trials"] if _is_positive(t["value"]) and _is_positive(t.get("relative"))]
    first = next((t for t in measured if t["kind"] == "baseline"), None)
    if first is None or len(measured) < 2:
        return None
    moved = [_gain(first["value"], t["value"], result["maximise"]) / t["relative"] - 1 for t in measured]
    if max(map(abs, moved)) < 0.0005:  # as exact as `relative` is
        return None
    return Drift(100 * min(moved), 100 * max(moved))


def repeated(result: Result) -> list[Mapping[str, Any]]:
    """The trials that measured a known configuration again."""
    return [trial for trial in result["trials"] if trial["kind"] == "reference"]


def sentences(result: Result) -> list[str]:
    """Noise and drift as a person reads them."""
    return [*_noise(result), *_drift(result), *_load(result["trials"])]


def _noise(result: Result) -> list[str]:
    noise = noise_percent(result)
    if noise is None:
        return ["Too few turns were compared to say how much one measurement of the same configuration varies."]
    return [f"One turn of the comparison varies by {noise:.1f} % (standard deviation, arms and rounds taken out)."]


def _drift(result: Result) -> list[str]:
    again = len(repeated(result))
    found = drift(result)
    if found is None:
        seen = f"{again} trials of known configurations show no" if again else "No trial was made to see a"
        return [f"{seen} drift of the machine; none is taken out."]
    return [
        f"Against the first trial the machine was between {found.slowest_percent:+.1f} % and "
        f"{found.fastest_percent:+.1f} % as the trials went on, by {again} trials of known configurations; this is "
        "taken out of the gains of the trials. The comparison needs no such correction: its arms take turns."
    ]


def _load(trials: Sequence[Mapping[str, Any]]) -> list[str]:
    loads = [trial["load_1m"] for trial in trials if trial.get("load_1m") is not None]
    return [f"The host's load average lay between {min(loads):.1f} and {max(loads):.1f}."] if loads else []


def _gain(before: float, after: float, maximise: bool) -> float:
    return after / before if maximise else before / after


def _is_positive(value: float | None) -> bool:
    return value is not None and value > 0
