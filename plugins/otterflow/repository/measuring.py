"""What a try measured: the configuration in force, counters around the measured window, result, metrics, task times.

As in `trials`, a write goes to the newest try of the iteration unless `attempt` names another, and saying it twice
leaves what saying it once leaves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import aliased

from otterflow.errors import TEACHES_NOTHING, InvalidInput, Problem
from otterflow.repository.records import JsonObject, MetricRow, MetricScope, RawCounters, TrialState
from otterflow.repository.store import Store, insert_missing, keep_configuration
from otterflow.repository.tables import ExperimentRow, MetricValueRow, SecondsRow, SnapshotRow, TrialRow
from otterflow.repository.trials import find_try, locked_try
from otterflow.repository.values import finite, plain_object, text


class MeasuringStore(Store):
    """Writes of what a try measured, and the questions about it that a trial's record does not answer."""

    def record_in_force(
        self, experiment: str, iteration: int, in_force: JsonObject, *, attempt: int | None = None
    ) -> None:
        """Record the tuned knobs' values as the server reported them after its restart."""
        with self._database.write() as session:
            row = locked_try(session, experiment, iteration, attempt)
            row.in_force_hash = keep_configuration(session, "in_force", in_force)

    def record_before(
        self, experiment: str, iteration: int, snapshot: JsonObject, *, attempt: int | None = None
    ) -> None:
        """Record the raw counters at the begin of the measured window.

        The first snapshot of a try stays: a task that reattaches to a running benchmark is inside the window already.
        """
        content = plain_object("before", snapshot)
        with self._database.write() as session:
            row = locked_try(session, experiment, iteration, attempt)
            insert_missing(session, SnapshotRow, trial_id=row.id, moment="before", content=content)

    def record_after(
        self, experiment: str, iteration: int, snapshot: JsonObject, *, attempt: int | None = None
    ) -> None:
        """Record the raw counters at the end of the measured window; the last snapshot stays."""
        content = plain_object("after", snapshot)
        with self._database.write() as session:
            row = locked_try(session, experiment, iteration, attempt)
            session.merge(SnapshotRow(trial_id=row.id, moment="after", content=content))

    def raw_counters(self, experiment: str, iteration: int, *, attempt: int | None = None) -> RawCounters:
        """The raw counters around the measured window; a side that is not recorded yet is empty."""
        with self._database.read() as session:
            row = find_try(session, experiment, iteration, attempt)
            query = select(SnapshotRow.moment, SnapshotRow.content).where(SnapshotRow.trial_id == row.id)
            found = {moment: content for moment, content in session.execute(query)}
        return RawCounters(before=found.get("before", {}), after=found.get("after", {}))

    def record_result(
        self,
        experiment: str,
        iteration: int,
        *,
        result: JsonObject,
        objective: float | None,
        repeats: list[float],
        attempt: int | None = None,
    ) -> None:
        """Record the benchmark's result and the objective taken from it (None if it is not to be believed).

        `repeats` is the objective of each repeat; all are in the objective's own unit.
        """
        value = None if objective is None else finite("objective", objective)
        values = [finite(f"repeats[{i}]", repeat) for i, repeat in enumerate(repeats)]
        with self._database.write() as session:
            row = locked_try(session, experiment, iteration, attempt)
            row.result, row.objective, row.repeats = plain_object("result", result), value, values

    def record_metrics(
        self,
        experiment: str,
        iteration: int,
        metrics: Mapping[str, float],
        *,
        host: Mapping[str, float],
        reset: Sequence[str],
        attempt: int | None = None,
    ) -> None:
        """Record all metrics of the measured window, in place of any recorded before.

        The DBMS's (`metrics`) and its host's, per second for counters and as read for gauges. `reset` names the
        counters that were reset inside the window.
        """
        checked = [
            {"scope": scope, "name": text(name), "value": finite(f"{field}.{name}", value)}
            for scope, field, values in ((MetricScope.dbms, "metrics", metrics), (MetricScope.host, "host", host))
            for name, value in values.items()
        ]
        with self._database.write() as session:
            row = locked_try(session, experiment, iteration, attempt)
            row.reset = sorted(text(name) for name in reset)
            session.execute(delete(MetricValueRow).where(MetricValueRow.trial_id == row.id))
            if checked:
                session.execute(insert(MetricValueRow), [{"trial_id": row.id, **metric} for metric in checked])

    def record_seconds(
        self, experiment: str, iteration: int, task: str, seconds: float, *, attempt: int | None = None
    ) -> None:
        """Record how long a task took, in seconds; a task that ran again replaces its time."""
        duration = finite("seconds", seconds)
        if duration < 0:
            raise InvalidInput(Problem("seconds", f"{seconds!r}", "give a duration of at least 0"))
        with self._database.write() as session:
            row = locked_try(session, experiment, iteration, attempt)
            session.merge(SecondsRow(trial_id=row.id, task=task, seconds=duration))

    def metric_rows(
        self, experiments: Sequence[str] | None = None, *, scope: MetricScope | None = None
    ) -> list[MetricRow]:
        """Metrics of all trials that ended ok, by experiment, iteration and name; of all experiments if None is given.

        Of an iteration, the try counts that `trials` gives. Rows are plain tuples, for models that read many thousand.
        """
        newer = aliased(TrialRow)
        replaced = (
            select(newer.id)
            .where(newer.experiment_id == TrialRow.experiment_id, newer.iteration == TrialRow.iteration)
            .where(newer.attempt > TrialRow.attempt, newer.state.in_([state for state in TrialState if state.ended]))
            .where(newer.reasons[TEACHES_NOTHING].as_boolean().is_not(True))
        )
        query = (
            select(
                ExperimentRow.name,
                TrialRow.iteration,
                MetricValueRow.scope,
                MetricValueRow.name,
                MetricValueRow.value,
            )
            .join(TrialRow, TrialRow.experiment_id == ExperimentRow.id)
            .join(MetricValueRow, MetricValueRow.trial_id == TrialRow.id)
            .where(TrialRow.state == TrialState.ok, ~replaced.exists())
            .order_by(ExperimentRow.id, TrialRow.iteration, MetricValueRow.scope, MetricValueRow.name)
        )
        if experiments is not None:
            query = query.where(ExperimentRow.name.in_(experiments))
        if scope is not None:
            query = query.where(MetricValueRow.scope == scope)
        with self._database.read() as session:
            return [
                MetricRow(experiment, iteration, MetricScope(of), name, value)
                for experiment, iteration, of, name, value in session.execute(query)
            ]
