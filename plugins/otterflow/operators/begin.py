"""Opens the trial and decides what it can do without: a restore that is not due, a cache that is to stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.bases.skipmixin import SkipMixin

from otterflow.hosts.steps import why_not_free_cache, why_not_restore_now
from otterflow.operators.base import OtterflowOperator
from otterflow.operators.guard import Lease, May

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.hosts.workbench import Workbench
    from otterflow.repository import Repository

RESTORE, FREE_CACHE = "restore", "free_cache"


class BeginOperator(OtterflowOperator, SkipMixin):
    """Begins the trial's try and skips `restore` and `free_cache` where they are not wanted, the reasons in its log.

    They are skipped from here rather than by themselves, for a task that starts only to skip itself costs a second and
    more: Airflow notices a skipped task's end at its worker's next heartbeat.
    """

    may = May(states=frozenset({"running", "failed"}), lease=Lease.takes, opens_trial=True)
    skips = frozenset({RESTORE, FREE_CACHE})
    """Whoever comes after these waits for this task as well: they are skipped before it has ended."""

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
        if repository.experiment(self.experiment).state == "failed":
            repository.set_experiment_state(self.experiment, "running")
        repository.start_clock(self.experiment)
        repository.begin_try(self.experiment, self.iteration)
        with self.workbench(repository) as bench:
            reasons = {RESTORE: why_not_restore(bench, self.iteration), FREE_CACHE: why_not_free_cache(bench)}
        skipped = {task_id: reason for task_id, reason in reasons.items() if reason is not None}
        for task_id, reason in skipped.items():
            self.log.info("%s is skipped: %s", task_id, reason)
        return skipped


def why_not_restore(bench: Workbench, iteration: int) -> str | None:
    """Why this iteration keeps the data as it is, or None if it is to be restored."""
    every = bench.plan.restore_every
    otherwise = f"data is restored every {every} iterations; this is iteration {iteration}"
    return why_not_restore_now(bench, due=every > 0 and iteration % every == 0, otherwise=otherwise)
