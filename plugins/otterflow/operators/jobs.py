"""What an operator with a remote job shares: cancelling the task ends the job's process group on the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otterflow.remote.job import RemoteJob


class KillsItsJob:
    """A mixin: `remember_job` each job when it is begun; `on_kill` (task cancelled or timed out) ends it."""

    _job: RemoteJob | None = None

    def remember_job(self, job: RemoteJob) -> None:
        """The job that is to end with this task. Its session must be of its own: the task's may be in mid-command."""
        self._job = job

    def forget_job(self) -> None:
        """No job is under way any more."""
        self._job = None

    def on_kill(self) -> None:
        """End the remote process group."""
        if self._job is not None:
            self._job.kill()
