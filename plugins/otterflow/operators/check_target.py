"""Looks at the target before anything is touched, and reports all that is wrong at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from otterflow.errors import Problem, TargetHeld, TargetNotReady
from otterflow.experiment.frozen import keep_files
from otterflow.operators.base import OtterflowOperator
from otterflow.operators.guard import Lease, May
from otterflow.operators.triggers import TargetTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class CheckTargetOperator(OtterflowOperator):
    """Takes the target for this experiment, inspects it, and records the baseline and the space to search.

    What its files say now is what the experiment keeps: until a trial is measured they may be mended, and this task
    cleared.
    Where another experiment holds the target, and the form says how long to wait, it is deferred until then.
    Raises TargetNotReady that lists everything wrong, each with what to do; the target is given free again then.
    Connection faults are problems like others here: the user sees them beside the rest.
    """

    may = May(states=frozenset({"created", "preparing"}), lease=Lease.none)

    _waits_until: datetime | None = None
    """Until when this task has begun to wait for the target."""

    def resume(self, context: Context, event: str) -> Any:
        """The target is free, or the time over: try to take it, and wait for the rest where another was quicker."""
        self._waits_until = datetime.fromisoformat(event)
        return self.execute(context)

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Hold, inspect, record."""
        from otterflow.hosts.inspection import inspect
        from otterflow.hosts.same_server import claim

        keep_files(repository, self.experiment)
        with self.workbench(repository) as bench:
            target = bench.plan.target
            problems, held = [], True
            try:
                repository.take_lease(self.experiment, self.run_name)
            except TargetHeld as error:
                self._wait(repository, bench.plan.spec.wait_min, error)
                held = False
                problems.append(Problem("target", f"{target.name!r} is held by experiment {error.holder!r}", _WAIT))
            findings = None
            try:
                findings = inspect(bench)
                problems += findings.problems
                if findings.identity is not None and not problems:
                    problems += claim(bench, findings.identity)
            finally:
                if held and (findings is None or problems):
                    repository.release_target(target.name, self.experiment)
            if problems:
                repository.set_experiment_state(self.experiment, bench.experiment.state, "its target was not ready")
                raise TargetNotReady(problems)
            repository.set_experiment_state(self.experiment, "preparing")
            record = findings.record()
            repository.prepare_experiment(self.experiment, **record)
            self.log.info("%s", findings.summary())
            names = [knob["name"] for knob in record["space"]]
            return {"knobs": names, "hardware": findings.hardware, "versions": findings.versions}

    def _wait(self, repository: Repository, wait_min: float, held: TargetHeld) -> None:
        """Defer, unless the time is over. Nothing is held meanwhile, so that nothing is left held by who gives up."""
        now = datetime.now(UTC)
        until = self._waits_until or now + timedelta(minutes=wait_min)
        if now >= until:
            return
        message = f"waits until {until:%Y-%m-%d %H:%M} UTC for target {held.target!r}, held by {held.holder!r}"
        self.log.info("%s", message)
        repository.set_experiment_state(self.experiment, repository.experiment(self.experiment).state, message)
        self.defer(trigger=TargetTrigger(held.target, until.isoformat()), method_name="resume")


_WAIT = "wait for it to end, or stop it with stop_experiment"
