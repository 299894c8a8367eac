"""Drops the host's page cache, so that every trial starts from the same cold files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otterflow.hosts.steps import free_cache
from otterflow.operators.base import OtterflowOperator, skip
from otterflow.operators.guard import IN_TRIAL

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class FreeCacheOperator(OtterflowOperator):
    """Runs the target's free-cache command under sudo; skipped with its reason where the host does not allow it.

    `begin` skips it where it is not asked for.
    """

    may = IN_TRIAL

    def work(self, repository: Repository, context: Context) -> str:
        """Drop the cache, or say why not."""
        with self.workbench(repository) as bench:
            failed = free_cache(bench)
        if failed is not None:
            skip(failed)
        return "dropped"
