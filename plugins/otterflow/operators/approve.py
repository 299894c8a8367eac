"""Asks a person whether a promotion may go ahead, and waits for the answer without a worker."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param

from otterflow.errors import MayNotAct
from otterflow.experiment.notices import Event, of_question
from otterflow.experiment.promotion_form import PromotionForm
from otterflow.operators.connections import open_repository
from otterflow.operators.guard import ANYWHEN, Guarded
from otterflow.operators.notices import tell
from otterflow.operators.promotion_task import PROPOSE, promotion_of

if TYPE_CHECKING:
    from airflow.sdk import Context

NOW, NEXT_WINDOW = "now", "in the next window"


class ApproveOperator(Guarded, ApprovalOperator):
    """The question, with the proposal's table as its body. The answer is recorded with who gave it, and when.

    Who may answer, and for how long, is the form's. Without an answer the run ends and nothing is done; as it does
    after a *Reject*. An answer to a proposal that a newer one has superseded raises MayNotAct.
    """

    may = ANYWHEN
    ui_color = "#e8f4ea"
    template_fields: Sequence[str] = ()

    def __init__(self, **kwargs: Any) -> None:
        kwargs.pop("params", None)  # the Dag's form, which Airflow adds again
        super().__init__(
            subject="May the configuration be changed?",
            body="",
            defaults=self.REJECT,
            response_timeout=timedelta(hours=72),  # the form's own, once it is known
            params=_fields(NOW, NEXT_WINDOW),
            **kwargs,
        )

    def execute(self, context: Context) -> Any:
        """Ask, and tell who is to be told."""
        from airflow.sdk.definitions.param import ParamsDict

        repository = open_repository()
        promotion = promotion_of(repository, context)
        if promotion.state.ended or promotion.state.acts:
            raise MayNotAct(f"promotion {promotion.id} is {promotion.state}: {promotion.message}")
        form = PromotionForm.from_params(promotion.form)
        asked = context["ti"].xcom_pull(task_ids=PROPOSE)
        self.subject, self.body = asked["subject"], asked["body"]
        self.assigned_users = [{"id": user, "name": user} for user in form.assigned] or None
        self.response_timeout = timedelta(hours=form.answer_within_h)
        self.params = ParamsDict(_fields(NOW, *([NEXT_WINDOW] if form.window else [])))
        tell(repository, Event.proposal_waiting, of_question(promotion, self.subject, self._link(context)), context)
        return super().execute(context)

    def _link(self, context: Context) -> str:
        """Where the question is answered."""
        try:
            return self.generate_link_to_ui_from_context(context=context)
        except ValueError:  # [api] base_url is not set
            return "in Airflow, under Required Actions"

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Record the answer; what comes behind is skipped unless it was *Approve*."""
        repository = open_repository()
        promotion = promotion_of(repository, context)
        if "error" not in event:
            answer = _answer(event)
            state = "approved" if self.APPROVE in event["chosen_options"] else "declined"
            if event.get("timedout"):
                state = "expired"
            try:
                repository.move_promotion(
                    promotion.id, state, since={"proposed"}, message=_said(state, answer), answer=answer
                )
            except MayNotAct:
                if state == "approved":
                    raise
        return super().execute_complete(context, event)


def _fields(*when: str) -> dict[str, Param]:
    return {
        "when": Param(NOW, type="string", enum=list(when), title="When", description="When the change is to be made."),
        "note": Param(None, type=["null", "string"], title="Note", description="Kept with the promotion."),
    }


def _answer(event: dict[str, Any]) -> dict[str, Any]:
    """Who said what, as plain JSON."""
    given = event.get("params_input") or {}
    return {
        "chosen": list(event["chosen_options"]),
        "by": dict(event.get("responded_by_user") or {}),
        "when": str(given.get("when") or NOW),
        "note": str(given.get("note") or ""),
    }


def _said(state: str, answer: dict[str, Any]) -> str:
    by = answer["by"].get("name") or "somebody"
    if state == "expired":
        return "nobody has answered in time"
    return f"{state} by {by}{': ' + answer['note'] if answer['note'] else ''}"
