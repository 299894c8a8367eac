"""What a night came to, and the table of all nights of its schedule."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from otterflow import settings
from otterflow.operators.base import OtterflowOperator
from otterflow.operators.check_window import night_of
from otterflow.operators.guard import ANYWHEN

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class SummariseNightOperator(OtterflowOperator):
    """Logs the schedule's nights as a table and keeps them as `nights/<schedule>.json` beside the results.

    Returns the night's row, with its verdict. Fails where the night has no result, and says why: then somebody has to
    look.

    :param schedule: the schedule's name.
    """

    may = ANYWHEN

    def __init__(self, *, schedule: str, **kwargs: Any) -> None:
        super().__init__(experiment="", **kwargs)
        self.schedule = schedule

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Read the nights, keep and tell them."""
        from otterflow.errors import MachineryFault
        from otterflow.experiment.nights import known_nights, moved, table

        night = night_of(context)
        nights = known_nights(repository, self.schedule)
        folder = settings.private_home() / "nights"
        folder.mkdir(exist_ok=True, mode=0o700)
        path = folder / f"{self.schedule}.json"
        path.write_text(json.dumps([row.record() for row in nights], indent=2) + "\n")
        self.log.info("the nights of %s (as JSON: %s)\n%s", self.schedule, path, table(nights))
        position = next((i for i, row in enumerate(nights) if row.experiment == night["experiment"]), None)
        if position is None:
            raise MachineryFault(
                f"experiment {night['experiment']!r} was never recorded; its run of tuning_experiment says why"
            )
        row = nights[position]
        result = repository.experiment(row.experiment).outcome or {}
        manifests = repository.manifests({night.recording for night in nights})
        changed = moved(nights[position - 1], row, manifests) if position else None
        if changed:
            self.log.warning("%s; the next night searches again", changed)
        if not result:
            raise MachineryFault(f"experiment {row.experiment} has no result; it is {row.state}: {row.because}")
        self.log.info("%s", result["verdict"])
        return {**row.record(), "verdict": result["verdict"], "changed": changed}
