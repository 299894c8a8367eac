"""What it costs a server to tell its statements, before it is asked to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otterflow.dbms.values import CapturePrice, CaptureRate
    from otterflow.workloads.recording.definition import Budget

LEAST_SHARE = 0.001
"""A smaller share of the transactions is no picture of a load."""


@dataclass(frozen=True)
class Cost:
    """Least and most: percent of one core, and bytes of log for the interval. `counted` says how it was found."""

    rate: CaptureRate
    core_percent: tuple[float, float]
    log_bytes: tuple[float, float]

    def times(self, share: float) -> Cost:
        """The cost where only a share of the transactions is told."""
        return Cost(self.rate, _scaled(self.core_percent, share), _scaled(self.log_bytes, share))

    def is_within(self, budget: Budget) -> bool:
        """Whether not even the most of it is more than the budget."""
        return self.core_percent[1] <= budget.core_percent and self.log_bytes[1] <= budget.log_size

    def share_within(self, budget: Budget) -> float:
        """The largest share whose cost is within the budget, to three places; below `LEAST_SHARE` 0."""
        share = min(
            1.0, budget.core_percent / max(self.core_percent[1], 1e-9), budget.log_size / max(self.log_bytes[1], 1e-9)
        )
        cut = math.floor(share * 1000) / 1000
        return cut if cut >= LEAST_SHARE else 0.0

    def __str__(self) -> str:
        """The numbers, as a person reads them."""
        core, log_bytes = self.core_percent, [size / 2**20 for size in self.log_bytes]
        return (
            f"{core[0]:.2g} to {core[1]:.2g} % of a core and {log_bytes[0]:,.0f} to {log_bytes[1]:,.0f} MiB of log, at "
            f"{self.rate.per_s:,.0f} a second ({self.rate.counted})"
        )


def cost_of(rate: CaptureRate, price: CapturePrice, length_s: float) -> Cost:
    """The cost of telling all statements for so long."""
    core = _scaled(price.cpu_us, rate.per_s / 1e6 * 100)
    return Cost(rate, core, _scaled(price.log_bytes, rate.per_s * length_s))


def _scaled(pair: tuple[float, float], factor: float) -> tuple[float, float]:
    return pair[0] * factor, pair[1] * factor
