"""Everything a task needs of its experiment, opened when first used: repository, files, hosts, server, jobs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from functools import cached_property, partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from otterflow import loop
from otterflow.dbms.postgresql import configuration_file
from otterflow.errors import NothingMeasured, ServerCrashed, TrialFault
from otterflow.experiment import ExperimentSpec, Plan, load_plan
from otterflow.operators.connections import database_access, sql_query, ssh_hook, ssh_session
from otterflow.operators.server import Server
from otterflow.remote.job import JobEnd, JobPaths, JobState, RemoteJob
from otterflow.remote.session import Session
from otterflow.workloads.base import JobScript, Workload, workload_for

if TYPE_CHECKING:
    from airflow.providers.ssh.hooks.ssh import SSHHook

    from otterflow.dbms.access import DatabaseAccess
    from otterflow.operators.connections import Query
    from otterflow.repository import Experiment, Repository, Trial

log = logging.getLogger(__name__)

LONG_JOB_S = 120.0
"""A job that may run longer than this is looked at every few seconds only."""


class JobOutcome(NamedTuple):
    """How a remote job ended, the files it left (none unless it succeeded), and how long it was waited for."""

    end: JobEnd
    results: Mapping[str, str]
    seconds: float


class Workbench:
    """One experiment's surroundings. Use as a context manager; it closes the SSH sessions it opened."""

    def __init__(self, repository: Repository, experiment: str) -> None:
        self.repository = repository
        self.name = experiment
        self._stack = ExitStack()

    def __enter__(self) -> Workbench:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def experiment(self) -> Experiment:
        """The experiment as the repository knows it now."""
        return self.repository.experiment(self.name)

    @cached_property
    def plan(self) -> Plan:
        """The spec with its files: target, benchmark, objective, catalog."""
        return load_plan(ExperimentSpec.from_params(self.experiment.spec))

    @cached_property
    def session(self) -> Session:
        """SSH to the target."""
        return self._stack.enter_context(ssh_session(self._hook))

    @cached_property
    def driver_session(self) -> Session:
        """SSH to the machine that runs the benchmark; the target itself unless it names another."""
        if self.plan.target.driver_ssh_conn_id is None:
            return self.session
        return self._stack.enter_context(ssh_session(self._new_hook(on_driver=True)))

    @cached_property
    def _hook(self) -> SSHHook:
        """One SSH connection to the target, which commands and the SQL tunnel share."""
        return self._new_hook(on_driver=False)

    def _new_hook(self, *, on_driver: bool) -> SSHHook:
        target = self.plan.target
        if on_driver and target.driver_ssh_conn_id is not None:
            return ssh_hook(target.driver_ssh_conn_id, f"{target.name}.yaml: driver_ssh_conn_id")
        return ssh_hook(target.ssh_conn_id, f"{target.name}.yaml: ssh_conn_id")

    def query(self, database: str | None = None) -> AbstractContextManager[Query]:
        """SQL on the target (`with bench.query() as query`); on a live one in its own database, which stays."""
        if database is None and self.plan.is_live:
            database = self.plan.target.database
        return sql_query(self.plan.target, self._hook if self.plan.target.sql_tunnel else None, database=database)

    @cached_property
    def server(self) -> Server:
        """The DBMS server."""
        return Server(self.plan.target, self.session, self.local_access, self.query, live=self.plan.is_live)

    @cached_property
    def workload(self) -> Workload:
        """How the benchmark loads and runs."""
        return workload_for(self.plan.benchmark)

    @property
    def driver_bin_dir(self) -> str | None:
        """Where PostgreSQL's programs are on the driver host; on a machine of its own they must be on the PATH."""
        target = self.plan.target
        return target.bin_dir if target.driver_ssh_conn_id is None else None

    @cached_property
    def access(self) -> DatabaseAccess:
        """The benchmark's database as the driver host sees it."""
        return database_access(self.plan.target, from_driver=True)

    @cached_property
    def local_access(self) -> DatabaseAccess:
        """The benchmark's database as the target itself sees it."""
        return database_access(self.plan.target, from_driver=False)

    # Jobs

    def run_job(
        self,
        name: str,
        job: JobScript,
        *,
        on_driver: bool = False,
        progress: Callable[[str], str | None] = str,
        on_start: Callable[[RemoteJob], None] = lambda _: None,
    ) -> JobOutcome:
        """Start the job, or attach to it where it runs already, show its progress, and fetch what it left.

        `on_start` is given a handle with a connection of its own, by which the job can be killed at any moment. The
        job's folder stays until `clean_jobs`: a task that is run again finds the result.
        """
        paths = self._job_paths(name)
        own_hook = self._new_hook(on_driver=on_driver)
        on_start(RemoteJob(partial(ssh_session, own_hook), paths))
        session = self.driver_session if on_driver else self.session
        remote = RemoteJob(lambda: session, paths)
        begun = time.monotonic()
        remote.start_or_attach(job.script, job.files, job.timeout_s)
        end = remote.wait(partial(_show, progress), max_poll_s=3.0 if job.timeout_s > LONG_JOB_S else 1.0)
        seconds = time.monotonic() - begun
        return JobOutcome(end, remote.fetch(job.results) if end.ok else {}, seconds)

    def job_exists(self, name: str, *, on_driver: bool = False) -> bool:
        """Whether a job of that name was started and not cleaned up, running or over."""
        session = self.driver_session if on_driver else self.session
        return RemoteJob(lambda: session, self._job_paths(name)).poll().state is not JobState.absent

    def _job_paths(self, name: str) -> JobPaths:
        return JobPaths(self.plan.target.work_dir, f"{self.name}.{name}")

    def clean_jobs(self, name: str = "") -> None:
        """Remove the folders of this experiment's ended jobs, of those whose name begins with `name`."""
        self._each_job(name, "cleanup_command")

    def kill_jobs(self) -> None:
        """End whatever this experiment still runs on the hosts."""
        self._each_job("", "kill_command")

    def _each_job(self, name: str, builder: str) -> None:
        from otterflow.remote import job_commands

        work_dir = self.plan.target.work_dir
        for session in {id(s): s for s in (self.session, self.driver_session)}.values():
            listed = session.run(
                job_commands.list_command(work_dir, f"{self.name}.{name}"), what="listing jobs", timeout_s=30
            )
            for job_id in listed.stdout.split():
                command = getattr(job_commands, builder)(JobPaths(work_dir, job_id))
                session.run(command, what=f"{builder.removesuffix('_command')} of job {job_id}", timeout_s=60)

    # The knobs file

    def config_text(self, config: Mapping[str, Any]) -> str:
        """The knobs file for a configuration: the one found before the experiment for the baseline.

        For any other, `config` over whatever that file held besides.
        """
        experiment = self.experiment
        before = experiment.baseline_file or ""
        if dict(config) == experiment.baseline:
            return before
        keep = {name: text for name, text in configuration_file.parse(before).items() if name not in config}
        live = loop.live_settings_of(experiment)
        return configuration_file.render(config, live, keep=keep, header=f"otterflow, experiment {self.name}")

    def last_good_text(self) -> str:
        """The knobs file of the last configuration known to be good."""
        experiment = self.experiment
        return experiment.last_good.file if experiment.last_good else experiment.baseline_file or ""

    # The trial

    def end_trial(self, trial: Trial, fault: TrialFault) -> None:
        """End the trial in the fault's state, with its message and the server's log where there is one."""
        log_tail = fault.log_tail if isinstance(fault, ServerCrashed) else ""
        if isinstance(fault, NothingMeasured):
            self.repository.add_reasons(self.name, trial.iteration, {loop.TEACHES_NOTHING: True})
        self.repository.end_trial(self.name, trial.iteration, fault.state, message=str(fault), log_tail=log_tail)

    def raise_if_server_died(self, during: str) -> None:
        """Raise ServerCrashed, with the end of the server's log, if the server does not answer any more."""
        if not self.server.is_up():
            raise ServerCrashed(f"the server died under the benchmark ({during})", self.server.log_tail())

    def arms(self) -> dict[str, dict[str, Any]]:
        """The configurations of the final comparison: baseline, rules, best."""
        from otterflow.recommendation import arms

        return arms(self.experiment, self.plan, self.repository.trials(self.name))


def _show(progress: Callable[[str], str | None], output: str) -> None:
    said = progress(output)
    if said:
        log.info("%s", said)
