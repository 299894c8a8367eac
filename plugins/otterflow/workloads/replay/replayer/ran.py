"""A run that has ended, of one process or of several joined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from otterflow.workloads.replay.replayer.tally import Tally, Times

MOST_CPU_SHARE = 0.9


class Used(NamedTuple):
    """A process of the replayer: its processor time by the run's, its statements, and how late its worst 1 % were."""

    cpu_share: float
    statements: int
    own_lateness_p99_ms: float


@dataclass
class Ran:
    """A run that has ended. `cut` says why it ended before all was sent."""

    tally: Tally
    seconds: float
    processes: list[Used]
    connections: int
    lag: Times = field(default_factory=Times)
    cut: str | None = None

    @property
    def cpu_share(self) -> float:
        """The processor time of the busiest process, of one core."""
        return max(each.cpu_share for each in self.processes)

    def not_driven(self, most_own_lateness_ms: float | None) -> list[str]:
        """Why the replayer itself was the limit, in sentences. Then no time of it says anything of the server.

        `most_own_lateness_ms` is None where no statement has a time of its own.
        """
        return list(self._not_driven(most_own_lateness_ms))

    def _not_driven(self, most_own_lateness_ms: float | None) -> Iterator[str]:
        if self.cpu_share > MOST_CPU_SHARE:
            whose = "the replayer's own processor time"
            if len(self.processes) > 1:
                whose = f"the processor time of one of the replayer's {len(self.processes)} processes"
            yield f"{whose} was {self.cpu_share:.0%} of a core"
        late_ms = self.tally.own_lateness.percentile(99) or 0.0
        if most_own_lateness_ms is not None and late_ms > most_own_lateness_ms:
            yield (
                f"one statement in a hundred was sent more than {late_ms:.0f} ms after it was due, though its session "
                "was ready"
            )


def joined(parts: Sequence[Ran]) -> Ran:
    """The run of several processes that began together."""
    tally, lag = type(parts[0].tally)(), Times()
    for part in parts:
        tally.merge(part.tally)
        lag.merge(part.lag)
    return Ran(
        tally,
        max(part.seconds for part in parts),
        [used for part in parts for used in part.processes],
        sum(part.connections for part in parts),
        lag,
        next((part.cut for part in parts if part.cut is not None), None),
    )
