"""Watches the live load before a promotion's change, and after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.errors import MayNotAct, TrialFault
from otterflow.experiment.live_verdict import AFTER, BEFORE, LiveVerdict, judge, why_not_enough
from otterflow.operators.base import skip
from otterflow.operators.promotion_task import PromotionOperator, promotion_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.hosts.promotion_bench import PromotionBench
    from otterflow.repository import Promotion, Repository

_MAY_WATCH = {BEFORE: "approved", AFTER: "watching"}


class WatchLiveOperator(PromotionOperator):
    """One window of the live load after the other, each recorded; a task that is begun again goes on with the next.

    Before the change, too few windows that could be measured refuse the promotion: nothing could be compared. After
    it the verdict is recorded, as soon as it is *worse*; too few windows are a reason to go back as well.

    :param phase: `before` or `after`.
    """

    def __init__(self, *, phase: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.phase = phase

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Watch, and judge."""
        promotion = promotion_of(repository, context)
        if self.phase == AFTER:
            self._skip_if_it_was_rolled_back(repository, promotion)
        if promotion.state != _MAY_WATCH[self.phase]:
            raise MayNotAct(f"promotion {promotion.id} is {promotion.state}: {promotion.message}")
        with self.bench(repository, promotion) as bench:
            if self.phase == BEFORE:
                return self._before(repository, bench, promotion)
            return self._after(repository, bench, promotion)

    def _before(self, repository: Repository, bench: PromotionBench, promotion: Promotion) -> dict[str, Any]:
        for number in range(1, bench.form.windows + 1):
            self._watch(repository, bench, promotion, number)
        windows = repository.promotion(promotion.id).windows
        why_not = why_not_enough(windows, BEFORE)
        if why_not:
            repository.move_promotion(promotion.id, "refused", since={"approved"}, message=why_not)
            raise MayNotAct(f"promotion {promotion.id} is refused, and nothing was touched: {why_not}")
        return {"windows": [window["value"] for window in windows if window["phase"] == BEFORE]}

    def _after(self, repository: Repository, bench: PromotionBench, promotion: Promotion) -> dict[str, Any]:
        verdict = self._verdict(repository, bench, promotion)
        self.log.info("%s", verdict.because)
        repository.move_promotion(promotion.id, "watching", since={"watching"}, verdict=verdict.record())
        return verdict.record()

    def _verdict(self, repository: Repository, bench: PromotionBench, promotion: Promotion) -> LiveVerdict:
        goal, planned = bench.plan.goal, bench.form.windows
        verdict = LiveVerdict(False, "nothing was watched")
        for number in range(1, planned + 1):
            try:
                self._watch(repository, bench, promotion, number)
            except TrialFault as fault:
                self._skip_if_it_was_rolled_back(repository, promotion)
                return LiveVerdict(True, f"{fault.state}: {fault}")
            self._skip_if_it_was_rolled_back(repository, promotion)
            verdict = judge(repository.promotion(promotion.id).windows, goal, planned)
            self.log.info("window %s of %s: %s", number, planned, verdict.because)
            if verdict.worse:
                return verdict
        why_not = why_not_enough(repository.promotion(promotion.id).windows, AFTER)
        return LiveVerdict(True, f"it cannot be judged: {why_not}") if why_not else verdict

    def _watch(self, repository: Repository, bench: PromotionBench, promotion: Promotion, number: int) -> None:
        from otterflow.hosts.promotion import watch

        known = {(window["phase"], window["number"]) for window in repository.promotion(promotion.id).windows}
        if (self.phase, number) not in known:
            repository.add_window(promotion.id, watch(bench, promotion, self.phase, number))

    @staticmethod
    def _skip_if_it_was_rolled_back(repository: Repository, promotion: Promotion) -> None:
        now = repository.promotion(promotion.id)
        if now.state == "rolled_back":
            skip(f"promotion {promotion.id} is {now.state} by now: {now.message}")
