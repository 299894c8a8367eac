"""What the tasks of a promotion have in common: its form, its number, and its target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from otterflow.experiment.promotion_form import PromotionForm
from otterflow.operators.base import OtterflowOperator, skip
from otterflow.operators.guard import ANYWHEN

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.hosts.promotion_bench import PromotionBench
    from otterflow.repository import Promotion, Repository

PROMOTE_CONFIGURATION = "promote_configuration"
PROPOSE, APPROVE = "propose", "approve"
"""Tasks whose results those behind them ask for."""


class PromotionOperator(OtterflowOperator):
    """One task of a promotion. Whether it may act, the promotion's state in the repository says."""

    may = ANYWHEN
    template_fields: Sequence[str] = ()

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(experiment="", **kwargs)

    @contextmanager
    def bench(self, repository: Repository, promotion: Promotion) -> Iterator[PromotionBench]:
        """The promotion at its target, by the form that was asked about; its jobs are remembered."""
        from otterflow.hosts.promotion_bench import PromotionBench
        from otterflow.operators.connected_host import ConnectedHost

        form = PromotionForm.from_params(promotion.form)
        with PromotionBench(
            repository, form, ConnectedHost, self.remember_job, name=promotion.name, holder=promotion.holder
        ) as bench:
            yield bench


def promotion_of(repository: Repository, context: Context) -> Promotion:
    """The run's promotion, as the repository knows it now. Skips the task where nothing was proposed."""
    proposed = context["ti"].xcom_pull(task_ids=PROPOSE)
    if proposed is None:
        skip(f"nothing was proposed; the log of {PROPOSE} says why")
    return repository.promotion(int(proposed["promotion"]))


def person(context: Context) -> str:
    """Who has triggered the run, as far as Airflow says."""
    return str(getattr(context["dag_run"], "triggering_user_name", None) or "")
