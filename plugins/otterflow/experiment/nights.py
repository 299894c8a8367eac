"""The nights of a schedule: what each came to, as rows of a table, and whether the next one need be long.

Everything is read from the experiments' results, so the table and `result.json` cannot say different things.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from otterflow.experiment.comparison import BASELINE
from otterflow.experiment.loop import LITTLE_LEFT
from otterflow.experiment.night_recording import CHANGED, distance
from otterflow.experiment.summary import aligned

if TYPE_CHECKING:
    from otterflow.repository import Experiment, Glimpse, Repository

COLUMNS = ("night", "experiment", "workload", "trials", "winner", "gain", "then", "why it ended")
SHORT_ITERATIONS = 2
"""Trials of a short night: what is in force, and the rules."""
MOVED = 1.1
"""From what factor on what is in force, measured a night later, says that the workload or the machine has changed."""


@dataclass(frozen=True)
class Night:
    """A night's row. `gain` is the winner against what was in force before, in percent, with its 95 % interval."""

    night: str
    experiment: str
    workload: str
    recording: str | None
    """What was replayed: a recording's id."""
    state: str
    trials: int
    winner: str
    gain_percent: float | None
    low_percent: float | None
    high_percent: float | None
    in_force_value: float | None
    """The comparison's median of what was left in force, in the objective's unit."""
    began_with_value: float | None
    """The comparison's median of what was in force before."""
    then: str
    """`installed`, `proposed`, `kept` (nothing beat what was in force), or a dash where there is no result."""
    because: str

    def record(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)

    def cells(self) -> tuple[str, ...]:
        """The row under `COLUMNS`."""
        return (
            self.night, self.experiment, self._load(), str(self.trials), self.winner, self._gain(), self.then,
            self.because,
        )  # fmt: skip

    def _load(self) -> str:
        return f"{self.workload} of {self.recording}" if self.recording else self.workload

    def _gain(self) -> str:
        if self.gain_percent is None:
            return "-"
        if self.low_percent is None:
            return f"{self.gain_percent:+.1f} %"
        return f"{self.gain_percent:+.1f} % ({self.low_percent:+.1f} to {self.high_percent:+.1f})"


def nights_of(schedule: str, experiments: Sequence[Experiment | Glimpse]) -> list[Night]:
    """The schedule's nights, oldest first, by the names of its experiments. `known_nights` reads them."""
    named = re.compile(rf"^{re.escape(schedule)}-(\d{{4}})(\d{{2}})(\d{{2}})(-\d+)?$")
    found = [(match, experiment) for experiment in experiments if (match := named.match(experiment.name))]
    return [
        _night("-".join(match.groups()[:3]), experiment)
        for match, experiment in sorted(found, key=lambda pair: (pair[1].created_at, pair[1].name))
    ]


def known_nights(
    repository: Repository, schedule: str, of: Collection[str] | None = None, *, most: int | None = None
) -> list[Night]:
    """The schedule's nights in the repository, oldest first; those of these Dags' experiments, the newest `most`."""
    return nights_of(schedule, repository.headlines(f"{schedule}-", of, most=most))


def table(nights: Sequence[Night]) -> str:
    """The nights as plain text, for a log."""
    return "\n".join(aligned(COLUMNS, [night.cells() for night in nights]))


Manifests = Mapping[str, Mapping[str, Any]]
"""The manifests of recordings, by their id."""


def why_short(
    nights: Sequence[Night], workload: str, recording: str | None = None, manifests: Manifests = MappingProxyType({})
) -> str | None:
    """Why the coming night, of that workload and recording, only measures what is in force; None if it should search.

    The last night of the same workload found that little was left to be gained, and since then nothing has moved.
    """
    known = [night for night in nights if night.workload == workload and night.state == "finished"]
    searched = max((i for i, night in enumerate(known) if night.trials > SHORT_ITERATIONS), default=None)
    if searched is None or LITTLE_LEFT not in known[searched].because:
        return None
    if any(moved(before, after, manifests) for before, after in pairwise(known[searched:])):
        return None
    if mix_moved(known[-1].recording, recording, manifests):
        return None
    return f"{known[searched].experiment} ended because {known[searched].because}"


def moved(before: Night, after: Night, manifests: Manifests = MappingProxyType({})) -> str | None:
    """What says that workload or machine have changed between two nights, or None within noise.

    Of two recordings the statement mixes are compared: what is in force gives another value with each.
    """
    if before.recording != after.recording:
        return mix_moved(before.recording, after.recording, manifests)
    then, now = before.in_force_value, after.began_with_value
    if not then or not now or then <= 0 or now <= 0 or max(now / then, then / now) < MOVED:
        return None
    return (
        f"what {before.experiment} left in force gave {then:.4g} then and {now:.4g} in {after.experiment}: workload "
        "or machine have changed"
    )


def mix_moved(before: str | None, after: str | None, manifests: Manifests) -> str | None:
    """What says that two recordings are of different workloads, also where it cannot be known; None if they are not."""
    if before == after:
        return None
    one, other = manifests.get(before or ""), manifests.get(after or "")
    if one is None or other is None:
        return f"of {before} and {after} not both are known, so the workload may have changed"
    apart = distance(one, other)
    if apart < CHANGED:
        return None
    return f"the statement mixes of {before} and {after} differ in {apart:.0%}: the workload has changed"


def _night(date: str, experiment: Experiment | Glimpse) -> Night:
    result = experiment.headline
    winner = str(result.get("winner", result.get("installed", "-")))
    ratio = result.get("ratios", {}).get(winner) or {}
    percent = {key: _percent(ratio.get(key)) for key in ("ratio", "low", "high")}
    installed = result.get("installed", BASELINE)
    return Night(
        night=date,
        experiment=experiment.name,
        workload=experiment.benchmark,
        recording=experiment.spec.get("recording"),
        state=experiment.state.value,
        trials=result.get("trials", 0),
        winner=winner,
        gain_percent=percent["ratio"],
        low_percent=percent["low"],
        high_percent=percent["high"],
        in_force_value=result.get("baseline" if installed == BASELINE else "best"),
        began_with_value=result.get("baseline"),
        then=_then(result, winner),
        because=experiment.finished_because or experiment.message,
    )


def _percent(ratio: float | None) -> float | None:
    return None if ratio is None else round((ratio - 1) * 100, 2)


def _then(result: dict[str, Any], winner: str) -> str:
    if not result:
        return "-"
    if winner == BASELINE:
        return "kept"
    return "installed" if result["installed"] == winner else "proposed"
