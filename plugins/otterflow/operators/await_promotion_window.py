"""Waits until a promotion may be made, where its approval says: in the next window."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from otterflow.errors import InvalidInput, Problem
from otterflow.experiment.promotion_form import PromotionForm
from otterflow.operators.approve import NEXT_WINDOW
from otterflow.operators.promotion_task import PromotionOperator, promotion_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class AwaitPromotionWindowOperator(PromotionOperator):
    """Deferred until the form's window opens; goes on at once where it is open, or the answer was *now*."""

    def work(self, repository: Repository, context: Context) -> str:
        """Look at the answer and at the clock."""
        promotion = promotion_of(repository, context)
        if (promotion.answer or {}).get("when") != NEXT_WINDOW:
            return "now"
        form, now = PromotionForm.from_params(promotion.form), datetime.now(UTC)
        window = form.next_window(now)
        if window is None:
            raise InvalidInput(Problem("window", "is empty, and the answer was 'in the next window'", "propose again"))
        if not window.is_open(now):
            from airflow.providers.standard.triggers.temporal import DateTimeTrigger

            self.log.info("the window opens at %s", window.opens.isoformat())
            self.defer(trigger=DateTimeTrigger(window.opens), method_name="resume")
        return f"the window is open until {window.closes.isoformat()}"

    def resume(self, context: Context, event: Any = None) -> str:
        """The window has opened."""
        return "the window is open"
