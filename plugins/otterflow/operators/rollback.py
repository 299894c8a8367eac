"""Puts a target back to what was in force before a promotion, at a person's word."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from otterflow.errors import InvalidInput, Problem
from otterflow.experiment.notices import Event, of_rollback
from otterflow.operators.notices import tell
from otterflow.operators.promotion_task import PromotionOperator, person

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Promotion, Repository

INSTALLED = ("installing", "watching", "kept")


class RollBackOperator(PromotionOperator):
    """The knobs file as it was before the target's newest promotion that is in force, or a named one; read back.

    One that is being watched is taken over: its run ends by itself. The server is restarted only where a knob takes
    one that the promotion has changed. Raises InvalidInput where there is nothing to roll back, TargetHeld while an
    experiment holds the target.

    :param target: the target's name (templated).
    :param promotion: the promotion's number; 0 for the newest (templated).
    :param why: kept with the promotion (templated).
    :param anyway: "True" to put back the file though somebody has changed it since (templated).
    """

    template_fields: Sequence[str] = ("target", "promotion", "why", "anyway")

    def __init__(
        self,
        *,
        target: str = "{{ params.target }}",
        promotion: str = "{{ params.promotion }}",
        why: str = "{{ params.why }}",
        anyway: str = "{{ params.anyway }}",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.target, self.promotion, self.why, self.anyway = target, promotion, why, anyway

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Choose, take over, put back, record, tell."""
        from otterflow.hosts.promotion import put_back

        begun = time.monotonic()
        promotion = choose(repository.promotions(), self.target, int(self.promotion))
        with self.bench(repository, promotion) as bench:
            bench.hold()
            done = put_back(bench, promotion, anyway=str(self.anyway) == "True")
            by = person(context) or "somebody"
            said = f"rolled back by {by}{': ' + self.why if self.why else ''}; {done}"
            promotion = repository.move_promotion(promotion.id, "rolled_back", since=INSTALLED, message=said)
            bench.jobs.kill()
            bench.give_free()
        seconds = round(time.monotonic() - begun, 1)
        self.log.info("promotion %s on %s, %.1f s: %s", promotion.id, promotion.target, seconds, said)
        tell(repository, Event.rolled_back, of_rollback(promotion), context)
        return {"promotion": promotion.id, "target": promotion.target, "seconds": seconds, "said": said}


def choose(promotions: Sequence[Promotion], target: str, number: int) -> Promotion:
    """The promotion to undo: the one of that number, or the newest that is in force on the target.

    Raises InvalidInput where there is none.
    """
    own = [each for each in promotions if not target or each.target == target]
    there = [each for each in own if each.state in INSTALLED]
    if number:
        found = next((each for each in own if each.id == number), None)
        if found is None:
            raise InvalidInput(Problem("promotion", f"{number} is none of target {target!r}", "leave it at 0"))
        if found not in there:
            said = f"promotion {number} is {found.state}: {found.message}"
            raise InvalidInput(Problem("promotion", said, "there is nothing of it to roll back"))
        return found
    if not target:
        raise InvalidInput(Problem("target", "is empty", "name the server, or the promotion's number"))
    if not there:
        advice = "to undo an experiment, trigger undo_tuning"
        raise InvalidInput(Problem("target", f"no promotion is in force on {target!r}", advice))
    return there[-1]
