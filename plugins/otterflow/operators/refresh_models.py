"""The tasks of `model_refresh`: which workloads have new trials, and what these teach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from otterflow.operators.base import OtterflowOperator, skip
from otterflow.operators.guard import ANYWHEN

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository
    from otterflow.tuner.metrics import Pruned
    from otterflow.tuner.ranking import Ranking

MOST_AT_ONCE = 200
"""Workloads of one run; the rest is the next run's."""
_SHOWN = 12


class FindOutdatedOperator(OtterflowOperator):
    """Finds the workloads that have trials which their models do not know. Returns their names."""

    may = ANYWHEN

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(experiment="", **kwargs)

    def work(self, repository: Repository, context: Context) -> list[str]:
        """Compare the trials there are with those that each model was computed from."""
        from otterflow.learning.stored_models import survey

        found = survey(repository)
        outdated = found.outdated()
        self.log.info("%d workloads with trials, %d of them with new ones", len(found.workloads), len(outdated))
        for subject in outdated:
            self.log.info("  %s: %s", subject, ", ".join(e.name for e in found.workloads[subject]))
        if len(outdated) > MOST_AT_ONCE:
            self.log.warning("the first %d now, the others in the next run", MOST_AT_ONCE)
        return outdated[:MOST_AT_ONCE]


class RefreshWorkloadOperator(OtterflowOperator):
    """Ranks the knobs of one workload's experiments, fits their models and prunes their metrics; logs them as tables.

    Returns `{"workload", "experiments", "knobs", "metrics"}`: the experiments computed anew, the leading knobs and the
    kept metrics.

    :param workload: the workload's name, as `FindOutdatedOperator` returns it.
    """

    may = ANYWHEN

    template_fields = ("experiment", "workload")

    def __init__(self, *, workload: str, **kwargs: Any) -> None:
        super().__init__(experiment="", **kwargs)
        self.workload = workload

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Compute what is outdated and store it."""
        from otterflow.learning.stored_models import refresh_workload

        done = refresh_workload(repository, self.workload)
        self.log.info("%s: computed anew: %s", self.workload, ", ".join(done.experiments) or "nothing")
        if done.ranking is None:
            self.log.info("no experiment has measured enough to rank its knobs")
        else:
            self.log.info("knobs by importance:\n%s", ranking_table(done.ranking))
        self.log.info("metrics that tell:\n%s", pruned_table(done.pruned))
        return {
            "workload": done.subject,
            "experiments": list(done.experiments),
            "knobs": [] if done.ranking is None else list(done.ranking.names[:_SHOWN]),
            "metrics": list(done.pruned.names),
        }


class RefreshMetricsOperator(OtterflowOperator):
    """Prunes the metrics of all workloads of a DBMS together: those by which they are told apart.

    Skipped if none changed.

    Returns `{"metrics"}`, the kept ones by the name of the DBMS.
    """

    may = ANYWHEN

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(experiment="", **kwargs)

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Prune and store."""
        from otterflow.learning.stored_models import refresh_everything

        refreshed = refresh_everything(repository)
        if not refreshed:
            skip("no trial has ended since the last time")
            return {}
        for dbms, pruned in refreshed.items():
            self.log.info("metrics that tell workloads on %s apart:\n%s", dbms, pruned_table(pruned))
        return {"metrics": {dbms: list(pruned.names) for dbms, pruned in refreshed.items()}}


def ranking_table(ranking: Ranking) -> str:
    """The leading knobs: share of importance, total effect, and how early the Lasso takes each in."""
    rows: list[Sequence[str]] = [("knob", "share", "effect", "lasso")]
    for name in ranking.names[:_SHOWN]:
        numbers: Sequence[Mapping[str, float]] = (ranking.shares, ranking.effects, ranking.lasso)
        rows.append((name, *(f"{number[name]:.3f}" for number in numbers)))
    rest = len(ranking.names) - _SHOWN
    more = f"\n  and {rest} more" if rest > 0 else ""
    return _aligned(rows) + more + f"\n  from {ranking.measured} measured configurations"


def pruned_table(pruned: Pruned) -> str:
    """The kept metrics, how many each stands for, and some of these."""
    rows: list[Sequence[str]] = [("metric", "stands for", "")]
    for name in pruned.names:
        others = pruned.groups[name][1:]
        some = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
        rows.append((name, str(len(others) + 1), some))
    return _aligned(rows) + f"\n  from {pruned.rows} trials; {len(pruned.dropped)} metrics tell nothing"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
