"""Drops the host's page cache, so that every trial starts from the same cold files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otterflow.operators.base import OtterflowOperator, skip
from otterflow.operators.workbench import Workbench
from otterflow.remote.files import free_cache_command

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class FreeCacheOperator(OtterflowOperator):
    """Runs the target's free-cache command under sudo; skipped with its reason where that is not asked or allowed."""

    def work(self, repository: Repository, context: Context) -> str:
        """Drop the cache, or say why not."""
        with Workbench(repository, self.experiment) as bench:
            if not bench.plan.spec.drop_cache:
                skip("drop_cache is off for this experiment")
            target = bench.plan.target
            if target.free_cache.method == "none":
                skip(f"{target.name}.yaml: free_cache is 'none': the SSH user may not drop the page cache")
            command = free_cache_command(target.free_cache.command)
            done = bench.session.run(command, what="dropping the page cache", timeout_s=120, check=False)
            if done.exit_code != 0:
                skip(f"{target.free_cache.command} failed or is not allowed ({done.exit_code}): {done.stderr.strip()}")
        return "dropped"
