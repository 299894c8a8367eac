"""One experiment at its target: its plan, and what its tasks act with, each made when it is first used."""

from __future__ import annotations

import logging
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Self

from otterflow.experiment.frozen import plan_of
from otterflow.hosts.fence import Fence, ServerIdentity, owner_name
from otterflow.hosts.jobs import Jobs
from otterflow.hosts.server import Server
from otterflow.workloads.base import workload_for

if TYPE_CHECKING:
    from otterflow.experiment.plan import Plan
    from otterflow.hosts.host import Host, OpenHost
    from otterflow.hosts.jobs import OnJob
    from otterflow.repository import Experiment, Repository
    from otterflow.workloads.base import Workload

log = logging.getLogger(__name__)


class Workbench:
    """Use as a context manager; it closes the doors to the target.

    `open_host` gives those doors; `on_job` is told of each remote job ahead of its start.
    """

    makes_trials: ClassVar[bool] = True
    """Whether configurations are tried with it, one after the other."""

    def __init__(
        self, repository: Repository, experiment: str, open_host: OpenHost, on_job: OnJob = lambda _: None
    ) -> None:
        self.repository = repository
        self.name = experiment
        self.open_host = open_host
        self._on_job = on_job

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if "host" in self.__dict__:
            self.host.close()

    @property
    def experiment(self) -> Experiment:
        """The experiment as the repository knows it now."""
        return self.repository.experiment(self.name)

    @cached_property
    def plan(self) -> Plan:
        """The spec with its files as they were when it began: target, benchmark, objective, catalog."""
        if self.experiment.files is None:
            log.warning(
                "experiment %s began before its files were kept with it: target, benchmark and knob catalog are read "
                "as they are now",
                self.name,
            )
        return plan_of(self.experiment)

    @cached_property
    def workload(self) -> Workload:
        """How the benchmark loads and runs."""
        return workload_for(self.plan.benchmark, self.plan.dbms)

    @property
    def replays(self) -> bool:
        """Whether what users once sent is sent to the server."""
        return self.plan.benchmark.is_recorded

    @cached_property
    def host(self) -> Host:
        """The doors to the target."""
        return self.open_host(self.plan.target, is_live=self.plan.is_live)

    @cached_property
    def jobs(self) -> Jobs:
        """The experiment's jobs on the target and the driver host."""
        return Jobs(self.host, self.name, self._on_job)

    @cached_property
    def fence(self) -> Fence | None:
        """The lock of the target's server; None for an experiment that began before servers had one."""
        identity = ServerIdentity.parse(self.repository.identity(self.plan.target.name))
        if identity is None:
            return None
        return Fence(identity, self.plan.target, owner_name(self.experiment), self.repository)

    @cached_property
    def server(self) -> Server:
        """The DBMS server."""
        return Server(self.host, fence=self.fence, users_data=self.replays)
