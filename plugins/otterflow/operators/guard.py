"""Whether a task may act: one answer for every task of every Dag, from what each operator declares.

Airflow lets anybody clear any task of any run at any time. So a task asks before it touches anything: is the experiment
in a state in which it may act, is the experiment in the hands of its run and the target in the experiment's, is its
trial the newest that was begun and still open? Otherwise it fails, is not retried, and says what holds and what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from otterflow.errors import MayNotAct

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository, Standing

NOT_ENDED = frozenset({"created", "preparing", "running", "stopping", "finishing"})


class Lease(StrEnum):
    """What a task must have of the experiment and its target.

    `none`: it touches neither. `needs`: its run must have the experiment, and the experiment its target. `takes`: as
    `needs`, and it takes both where they are free, or were passed on to its run.
    """

    none = "none"
    needs = "needs"
    takes = "takes"


@dataclass(frozen=True)
class May:
    """When a task may act: the experiment's states (None: any), its lease, and its trial.

    `trial`: the states of the newest try of the task's iteration, which must also be the newest begun; None asks
    neither. `opens_trial`: no later iteration may have begun. `passes_on`: it may act again once it has named the run
    that goes on.
    """

    states: frozenset[str] | None
    lease: Lease
    trial: frozenset[str] | None = None
    opens_trial: bool = False
    passes_on: bool = False


ANYWHEN = May(states=None, lease=Lease.none)
"""For tasks that are of no experiment yet, or only read."""
IN_TRIAL = May(states=frozenset({"running"}), lease=Lease.needs, trial=frozenset({"running"}))
"""For the tasks that make the trial."""
AFTER_TRIAL = May(states=frozenset({"running"}), lease=Lease.needs, trial=frozenset(
    {"ok", "crashed", "failed", "timed_out", "running"}
))  # fmt: skip
"""For the tasks that prepare the next trial."""
IN_FINISH = May(states=frozenset({"finishing"}), lease=Lease.takes)

_ADVICE: Mapping[str, str] = {
    "created": "its run of tuning_experiment has to prepare it first",
    "preparing": "its run of tuning_experiment is preparing it; wait for that run, or clear it if it has failed",
    "running": "its trials are under way; to end it, trigger stop_experiment",
    "stopping": "it ends with the trial under way; wait for that",
    "finishing": "its final comparison is under way; wait for that, or clear the run of tuning_finish if it has failed",
    "finished": "its runs are history; to go on with it, trigger tuning_experiment with Resume on",
    "stopped": "its runs are history; to go on with it, trigger tuning_experiment with Resume on",
    "failed": "mend the cause and clear the run that failed from begin, or trigger tuning_experiment with Resume on",
}


class Guarded:
    """A mixin for operators: what each may do, and the asking. `run_name` is the run's name once it was asked."""

    may: ClassVar[May]
    run_name: str = ""

    def admit(self, repository: Repository, context: Context, task: str, experiment: str, iteration: int = -1) -> None:
        """Raise MayNotAct unless the task may act; take the lease where the operator takes it."""
        dag_id = self.dag_id  # type: ignore[attr-defined]  # the operator's
        self.run_name = f"{dag_id}/{context['run_id']}"
        if self.may.states is None:
            return
        why = refusal(self.may, repository.standing(experiment, iteration), self.run_name, iteration)
        if why is None and self.may.lease is Lease.takes:
            try:
                repository.take_lease(experiment, self.run_name)
            except MayNotAct as error:
                why = str(error)
        if why is not None:
            raise MayNotAct(f"task {task} of run {self.run_name} may not act, and has touched nothing: {why}")


def refusal(may: May, standing: Standing, run: str, iteration: int) -> str | None:
    """Why a task of `run` may not act, and what to do; None if it may."""
    if may.states is not None and standing.state not in may.states:
        return f"experiment {standing.experiment!r} is {standing.state}; {_ADVICE[standing.state]}"
    return _not_this_run(may, standing, run) or _not_this_trial(may, standing, iteration)


def _not_this_run(may: May, standing: Standing, run: str) -> str | None:
    name = f"experiment {standing.experiment!r}"
    if may.lease is Lease.none:
        return None
    if standing.run and run not in {standing.run, standing.heir}:
        return f"{name} is in the hands of run {standing.run}; wait for that run, or clear it if it has failed"
    if standing.run == run and standing.heir and not may.passes_on:
        advice = "clear that run if it has failed, or only the last task of this one if that run was never started"
        return f"this run has passed {name} on to run {standing.heir}; {advice}"
    if may.lease is Lease.needs and standing.holder != standing.experiment:
        held = f"is held by experiment {standing.holder!r}" if standing.holder else "is held by nobody"
        return f"target {standing.target!r} {held}, and not by {name}; clear this run from its first task"
    return None


def _not_this_trial(may: May, standing: Standing, iteration: int) -> str | None:
    newest = standing.newest_begun
    if newest is not None and newest > iteration and (may.opens_trial or may.trial is not None):
        return (
            f"iteration {newest} has begun since, and this run of iteration {iteration} is history; leave it as it is"
        )
    if may.trial is None or standing.trial in may.trial:
        return None
    found = "has not begun" if standing.trial in {None, "planned"} else f"has ended as {standing.trial}"
    return f"trial {iteration} {found}; to make another try of it, clear this run from begin"
