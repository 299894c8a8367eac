"""One experiment's jobs on the target's machines: run, looked for, killed and cleared away, each by its name."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from otterflow.errors import MachineryFault
from otterflow.hosts.host import both_sessions
from otterflow.remote.job import JobEnd, JobPaths, JobState, RemoteJob

if TYPE_CHECKING:
    from otterflow.hosts.host import Host
    from otterflow.hosts.lookout import Lookout
    from otterflow.remote.session import Session
    from otterflow.workloads.base import JobScript

log = logging.getLogger(__name__)

LONG_JOB_S = 120.0
"""A job that may run longer than this is looked at every few seconds only."""

OnJob = Callable[[RemoteJob], None]
"""Told of each job ahead of its start, with a handle by which it can be killed at any moment."""


class JobOutcome(NamedTuple):
    """How a remote job ended, the files it left (none unless it succeeded), and how long it took.

    The seconds are the job's own: a task that was begun again waits for the rest of them only.
    """

    end: JobEnd
    results: Mapping[str, str]
    seconds: float


class Jobs:
    """The jobs of one experiment. `on_job` is told of each ahead of its start; see `OnJob`."""

    def __init__(self, host: Host, experiment: str, on_job: OnJob = lambda _: None) -> None:
        self._host = host
        self._experiment = experiment
        self._on_job = on_job

    def run(
        self,
        name: str,
        job: JobScript,
        *,
        on_driver: bool = False,
        progress: Callable[[str], str | None] = str,
        lookout: Lookout | None = None,
    ) -> JobOutcome:
        """Start the job, or attach to it where it runs already, show its progress, and fetch what it left.

        What the `lookout` raises is raised here, and the job goes on: `kill` ends it. The job's folder stays until
        `clean`: a task that is run again finds the result.
        """
        paths = self._paths(name)
        own = self._host.new_session(on_driver=on_driver)
        self._on_job(RemoteJob(lambda: own, paths))
        remote = self._job(name, on_driver=on_driver)
        begun = time.monotonic()
        remote.start_or_attach(job.script, job.files, job.timeout_s)
        end = remote.wait(
            partial(_show, progress, lookout),
            max_poll_s=3.0 if job.timeout_s > LONG_JOB_S else 1.0,
            on_look=None if lookout is None else lookout.look,
        )
        waited = time.monotonic() - begun
        if not end.ok:
            return JobOutcome(end, {}, waited)
        seconds = remote.seconds()
        return JobOutcome(end, remote.fetch(job.results), waited if seconds is None else seconds)

    def begin(self, name: str, job: JobScript, *, until: str, within_s: float) -> JobEnd | None:
        """Start the job on the target, or attach to it, and leave it once a line of its output begins with `until`.

        Its end, if it ended without saying so. Raises MachineryFault where neither happens in time.
        """
        remote, said = self._job(name), ""
        remote.start_or_attach(job.script, job.files, job.timeout_s)
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            poll = remote.poll(wait_s=0.5)
            said = poll.log.decode(errors="replace")
            if any(line.startswith(until) for line in said.splitlines()):
                return None
            if poll.state is not JobState.running:
                return JobEnd(poll.state, poll.exit_code, said)
        raise MachineryFault(
            f"job {remote.paths.job_id} has not begun within {within_s:g} s; its output so far:\n{said}"
        )

    def exists(self, name: str, *, on_driver: bool = False) -> bool:
        """Whether a job of that name was started and not cleaned up, running or over."""
        return self._job(name, on_driver=on_driver).poll().state is not JobState.absent

    def succeeded(self, name: str) -> bool:
        """Whether a job of that name on the target has ended well, and was not cleaned up."""
        poll = self._job(name).poll()
        return poll.state is JobState.finished and poll.exit_code == 0

    def left_so_far(self, name: str, files: Sequence[str]) -> Mapping[str, str] | None:
        """What a job that runs on the target has left of the files by now; None where none of that name runs."""
        remote = self._job(name)
        return remote.fetch(files) if remote.poll().state is JobState.running else None

    def folder(self, name: str) -> str:
        """Where a job's files are, on whichever machine it runs."""
        return self._paths(name).files

    def clean(self, name: str = "") -> None:
        """Remove the folders of this experiment's ended jobs, of those whose name begins with `name`."""
        from otterflow.remote.job_commands import cleanup_command

        for session, paths in self._each(name):
            session.run(cleanup_command(paths), what=f"cleanup of job {paths.job_id}", timeout_s=60)

    def kill(self, *, besides: str = "") -> None:
        """End whatever this experiment still runs on the hosts, besides jobs whose name begins with `besides`."""
        from otterflow.remote.job_commands import kill_command

        for session, paths in self._each():
            if not besides or not paths.job_id.startswith(f"{self._experiment}.{besides}"):
                session.run(kill_command(paths), what=f"kill of job {paths.job_id}", timeout_s=60)

    def remove(self) -> list[str]:
        """Kill and clean all of them; the folders that were removed."""
        from otterflow.remote.job_commands import cleanup_command, kill_command

        removed = []
        for session, paths in self._each():
            for command in (kill_command(paths), cleanup_command(paths)):
                session.run(command, what=f"removing job {paths.job_id}", timeout_s=60)
            removed.append(paths.root)
        return removed

    def _each(self, name: str = "") -> Iterator[tuple[Session, JobPaths]]:
        """The experiment's jobs whose name begins with `name`, on both machines."""
        from otterflow.remote.job_commands import list_command

        work_dir = self._host.target.work_dir
        for session in both_sessions(self._host):
            command = list_command(work_dir, f"{self._experiment}.{name}")
            for job_id in session.run(command, what="listing jobs", timeout_s=30).stdout.split():
                yield session, JobPaths(work_dir, job_id)

    def _job(self, name: str, *, on_driver: bool = False) -> RemoteJob:
        return RemoteJob(partial(self._session, on_driver), self._paths(name))

    def _session(self, on_driver: bool) -> Session:
        return self._host.driver_session if on_driver else self._host.session

    def _paths(self, name: str) -> JobPaths:
        return JobPaths(self._host.target.work_dir, f"{self._experiment}.{name}")


def _show(progress: Callable[[str], str | None], lookout: Lookout | None, output: str) -> None:
    if lookout is not None:
        lookout.line(output)
    said = progress(output)
    if said:
        log.info("%s", said)
