"""Opens the trial and decides what it can do without: a restore that is not due, a cache that is to stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.bases.skipmixin import SkipMixin

from otterflow.errors import ConnectionFault, InvalidInput, Problem
from otterflow.operators.base import OtterflowOperator
from otterflow.operators.data import is_fresh
from otterflow.operators.workbench import Workbench

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository

RESTORE, FREE_CACHE = "restore", "free_cache"


class BeginOperator(OtterflowOperator, SkipMixin):
    """Begins the trial's try and skips `restore` and `free_cache` where they are not wanted, the reasons in its log.

    They are skipped from here rather than by themselves, for a task that starts only to skip itself costs a second and
    more: Airflow notices a skipped task's end at its worker's next heartbeat.
    """

    def execute(self, context: Context) -> Any:
        """Decide; Airflow's word for "these are skipped" is an exception, so it comes after all that is recorded."""
        skipped = super().execute(context)
        if skipped:
            ti = context["ti"]
            ti.xcom_push("return_value", skipped)
            self.skip(ti, [task for task in self.downstream_list if task.task_id in skipped])
        return skipped

    def work(self, repository: Repository, context: Context) -> dict[str, str]:
        """Begin the try; returns the tasks that are skipped, each with its reason."""
        self._may_go_on(repository)
        repository.begin_try(self.experiment, self.iteration)
        with Workbench(repository, self.experiment) as bench:
            reasons = {RESTORE: why_not_restore(bench, self.iteration), FREE_CACHE: why_not_free_cache(bench)}
        skipped = {task_id: reason for task_id, reason in reasons.items() if reason is not None}
        for task_id, reason in skipped.items():
            self.log.info("%s is skipped: %s", task_id, reason)
        return skipped

    def _may_go_on(self, repository: Repository) -> None:
        """Hold the target, for a run that is cleared after the experiment had given it free."""
        experiment = repository.experiment(self.experiment)
        if experiment.state in ("finished", "stopped"):
            found = f"{experiment.name!r} has {experiment.state}; its runs are history"
            raise InvalidInput(Problem("experiment", found, "resume it with tuning_experiment"))
        repository.hold_target(experiment.target, experiment.name)
        if experiment.state == "failed":
            repository.set_experiment_state(experiment.name, "running")


def why_not_restore(bench: Workbench, iteration: int) -> str | None:
    """Why this iteration keeps the data as it is, or None if it is to be restored."""
    every = bench.plan.spec.restore_every
    if bench.plan.is_live:
        return "the server is live: its data are never touched"
    if every == 0:
        return "restore_every is 0: the data stays as it is"
    if iteration % every:
        return f"data is restored every {every} iterations; this is iteration {iteration}"
    try:
        fresh = is_fresh(bench)
    except ConnectionFault:
        fresh = False  # an earlier try of the restore has stopped the server for its copy
    return "the data is as it was loaded: no benchmark has run on it since" if fresh else None


def why_not_free_cache(bench: Workbench) -> str | None:
    """Why the page cache is to stay, or None if it is to be dropped."""
    if not bench.plan.spec.drop_cache:
        return "drop_cache is off for this experiment"
    target = bench.plan.target
    if target.free_cache.method == "none":
        return f"{target.name}.yaml: free_cache is 'none': the SSH user may not drop the page cache"
    return None
