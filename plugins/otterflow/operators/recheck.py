"""Looks once more, after the answer, whether what was asked about still holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.errors import MayNotAct
from otterflow.operators.promotion_task import PromotionOperator, promotion_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class RecheckOperator(PromotionOperator):
    """Holds the target, and makes the proposal again: where it comes out otherwise, the promotion is refused.

    Raises MayNotAct that lists what has changed since, or names who holds the target.
    """

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Hold, look, compare."""
        from otterflow.hosts.promotion import look_again

        promotion = promotion_of(repository, context)
        # said twice it stays approved; any other state raises
        promotion = repository.move_promotion(promotion.id, "approved", since={"approved"})
        with self.bench(repository, promotion) as bench:
            bench.hold()
            moved = look_again(bench, promotion.proposal)
            if moved:
                bench.give_free()
                because = "since it was asked: " + "; ".join(moved)
                repository.move_promotion(promotion.id, "refused", since={"approved"}, message=because)
                raise MayNotAct(
                    f"promotion {promotion.id} is refused, and nothing was touched; {because}. Propose again"
                )
        return {"promotion": promotion.id, "unchanged": True}
