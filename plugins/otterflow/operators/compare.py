"""The final comparison: baseline, rules and best, measured again in turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.comparison import BASELINE, distinct, schedule
from otterflow.errors import TrialFault
from otterflow.operators.base import OtterflowOperator
from otterflow.operators.jobs import KillsItsJob
from otterflow.operators.measurement import FIRST_STEPS, NoWindow, measure
from otterflow.operators.workbench import Workbench

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class CompareOperator(KillsItsJob, OtterflowOperator):
    """Measures every arm once a round, in a shuffled order, and records each measurement.

    A task that is run again goes on with the turn where it stopped: jobs of that turn say that its configuration is in
    force, and a restart would end the one that runs. An arm that fails in a turn loses that turn.
    """

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Take all turns that are not recorded yet."""
        with Workbench(repository, self.experiment) as bench:
            repository.hold_target(bench.plan.target.name, self.experiment)
            repository.set_experiment_state(self.experiment, "finishing")
            arms = bench.arms()
            to_measure = sorted(set(distinct(arms).values()), key=list(arms).index)
            if len(to_measure) == 1:
                self.log.info("nothing but the baseline was measured: there is nothing to compare")
                return {"arms": [BASELINE], "turns": 0}
            spec = bench.plan.spec
            turns = schedule(to_measure, spec.final_rounds, spec.seed)
            done = {(m.round, m.arm) for m in repository.measurements(self.experiment)}
            for position, (number, arm) in enumerate(turns, 1):
                if (number, arm) not in done:
                    self.log.info("turn %s of %s: %s, round %s", position, len(turns), arm, number)
                    self._turn(repository, bench, number, arm, arms[arm])
        return {"arms": to_measure, "turns": len(turns)}

    def _turn(self, repository: Repository, bench: Workbench, number: int, arm: str, config: dict[str, Any]) -> None:
        name = f"compare{bench.experiment.comparison}-{number}-{arm}"
        try:
            if not any(bench.job_exists(f"{name}-{step}", on_driver=True) for step in FIRST_STEPS):
                bench.server.put_in_force(bench.config_text(config), config)
            measured = measure(bench, name, config, 1, NoWindow(), self.remember_job, one_pass=True)
        except TrialFault as fault:
            self.log.error("%s in round %s: %s", arm, number, fault)
            repository.record_measurement(
                self.experiment, round=number, arm=arm, value=None, result={"message": str(fault)}, state=fault.state
            )
        else:
            repository.record_measurement(
                self.experiment, round=number, arm=arm, value=measured.value, result=measured.result, state="ok"
            )
        finally:
            self.forget_job()
        bench.clean_jobs(name)
