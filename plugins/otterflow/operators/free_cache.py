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
    """Runs the target's free-cache command under sudo; skipped with its reason where the host does not allow it.

    `begin` skips it where it is not asked for.
    """

    def work(self, repository: Repository, context: Context) -> str:
        """Drop the cache, or say why not."""
        with Workbench(repository, self.experiment) as bench:
            own = bench.plan.target.free_cache.command
            done = bench.session.run(
                free_cache_command(own), what="dropping the page cache", timeout_s=120, check=False
            )
            if done.exit_code != 0:
                skip(f"{own} failed or is not allowed ({done.exit_code}): {done.stderr.strip()}")
        return "dropped"
