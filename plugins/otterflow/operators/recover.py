"""Leaves the server running on the last configuration known to be good, whatever happened before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.dbms.values import Answer
from otterflow.errors import CommandFailed, MachineryFault, NotApplied, OtterflowError, ServerCrashed
from otterflow.experiment.loop import reason_to_give_up
from otterflow.hosts.same_server import give_free
from otterflow.operators.base import OtterflowOperator
from otterflow.operators.guard import Lease, May

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.hosts.workbench import Workbench
    from otterflow.repository import Repository

LOOP_GOES_ON = ("crashed", "failed", "timed_out")
"""States of a trial that are its configuration's doing: a lesson for the tuner, and no reason to stop."""


class RecoverOperator(OtterflowOperator):
    """Ends what still runs on the hosts, puts the last good knobs file back, and starts the server.

    A live server is reloaded, and started only where it is down; it is never restarted.

    After a trial that crashed, failed or timed out it succeeds and the loop goes on. After anything else it raises,
    once the server is safe, so that the run is red and can be cleared when the cause is mended. Knobs that were not in
    force stop the experiment, and so does a baseline that gave no number.
    """

    may = May(states=frozenset({"running", "finishing"}), lease=Lease.takes)

    def refused(self, repository: Repository) -> None:
        """A server that nobody holds is not left down, though this run may not touch it otherwise."""
        experiment = repository.experiment(self.experiment)
        if experiment.baseline is None or not repository.is_free(experiment.target):
            return
        with self.workbench(repository) as bench:
            if bench.server.answer() is not Answer.none:
                return
            self.log.warning("nobody holds the target and its server is down: it is started with the files it has")
            try:
                bench.server.start()
            except OtterflowError as error:  # why the task may not act is the error to show
                self.log.error("it could not be started: %s", error)
            bench.server.release()

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Make the server safe, then say what it means for the loop."""
        with self.workbench(repository) as bench:
            if not bench.experiment.baseline_file and bench.experiment.baseline is None:
                return {"left": "nothing was touched"}
            bench.server.begin_turn()
            bench.jobs.kill()
            bench.jobs.clean()
            bench.server.put_back_data()
            left = self._make_safe(bench)
            self.log.info("the server is up on %s", left)
            self._judge(repository, bench, left)
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
                bench.server.bring_into_force(config)
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

    def _judge(self, repository: Repository, bench: Workbench, left: str) -> None:
        experiment = bench.experiment
        if self.iteration < 0:
            give_free(bench)
            raise MachineryFault(
                f"the server is up on {left}; mend what the failed task's log says, and clear the task"
            )
        trial = repository.trial(self.experiment, self.iteration)
        given_up = reason_to_give_up(trial)
        if trial.state in LOOP_GOES_ON and given_up is None:
            return
        repository.stop_clock(experiment.name)
        if trial.state in LOOP_GOES_ON:
            self._stop(repository, bench, str(given_up))
            raise MachineryFault(
                f"the experiment stops, and the server is up on {left}; {given_up}\nMend what is to blame on the "
                "host and clear the run from begin; if it is in a file of the benchmark or the target, mend that and "
                "resume the experiment"
            )
        if trial.state == "not_applied":
            self._stop(repository, bench, trial.message)
            raise MachineryFault(
                f"the experiment stops, for its numbers would be noise; the server is up on {left}. Not in force:\n"
                f"{trial.message}"
            )
        raise MachineryFault(
            f"iteration {self.iteration} did not end by itself; the server is up on {left}. Mend what the "
            "failed task's log says and clear the run from begin, or trigger stop_experiment with 'Finish now'"
        )

    @staticmethod
    def _stop(repository: Repository, bench: Workbench, reason: str) -> None:
        give_free(bench)
        repository.close_experiment(bench.name, "failed", reason)
