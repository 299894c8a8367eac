"""How much other work on its host a measured run may have beside it, learned from the target's own runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

HOST_WORK = "host_work"
"""The key of a result under which it says what the host did for others meanwhile."""
LEARNED_FROM = 3
"""With fewer runs nobody knows what is usual on the host, and none is called disturbed."""
ALLOWED = {"others_share": 0.05, "steal_share": 0.02}
"""By how much a share of all processors' time may always exceed what is usual."""
WORDS = {"others_share": "work of others", "steal_share": "time stolen by the hypervisor"}
_DEVIATIONS = 4.0
_TO_DEVIATION = 1.4826


@dataclass(frozen=True)
class QuietLimits:
    """The largest share of each kind of other work that is still usual; `runs` is how many it was learned from."""

    limits: dict[str, float]
    runs: int

    @classmethod
    def learned(cls, runs: Sequence[dict[str, float]]) -> QuietLimits | None:
        """From the shares of earlier runs; None while they are too few.

        What is usual is the median of the quieter half, so that a backup over a few runs does not become usual; on a
        host that is never quiet the limit is as wide as its quieter half varies.
        """
        if len(runs) < LEARNED_FROM:
            return None
        return cls({kind: _limit([run[kind] for run in runs], allowed) for kind, allowed in ALLOWED.items()}, len(runs))

    def exceeded(self, run: dict[str, float]) -> str | None:
        """What was beyond its limit, in words; None for a quiet run."""
        beyond = [
            f"{WORDS[kind]} took {run[kind]:.1%} of the processors, {limit:.1%} is the limit"
            for kind, limit in self.limits.items()
            if run[kind] > limit
        ]
        return "; ".join(beyond) or None

    def __str__(self) -> str:
        said = ", ".join(f"{WORDS[kind]} {limit:.1%}" for kind, limit in self.limits.items())
        return f"{said} (learned from {self.runs} runs)"


def _limit(shares: Sequence[float], allowed: float) -> float:
    quiet = sorted(shares)[: (len(shares) + 1) // 2]
    usual = median(quiet)
    return usual + max(allowed, _DEVIATIONS * _TO_DEVIATION * median(abs(share - usual) for share in quiet))
