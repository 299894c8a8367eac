"""One promotion at its target: what its tasks act with. Nothing here loads, restores or drops anybody's data."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING

from otterflow import settings
from otterflow.dbms.registry import load_target
from otterflow.errors import InvalidInput, Problem, TargetNotReady
from otterflow.experiment.plan import Plan, load_plan
from otterflow.experiment.promotion_form import PromotionForm
from otterflow.hosts.fence import Fence, ServerIdentity
from otterflow.hosts.jobs import Jobs
from otterflow.hosts.workbench import Workbench

if TYPE_CHECKING:
    from otterflow.dbms.target import Target
    from otterflow.hosts.host import Host, OpenHost
    from otterflow.hosts.jobs import OnJob
    from otterflow.repository import Repository

log = logging.getLogger(__name__)

PROPOSING = "promotion"
"""What a promotion is called before it has a number; nothing acts under that name."""


class PromotionBench(Workbench):
    """A workbench without an experiment: target and live benchmark are those of the promotion's form.

    `name` is the promotion's, and what its jobs are called; `holder` who holds the target for it.
    """

    makes_trials = False

    def __init__(
        self,
        repository: Repository,
        form: PromotionForm,
        open_host: OpenHost,
        on_job: OnJob = lambda _: None,
        *,
        name: str = PROPOSING,
        holder: str = "",
    ) -> None:
        super().__init__(repository, name, open_host, on_job)
        self.form = form
        self.holder = holder or f"({name})"

    @cached_property
    def plan(self) -> Plan:
        """The target's file and the live benchmark's as they are now. Raises InvalidInput that lists what is wrong."""
        plan = load_plan(self.form.watching())
        problems = []
        if not plan.is_live:
            found = f"{self.form.benchmark!r} brings its own load, and a promotion watches the users'"
            problems.append(Problem("benchmark", found, "choose a benchmark of driver live"))
        if not plan.target.has_users:
            found = f"{self.form.target!r} has no users by its file, whose load could be watched"
            problems.append(Problem("target", found, f"write has_users: true into {self.form.target}.yaml if it has"))
        if problems:
            raise InvalidInput(problems)
        return plan

    @cached_property
    def target(self) -> Target:
        """The target's file as it is now: all that putting back the former configuration takes."""
        return load_target(settings.targets_dir() / f"{self.form.target}.yaml")

    @property
    def replays(self) -> bool:
        """Nothing is sent: the users' own load is watched."""
        return False

    @cached_property
    def host(self) -> Host:
        """The doors to the target."""
        return self.open_host(self.target, is_live=True)

    @cached_property
    def jobs(self) -> Jobs:
        """The promotion's jobs on the target and the driver host."""
        return Jobs(self.host, self.name, self._on_job)

    @cached_property
    def fence(self) -> Fence | None:
        """The lock of the target's server; None while nobody has looked which server it is."""
        identity = ServerIdentity.parse(self.repository.identity(self.form.target))
        if identity is None:
            return None
        return Fence(identity, self.target, f"{self.holder} {self.repository.name}", self.repository)

    def hold(self) -> None:
        """Hold the target for the promotion, in the repository and on its host.

        Raises TargetHeld or MayNotAct, naming the holder.
        """
        self.repository.hold_target(self.form.target, self.holder)
        if self.fence is not None:
            self.fence.take(self.host.session, self.repository)

    def give_free(self) -> None:
        """Give the target free."""
        self.server.release()
        self.repository.release_target(self.form.target, self.holder)


def raise_if_any(problems: list[Problem]) -> None:
    """Raise TargetNotReady that lists them, if there are any."""
    if problems:
        raise TargetNotReady(problems)
