"""Loads the benchmark's data where it is not there yet, and keeps a copy of it to restore from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.experiment.frozen import keep_files
from otterflow.hosts.preparation import give_up, load_and_keep
from otterflow.operators.base import OtterflowOperator
from otterflow.operators.guard import Lease, May

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class TakeSnapshotOperator(OtterflowOperator):
    """Leaves the target with the benchmark's data and, unless `restore_every` is 0, a snapshot of it as loaded.

    What is there already, from an earlier experiment or an earlier try of this task, is used again. The data of a live
    server are not otterflow's: nothing is loaded and nothing kept.
    """

    may = May(states=frozenset({"preparing"}), lease=Lease.takes)

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Load and keep what is missing. Whatever goes wrong, the server is up and the target free afterwards."""
        from airflow.sdk.exceptions import AirflowTaskTimeout

        keep_files(repository, self.experiment)
        with self.workbench(repository) as bench:
            if bench.plan.is_live:
                self.log.info("the server is live: its data stay as they are, and no snapshot is taken")
                return {"loaded": False, "snapshot": False}
            bench.server.begin_turn()
            try:
                did = load_and_keep(bench)
            except (Exception, AirflowTaskTimeout):  # the task's own limit is no Exception
                self.forget_job()
                give_up(bench)
                raise
            self.forget_job()
        self.log.info("data loaded now: %(loaded)s, snapshot taken now: %(snapshot)s", did)
        return did
