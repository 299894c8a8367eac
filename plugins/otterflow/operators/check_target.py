"""Looks at the target before anything is touched, and reports all that is wrong at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.errors import Problem, TargetHeld, TargetNotReady
from otterflow.operators.base import OtterflowOperator
from otterflow.operators.workbench import Workbench

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class CheckTargetOperator(OtterflowOperator):
    """Takes the target for this experiment, inspects it, and records the baseline and the space to search.

    Raises TargetNotReady that lists everything wrong, each with what to do; the target is given free again then.
    Connection faults are problems like others here: the user sees them beside the rest.
    """

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Hold, inspect, record."""
        from otterflow.operators.inspection import inspect

        with Workbench(repository, self.experiment) as bench:
            target = bench.plan.target
            problems, held = [], True
            try:
                repository.hold_target(target.name, self.experiment)
            except TargetHeld as error:
                held = False
                problems.append(Problem("target", f"{target.name!r} is held by experiment {error.holder!r}", _WAIT))
            findings = None
            try:
                findings = inspect(bench)
                problems += findings.problems
            finally:
                if held and (findings is None or problems):
                    repository.release_target(target.name, self.experiment)
            if problems:
                raise TargetNotReady(problems)
            repository.set_experiment_state(self.experiment, "preparing")
            record = findings.record()
            repository.prepare_experiment(self.experiment, **record)
            self.log.info("%s", findings.summary())
            names = [knob["name"] for knob in record["space"]]
            return {"knobs": names, "hardware": findings.hardware, "versions": findings.versions}


_WAIT = "wait for it to end, or stop it with stop_experiment"
