"""After a fault in a promotion: the former configuration in force, if anything was changed, and the target free."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.experiment.notices import Event, of_rollback
from otterflow.operators.notices import tell
from otterflow.operators.promotion_task import PromotionOperator, promotion_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class MakeSafeOperator(PromotionOperator):
    """Ends what still runs, and puts back what was in force before. A promotion that changed nothing is only let go."""

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """See what was done, and undo it."""
        from otterflow.hosts.promotion import put_back

        promotion = promotion_of(repository, context)
        said = "nothing was changed on the server"
        with self.bench(repository, promotion) as bench:
            if promotion.state.acts:
                said = f"a task of it failed; {put_back(bench, promotion)}"
                promotion = repository.move_promotion(
                    promotion.id, "failed", since={"installing", "watching"}, message=said
                )
            if repository.holder(promotion.target) == promotion.holder:
                bench.jobs.kill()
                bench.jobs.clean()
                bench.give_free()
        self.log.info("promotion %s is %s: %s", promotion.id, promotion.state, said)
        if promotion.state == "failed":
            tell(repository, Event.rolled_back, of_rollback(promotion), context)
        return {"promotion": promotion.id, "state": promotion.state.value, "said": said}
