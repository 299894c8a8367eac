"""Says what a promotion would change on its target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.configuration import conf

from otterflow.experiment.promotion_form import PromotionForm
from otterflow.operators.promotion_task import PromotionOperator, person
from otterflow.places import experiment_page, pages_at, promotion_picture

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class ProposeOperator(PromotionOperator):
    """Looks at the target, translates the configuration for it, and records the proposal; nothing is touched.

    Returns `{"promotion", "subject", "body"}`: its number, and the question that it makes. Proposals for the target
    that nobody has answered are superseded. Raises InvalidInput that lists all that is wrong.
    """

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Read the form, look, record."""
        from otterflow.experiment.promotion import body, subject
        from otterflow.hosts.promotion import propose
        from otterflow.hosts.promotion_bench import PromotionBench
        from otterflow.operators.connected_host import ConnectedHost

        form = PromotionForm.from_params(context["params"])
        with PromotionBench(repository, form, ConnectedHost) as bench:
            found = propose(bench)
        promotion = repository.propose(
            form.target,
            run=self.run_name,
            form=form.record(),
            proposal=found,
            asked_by=person(context),
            schedule=form.schedule,
        )
        pages = pages_at(conf.get("api", "base_url", fallback=""))
        question = body(
            form,
            found,
            picture=pages + promotion_picture(promotion.id),
            page=pages + experiment_page(str(found["experiment"])),
        )
        self.log.info("promotion %s\n%s", promotion.id, question)
        return {"promotion": promotion.id, "subject": subject(form, found), "body": question}
