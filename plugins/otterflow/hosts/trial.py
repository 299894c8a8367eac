"""How a trial ends that its configuration has spoilt, and how it begins anew after what was not its doing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from otterflow.errors import TEACHES_NOTHING, NothingMeasured, TrialFault
from otterflow.experiment.loop import AT_BEST
from otterflow.hosts.lookout import Lookout
from otterflow.measures.hopeless import Course, Hope
from otterflow.repository import TrialKind, TrialState

if TYPE_CHECKING:
    from otterflow.errors import Hopeless
    from otterflow.hosts.workbench import Workbench
    from otterflow.repository import Repository, Trial

log = logging.getLogger(__name__)


@contextmanager
def ends_by_its_fault(bench: Workbench, trial: Trial) -> Iterator[None]:
    """A TrialFault of the block ends the trial in its state, with its message and the server's log where there is one.

    Raises Overtaken instead if another task acts on the server by now: the fault may be its doing.
    """
    try:
        yield
    except TrialFault as fault:
        bench.server.check_turn()
        if isinstance(fault, NothingMeasured):
            bench.repository.add_reasons(trial.experiment, trial.iteration, {TEACHES_NOTHING: True})
        bench.repository.end_trial(
            trial.experiment,
            trial.iteration,
            fault.state,
            message=fault.said,
            log_tail=fault.log_tail,
            attempt=trial.attempt,
        )
        raise


def lookout_of(bench: Workbench, trial: Trial) -> Lookout | None:
    """The lookout of a trial's measurement, None where the form does not ask for one.

    The first trials, and those that measure something again, are measured to their end whatever they give.
    """
    plan = bench.plan
    if not plan.spec.end_hopeless or plan.is_live or plan.goal.constraints or plan.spec.repeats > 1:
        return None
    hope = None
    if trial.kind in (TrialKind.design, TrialKind.model):
        before = bench.repository.trials(trial.experiment, metrics=())
        ended = [Course.of(t.objective, t.result) for t in before if t.state == TrialState.ok]
        hope = Hope.by(plan.objective, [course for course in ended if course is not None])
    return Lookout(bench.workload.rate, hope)


def end_early(bench: Workbench, trial: Trial, found: Hopeless) -> dict[str, Any]:
    """End the trial as timed out, with what it would have given at best, and then its jobs; what is recorded."""
    bench.server.check_turn()
    told = {AT_BEST: found.at_best}
    bench.repository.add_reasons(trial.experiment, trial.iteration, told)
    bench.repository.end_trial(
        trial.experiment, trial.iteration, TrialState.timed_out, message=str(found), attempt=trial.attempt
    )
    log.warning("the trial was %s", found)
    bench.jobs.kill()
    bench.jobs.clean(f"{trial.iteration:04d}-{trial.attempt}")
    return told


def begin_anew(repository: Repository, trial: Trial) -> None:
    """Open the trial's next try: counters that were read before the server was stopped are not of one window."""
    again = repository.begin_try(trial.experiment, trial.iteration)
    if trial.in_force is not None and again.in_force is None:
        repository.record_in_force(trial.experiment, trial.iteration, trial.in_force)
