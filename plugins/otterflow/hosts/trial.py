"""How a trial ends that its configuration has spoilt, and how it begins anew after what was not its doing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from otterflow.errors import TEACHES_NOTHING, NothingMeasured, ServerCrashed, TrialFault

if TYPE_CHECKING:
    from otterflow.hosts.workbench import Workbench
    from otterflow.repository import Repository, Trial


@contextmanager
def ends_by_its_fault(bench: Workbench, trial: Trial) -> Iterator[None]:
    """A TrialFault of the block ends the trial in its state, with its message and the server's log where there is one.

    Raises Overtaken instead if another task acts on the server by now: the fault may be its doing.
    """
    try:
        yield
    except TrialFault as fault:
        bench.server.check_turn()
        log_tail = fault.log_tail if isinstance(fault, ServerCrashed) else ""
        if isinstance(fault, NothingMeasured):
            bench.repository.add_reasons(trial.experiment, trial.iteration, {TEACHES_NOTHING: True})
        bench.repository.end_trial(
            trial.experiment,
            trial.iteration,
            fault.state,
            message=str(fault),
            log_tail=log_tail,
            attempt=trial.attempt,
        )
        raise


def begin_anew(repository: Repository, trial: Trial) -> None:
    """Open the trial's next try: counters that were read before the server was stopped are not of one window."""
    again = repository.begin_try(trial.experiment, trial.iteration)
    if trial.in_force is not None and again.in_force is None:
        repository.record_in_force(trial.experiment, trial.iteration, trial.in_force)
