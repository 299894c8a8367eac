"""Puts an approved configuration in force on its target."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from otterflow.errors import MayNotAct
from otterflow.experiment.promotion_form import PromotionForm
from otterflow.operators.approve import NEXT_WINDOW
from otterflow.operators.promotion_task import PromotionOperator, promotion_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Promotion, Repository


class InstallPromotionOperator(PromotionOperator):
    """Writes the knobs file, reloads or restarts as it was approved, and reads back.

    What is to be written is recorded first, so that whoever comes next knows what to put back. Raises NotInForce, with
    the former configuration in force again, where the server does not take it.
    """

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Record, write, bring into force, read back."""
        from otterflow.hosts.promotion import install, text_of

        promotion = promotion_of(repository, context)
        if promotion.state == "approved" and (closed := _why_too_late(promotion)):
            repository.move_promotion(promotion.id, "refused", since={"approved"}, message=closed)
            raise MayNotAct(f"promotion {promotion.id} is refused, and nothing was touched: {closed}")
        with self.bench(repository, promotion) as bench:
            bench.hold()
            text = promotion.file_after or text_of(bench, promotion)
            if promotion.state != "watching":  # else a try before this one has come to its end
                promotion = repository.move_promotion(
                    promotion.id, "installing", since={"approved"}, message=promotion.message, file_after=text
                )
            in_force = install(bench, promotion, text)
            repository.move_promotion(promotion.id, "watching", since={"installing"}, message=promotion.message)
        return {"in_force": in_force, "by": promotion.proposal["how"]}


def _why_too_late(promotion: Promotion) -> str | None:
    """Why the change may not be made now, where it was approved for a window; None where it may."""
    if (promotion.answer or {}).get("when") != NEXT_WINDOW:
        return None
    form, now = PromotionForm.from_params(promotion.form), datetime.now(UTC)
    window = form.next_window(now)
    if window is None or window.is_open(now):
        return None
    return f"the window {form.window} ({form.timezone}) has closed before the change could be made; take a longer one"
