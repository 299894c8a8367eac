"""Whether a replay did the work that the baseline's did, so that there is a number to compare at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otterflow.errors import NothingMeasured
from otterflow.workloads.replay.divergence import diverged

if TYPE_CHECKING:
    from otterflow.hosts.workbench import Workbench
    from otterflow.measures.result import BenchmarkResult


def judge_against_baseline(bench: Workbench, result: BenchmarkResult) -> None:
    """Raise NothingMeasured, with what diverged, where the replay cannot be judged.

    Trial 0 is what every later replay of the experiment is judged against, those of the final comparison too. A mix
    has no work of its own to be judged by: it does as much as it can.
    """
    if not result.replay or "mix" in result.replay:
        return
    trials = bench.repository.trials(bench.name, metrics=())
    first = next((trial for trial in trials if trial.kind == "baseline" and trial.state == "ok"), None)
    if first is None or not first.result or "replay" not in first.result:
        return
    reasons = diverged(first.result, result.as_dict())
    if reasons:
        said = "; ".join(reasons)
        every = bench.plan.restore_every
        advice = "" if every == 1 else f"; restore_every is {every}: a recording that writes takes 1"
        raise NothingMeasured(f"this replay cannot be judged by the baseline's: {said}{advice}")
