"""Loads the benchmark's data where it is not there yet, and keeps a copy of it to restore from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.errors import TargetNotReady
from otterflow.operators import user_metrics
from otterflow.operators.base import OtterflowOperator
from otterflow.operators.data import has_snapshot, is_fresh, load_data, loaded, take_snapshot
from otterflow.operators.jobs import KillsItsJob
from otterflow.operators.workbench import Workbench

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class TakeSnapshotOperator(KillsItsJob, OtterflowOperator):
    """Leaves the target with the benchmark's data and, unless `restore_every` is 0, a snapshot of it as loaded.

    What is there already, from an earlier experiment or an earlier try of this task, is used again. The data of a live
    server are not otterflow's: nothing is loaded and nothing kept.
    """

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Load and keep what is missing. Whatever goes wrong, the server is up and the target free afterwards."""
        with Workbench(repository, self.experiment) as bench:
            target = bench.plan.target
            repository.hold_target(target.name, self.experiment)
            if bench.plan.is_live:
                self.log.info("the server is live: its data stay as they are, and no snapshot is taken")
                return {"loaded": False, "snapshot": False}
            try:
                did = self._load_and_keep(bench)
            except Exception:
                self.forget_job()
                bench.kill_jobs()
                bench.clean_jobs()
                bench.server.start()
                repository.release_target(target.name, self.experiment)
                raise
        self.log.info("data loaded now: %(loaded)s, snapshot taken now: %(snapshot)s", did)
        return did

    def _load_and_keep(self, bench: Workbench) -> dict[str, bool]:
        did = {"loaded": False, "snapshot": False}
        # A snapshot under way, of a try whose worker was killed, may have stopped the server: ask it nothing.
        under_way = bench.job_exists("snapshot")
        wanted = bench.plan.restores
        missing = under_way or (wanted and not has_snapshot(bench))
        if not under_way and (not loaded(bench) or (missing and not is_fresh(bench))):
            load_data(bench, self.remember_job)
            did["loaded"] = True
        if missing:
            take_snapshot(bench, self.remember_job)
            did["snapshot"] = True
        self.forget_job()
        bench.clean_jobs()
        if problems := user_metrics.problems(bench, data_loaded=True):
            raise TargetNotReady(problems)
        return did
