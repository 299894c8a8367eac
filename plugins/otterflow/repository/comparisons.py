"""The final comparison: baseline, rules, best and reduced, in turns, so that drift falls on all of them alike."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select

from otterflow.errors import InvalidInput, Problem
from otterflow.repository.records import JsonObject, Measurement, TrialState
from otterflow.repository.store import Store, find_experiment, known_experiment
from otterflow.repository.tables import ExperimentRow, MeasurementRow
from otterflow.repository.values import finite, member, now, plain_object, whole


class ComparisonStore(Store):
    """Measurements of final comparisons."""

    def record_measurement(
        self,
        experiment: str,
        *,
        round: int,
        arm: str,
        value: float | None,
        result: JsonObject,
        state: TrialState | str,
    ) -> None:
        """Record one measurement of the comparison that the experiment is at.

        A later one of the same round and arm replaces it. `value` is the objective, None if there is none to believe.
        """
        known = member(TrialState, "state", state)
        if not known.ended:
            raise InvalidInput(Problem("state", f"{state!r} does not end a measurement", "give how it ended"))
        content = {
            "value": None if value is None else finite("value", value),
            "result": plain_object("result", result),
            "state": known.value,
        }
        number = whole("round", round)
        with self._database.write() as session:
            parent = find_experiment(session, experiment, lock=True)
            row = session.get(MeasurementRow, (parent.id, parent.comparison, number, arm))
            if row is None:
                key = {"experiment_id": parent.id, "comparison": parent.comparison, "round": number, "arm": arm}
                session.add(MeasurementRow(**key, **content, measured_at=now()))
            elif any(getattr(row, column) != found for column, found in content.items()):
                for column, found in {**content, "measured_at": now()}.items():
                    setattr(row, column, found)

    def measurements(self, experiment: str, *, comparison: int | None = None) -> list[Measurement]:
        """What a comparison has measured, in order of round and time; the one under way by default."""
        with self._database.read() as session:
            parent = known_experiment(session, experiment)
            number = parent.comparison if comparison is None else comparison
            query = (
                select(MeasurementRow)
                .where(MeasurementRow.experiment_id == parent.id, MeasurementRow.comparison == number)
                .order_by(MeasurementRow.round, MeasurementRow.measured_at, MeasurementRow.arm)
            )
            return [_measurement(row) for row in session.scalars(query)]

    def measurements_of(self, experiments: Collection[str]) -> dict[str, list[Measurement]]:
        """What the comparison under way of each of these experiments has measured, by one question for all."""
        found: dict[str, list[Measurement]] = {name: [] for name in experiments}
        query = (
            select(ExperimentRow.name, MeasurementRow)
            .join(MeasurementRow, MeasurementRow.experiment_id == ExperimentRow.id)
            .where(ExperimentRow.name.in_(found), MeasurementRow.comparison == ExperimentRow.comparison)
            .order_by(MeasurementRow.round, MeasurementRow.measured_at, MeasurementRow.arm)
        )
        with self._database.read() as session:
            for name, row in session.execute(query):
                found[name].append(_measurement(row))
        return found


def _measurement(row: MeasurementRow) -> Measurement:
    return Measurement(
        comparison=row.comparison,
        round=row.round,
        arm=row.arm,
        value=row.value,
        result=row.result,
        state=TrialState(row.state),
        measured_at=row.measured_at,
    )
