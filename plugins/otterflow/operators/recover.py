"""Leaves the server running on the last configuration known to be good, whatever happened before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.errors import CommandFailed, MachineryFault, NotApplied, ServerCrashed
from otterflow.operators.base import OtterflowOperator
from otterflow.operators.workbench import Workbench

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Experiment, Repository

LOOP_GOES_ON = ("crashed", "failed", "timed_out")
"""States of a trial that are its configuration's doing: a lesson for the tuner, and no reason to stop."""


class RecoverOperator(OtterflowOperator):
    """Ends what still runs on the hosts, puts the last good knobs file back, and starts the server.

    A live server is reloaded, and started only where it is down; it is never restarted.

    After a trial that crashed, failed or timed out it succeeds and the loop goes on. After anything else it raises,
    once the server is safe, so that the run is red and can be cleared when the cause is mended. Knobs that were not in
    force stop the experiment.
    """

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Make the server safe, then say what it means for the loop."""
        with Workbench(repository, self.experiment) as bench:
            if not bench.experiment.baseline_file and bench.experiment.baseline is None:
                return {"left": "nothing was touched"}
            if bench.experiment.state in ("finished", "stopped"):
                raise MachineryFault("the experiment has ended and its server is left as it is; nothing was touched")
            repository.hold_target(bench.plan.target.name, self.experiment)
            bench.kill_jobs()
            bench.clean_jobs()
            left = self._make_safe(bench)
            self.log.info("the server is up on %s", left)
            self._judge(repository, bench.experiment, left)
        return {"left": left}

    def _make_safe(self, bench: Workbench) -> str:
        """Try the last good configuration, then the one found before the experiment. Returns which one it runs on."""
        experiment = bench.experiment
        candidates = [("the baseline", experiment.baseline_file or "", experiment.baseline or {})]
        if experiment.last_good is not None and experiment.last_good.file != experiment.baseline_file:
            good = experiment.last_good
            candidates.insert(0, ("the last good configuration", good.file, good.configuration))
        failures = []
        for label, text, config in candidates:
            try:
                bench.server.write_knobs_file(text)
                if bench.server.is_live:
                    bench.server.start()
                bench.server.bring_into_force()
                bench.server.read_back(config)
            except (ServerCrashed, CommandFailed) as error:
                failures.append(f"{label}: {error}")
                self.log.error("%s does not start: %s", label, error)
            except NotApplied as error:
                self.log.error("%s is written, and overridden on the server:\n%s", label, error)
                return f"{label}, part of which is overridden"
            else:
                return label
        bench.server.start()  # with whatever file is there: better than none, and it may be the good one
        if failures and bench.server.is_up():
            return "the file that was there, for no other could be put in force"
        raise ServerCrashed("the server does not start on any configuration known to be good:\n" + "\n".join(failures))

    def _judge(self, repository: Repository, experiment: Experiment, left: str) -> None:
        if self.iteration < 0:
            repository.release_target(experiment.target, experiment.name)
            raise MachineryFault(
                f"the server is up on {left}; mend what the failed task's log says, and clear the task"
            )
        trial = repository.trial(self.experiment, self.iteration)
        if trial.state in LOOP_GOES_ON:
            return
        if trial.state == "not_applied":
            repository.set_experiment_state(experiment.name, "failed", trial.message)
            repository.release_target(experiment.target, experiment.name)
            raise MachineryFault(
                f"the experiment stops, for its numbers would be noise; the server is up on {left}. Not in force:\n"
                f"{trial.message}"
            )
        raise MachineryFault(
            f"iteration {self.iteration} did not end by itself; the server is up on {left}. Mend what the "
            "failed task's log says and clear the run from begin, or trigger stop_experiment with 'Finish now'"
        )
