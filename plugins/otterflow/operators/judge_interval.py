"""What came of an interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otterflow.operators.asked_for import asked_for
from otterflow.operators.base import OtterflowOperator
from otterflow.operators.check_interval import CHECK_INTERVAL
from otterflow.operators.guard import ANYWHEN

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


class JudgeIntervalOperator(OtterflowOperator):
    """Logs and returns the interval's verdict on each candidate.

    Fails where the experiment has no result, and says why: then somebody has to look. An interval that was measured and
    cannot be judged is a result.
    """

    may = ANYWHEN

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(experiment="", **kwargs)

    def work(self, repository: Repository, context: Context) -> list[dict[str, Any]]:
        """Read what was measured."""
        from otterflow.errors import MachineryFault
        from otterflow.experiment.intervals import interval_of
        from otterflow.experiment.verdict import table

        asked = asked_for(context, CHECK_INTERVAL)
        known = {experiment.name: experiment for experiment in repository.experiments(begins=asked["experiment"])}
        experiment = known.get(asked["experiment"])
        if experiment is None:
            raise MachineryFault(
                f"experiment {asked['experiment']!r} was never recorded; its run of tuning_experiment says why"
            )
        if experiment.outcome is None:
            raise MachineryFault(
                f"experiment {experiment.name} has no result; it is {experiment.state}: {experiment.message}"
            )
        recording = repository.recording(asked["recording"])
        measurements = repository.measurements(experiment.name)
        judged = [interval_of(experiment, measurements, recording, arm) for arm in asked["candidates"]]
        for verdict, named in zip(judged, asked["candidates"].values(), strict=True):
            self.log.info("%s\n%s", named, table([verdict]))
        return [verdict.record() for verdict in judged]
