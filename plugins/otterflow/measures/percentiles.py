"""How many latencies a percentile needs before it is more than the slowest of them."""

from __future__ import annotations

from collections.abc import Mapping

LEAST_TIMES = {50: 2, 95: 20, 99: 100}
"""For each percentile: with fewer latencies its nearest rank is the largest of them, or the only one."""


def told(latencies_ms: Mapping[str, float], times: int) -> dict[str, float]:
    """Those of `mean`, `p50`, `p95` and `p99` that so many latencies can tell."""
    too_few = {f"p{percent}" for percent, least in LEAST_TIMES.items() if times < least}
    return {name: value for name, value in latencies_ms.items() if name not in too_few}


def untold(times: int) -> dict[str, str]:
    """By objective: why so many latencies cannot tell it."""
    return {
        f"latency_p{percent}": f"{times} latencies are too few for percentile {percent}, which takes {least}"
        for percent, least in LEAST_TIMES.items()
        if times < least
    }
