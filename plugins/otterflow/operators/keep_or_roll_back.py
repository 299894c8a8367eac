"""Ends a promotion by what its windows say: it is kept, or the former configuration comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.errors import MayNotAct
from otterflow.experiment.notices import Event, of_rollback
from otterflow.operators.base import skip
from otterflow.operators.notices import tell
from otterflow.operators.promotion_task import PromotionOperator, promotion_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class KeepOrRollBackOperator(PromotionOperator):
    """Keeps what is not worse; puts back what was in force before otherwise, says so, and gives the target free."""

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Decide by the recorded verdict."""
        from otterflow.hosts.promotion import put_back

        promotion = promotion_of(repository, context)
        verdict = promotion.verdict
        if verdict is None or promotion.state not in {"watching", "kept", "rolled_back"}:
            raise MayNotAct(f"promotion {promotion.id} is {promotion.state}, and has no verdict to act by")
        if promotion.state == "rolled_back" and not verdict["worse"]:
            skip(f"promotion {promotion.id} is rolled back by now: {promotion.message}")
        with self.bench(repository, promotion) as bench:
            state, said = "kept", verdict["because"]
            if verdict["worse"]:
                done = put_back(bench, promotion)
                state, said = "rolled_back", f"{said}; {done}"
            promotion = repository.move_promotion(promotion.id, state, since={"watching"}, message=said)
            bench.jobs.clean()
            bench.give_free()
        self.log.info("promotion %s on %s: %s: %s", promotion.id, promotion.target, state, said)
        if state == "rolled_back":
            tell(repository, Event.rolled_back, of_rollback(promotion), context)
        return {"promotion": promotion.id, "state": state, "because": said}
