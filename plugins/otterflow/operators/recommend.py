"""The machine-learning task: from the trials so far to the next configuration, which is its XCom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from otterflow.experiment import loop
from otterflow.experiment.typed import spec_of
from otterflow.experiment.window import Needs, needs
from otterflow.operators.base import OtterflowOperator, skip
from otterflow.operators.guard import AFTER_TRIAL

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.experiment.plan import Plan
    from otterflow.experiment.recommendation import Recommendation
    from otterflow.repository import Experiment, Repository, Trial


class RecommendOperator(OtterflowOperator):
    """Chooses the next configuration, repairs it against the constraints between knobs, and plans the next trial.

    When the search has ended, the next configurations are its best one with knobs sent home (`experiment.ablation`).

    Returns `{"iteration", "kind", "configuration", "repairs", "reasons"}`. Skipped, with the reason, when there is to
    be no further trial.
    """

    may = AFTER_TRIAL

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Say what is still to be gained, choose and plan."""
        upcoming = self.iteration + 1
        experiment = repository.experiment(self.experiment)
        trials = [trial for trial in repository.trials(self.experiment) if trial.iteration < upcoming]
        with self.workbench(repository) as bench:
            chosen = self._chosen(repository, experiment, bench.plan, trials)
        no_further = chosen if isinstance(chosen, str) else None
        repository.add_reasons(self.experiment, self.iteration, {loop.NO_FURTHER: no_further})
        if isinstance(chosen, str):
            skip(f"no further trial: {chosen}")
        planned = repository.plan_trial(
            self.experiment,
            upcoming,
            kind=chosen.kind,
            wanted=chosen.configuration,
            repairs=[asdict(repair) for repair in chosen.repairs],
            reasons=chosen.reasons,
            seed=spec_of(experiment).seed,
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

    def _chosen(
        self, repository: Repository, experiment: Experiment, plan: Plan, trials: Sequence[Trial]
    ) -> Recommendation | str:
        """The next trial, of the search or of the ablation after it; or why there is none."""
        from otterflow.experiment.reduction import next_ablation

        searched, made = loop.split(trials)
        needed = needs(trials, plan.spec.repeats)
        if made:
            ended = str(searched[-1].reasons.get(loop.SEARCH_ENDED, "the search had ended"))
        else:
            found = self._searched_further(repository, experiment, plan, trials, needed)
            if not isinstance(found, str):
                return found
            ended = found
            repository.add_reasons(self.experiment, self.iteration, {loop.SEARCH_ENDED: ended})
        done = loop.iterations_of(trials)
        why = loop.reason_to_end_ablation(experiment, done, len(made), datetime.now(UTC), needed)
        further = why or next_ablation(experiment, plan, trials)
        if not isinstance(further, str):
            return further
        self.log.info("no knob is sent home in a further trial: %s", further)
        return loop.no_further(ended, len(made), further)

    def _searched_further(
        self, repository: Repository, experiment: Experiment, plan: Plan, trials: Sequence[Trial], needed: Needs
    ) -> Recommendation | str:
        """The search's next trial, or why it ends."""
        from otterflow.experiment.explanation import outlook_text
        from otterflow.experiment.recommendation import recommendation, what_is_left
        from otterflow.learning.experience import Experience, experience_for
        from otterflow.learning.stored_models import Knowledge, knowledge_for

        done, spec = loop.iterations_of(trials), plan.spec
        reason = loop.reason_to_finish(experiment, done, datetime.now(UTC))
        if reason is not None:
            return reason
        left = what_is_left(experiment, plan, trials)
        self.log.info("%s", outlook_text(left))
        repository.add_reasons(self.experiment, self.iteration, {loop.OUTLOOK: left})
        reason = loop.reason_to_finish(experiment, done, datetime.now(UTC), left, needed)
        if reason is not None:
            return reason
        known = (
            knowledge_for(repository, experiment, trials, plan.goal) if spec.transfer or spec.ranking else Knowledge()
        )
        shared = experience_for(experiment) if spec.transfer else Experience()
        for line in shared.said:
            self.log.info("%s", line)
        past = [*known.past, *shared.past] if spec.transfer else []
        return recommendation(experiment, plan, trials, self.iteration + 1, past, known.ranking)
