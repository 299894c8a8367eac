"""The machine-learning task: from the trials so far to the next configuration, which is its XCom."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from otterflow.experiment import loop
from otterflow.experiment.window import needs
from otterflow.operators.base import OtterflowOperator, skip
from otterflow.operators.guard import AFTER_TRIAL

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class RecommendOperator(OtterflowOperator):
    """Chooses the next configuration, repairs it against the constraints between knobs, and plans the next trial.

    Returns `{"iteration", "kind", "configuration", "repairs", "reasons"}`. Skipped, with the reason, when there is to
    be no further trial.
    """

    may = AFTER_TRIAL

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Say what is still to be gained, choose and plan."""
        from otterflow.experiment.explanation import outlook_text
        from otterflow.experiment.recommendation import recommendation, what_is_left
        from otterflow.learning.experience import Experience, experience_for
        from otterflow.learning.stored_models import Knowledge, knowledge_for

        upcoming = self.iteration + 1
        experiment = repository.experiment(self.experiment)
        reason = loop.reason_to_finish(experiment, upcoming, datetime.now(UTC))
        if reason is not None:
            skip(f"no further trial: {reason}")
        with self.workbench(repository) as bench:
            trials = repository.trials(self.experiment)
            left = what_is_left(experiment, bench.plan, trials)
            self.log.info("%s", outlook_text(left))
            repository.add_reasons(self.experiment, self.iteration, {loop.OUTLOOK: left})
            needed = needs(trials, bench.plan.spec.repeats)
            reason = loop.reason_to_finish(experiment, upcoming, datetime.now(UTC), left, needed)
            if reason is not None:
                skip(f"no further trial: {reason}")
            known = Knowledge()
            spec = bench.plan.spec
            if spec.transfer or spec.ranking:
                known = knowledge_for(repository, experiment, trials, bench.plan.goal)
            shared = experience_for(experiment) if spec.transfer else Experience()
            for line in shared.said:
                self.log.info("%s", line)
            past = [*known.past, *shared.past] if spec.transfer else []
            chosen = recommendation(experiment, bench.plan, trials, upcoming, past, known.ranking)
        planned = repository.plan_trial(
            self.experiment,
            upcoming,
            kind=chosen.kind,
            wanted=chosen.configuration,
            repairs=[asdict(repair) for repair in chosen.repairs],
            reasons=chosen.reasons,
            seed=bench.plan.spec.seed,
        )
        self.log.info("iteration %s (%s):\n%s", upcoming, chosen.kind, chosen.table)
        for repair in chosen.repairs:
            self.log.info("repaired: %s from %r to %r: %s", repair.knob, repair.wanted, repair.used, repair.reason)
        return {
            "iteration": upcoming,
            "kind": planned.kind.value,
            "configuration": planned.wanted,
            "repairs": planned.repairs,
            "reasons": planned.reasons,
        }
