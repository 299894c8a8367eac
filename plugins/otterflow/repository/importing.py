"""Experiments that were made elsewhere: stored whole, in one transaction, as finished.

Nothing is planned, tried or measured here, so none of the steps that a pipeline's tasks take applies: the times are
those of then, and there is no state in between that a killed process could leave.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from otterflow.errors import InvalidInput, Problem
from otterflow.repository.experiments import FINGERPRINT, new_values
from otterflow.repository.records import (
    ExperimentState,
    JsonObject,
    MetricScope,
    NewExperiment,
    RawCounters,
    TrialKind,
    TrialState,
    headline_of,
)
from otterflow.repository.store import Store, find_experiment, insert_missing, keep_configuration, keep_surroundings
from otterflow.repository.tables import ExperimentRow, MetricValueRow, SnapshotRow, TargetRow, TrialRow
from otterflow.repository.values import finite, member, plain, plain_object, text


@dataclass(frozen=True, kw_only=True)
class ImportedTrial:
    """A trial that has ended. `metrics` are per second for counters; `snapshots` is None where nothing was counted."""

    kind: TrialKind
    state: TrialState
    configuration: JsonObject
    objective: float | None
    result: JsonObject | None
    metrics: dict[str, float]
    snapshots: RawCounters | None
    reset: list[str]
    reasons: JsonObject
    message: str
    started_at: datetime
    ended_at: datetime


@dataclass(frozen=True, kw_only=True)
class ImportedExperiment:
    """An experiment made elsewhere, with its trials in the order of time.

    `fingerprint` tells two imports apart: the same for the same source. `outcome` is kept with it, and is where an
    import's report belongs. The rest is as `prepare_experiment` takes it.
    """

    record: NewExperiment
    fingerprint: str
    space: list[JsonObject]
    baseline: JsonObject
    facts: JsonObject
    live: JsonObject
    versions: JsonObject
    hardware: JsonObject
    catalog_hash: str
    trials: list[ImportedTrial] = field(default_factory=list)
    outcome: JsonObject
    message: str


class ImportStore(Store):
    """Writes of what was made elsewhere."""

    def store_imported(self, imported: ImportedExperiment, *, replace: bool = False) -> bool:
        """Store the experiment as finished, all of it or nothing; whether anything was written.

        The same import said twice is stored once. With `replace` an earlier import of that name gives way, whatever
        its source was. Raises InvalidInput for an import without trials, and if the name is taken by an import of
        another source, or by an experiment that was made here.
        """
        if not imported.trials:
            raise InvalidInput(Problem("trials", "there are none", "give at least one trial"))
        values = _experiment_values(imported)
        with self._database.write() as session:
            insert_missing(session, TargetRow, name=imported.record.target)
            values |= {
                "baseline_hash": keep_configuration(session, "baseline", imported.baseline),
                "surroundings_hash": _surroundings(session, imported),
            }
            insert_missing(session, ExperimentRow, **values)
            row = find_experiment(session, imported.record.name, lock=True)
            stored = (row.outcome or {}).get(FINGERPRINT)
            if session.scalar(select(TrialRow.id).where(TrialRow.experiment_id == row.id).limit(1)) is not None:
                if stored == imported.fingerprint and not replace:
                    return False
                if stored is None or not replace:
                    raise _taken(row, imported=stored is not None)
                session.execute(delete(ExperimentRow).where(ExperimentRow.id == row.id))
                session.expunge(row)
                insert_missing(session, ExperimentRow, **values)
                row = find_experiment(session, imported.record.name, lock=True)
            elif stored != imported.fingerprint:
                raise _taken(row, imported=False)
            for iteration, trial in enumerate(imported.trials):
                _add_trial(session, row, iteration, trial, imported.record.code_version)
        return True


def _experiment_values(imported: ImportedExperiment) -> dict[str, Any]:
    outcome = {**plain_object("outcome", imported.outcome), FINGERPRINT: imported.fingerprint}
    return new_values(imported.record) | {
        "state": ExperimentState.finished,
        "message": text(imported.message),
        "space": plain("space", imported.space),
        "facts": plain_object("facts", imported.facts),
        "live": plain_object("live", imported.live),
        "outcome": outcome,
        "headline": headline_of(outcome),
        "started_at": imported.trials[0].started_at,
        "ended_at": max(trial.ended_at for trial in imported.trials),
    }


def _surroundings(session: Session, imported: ImportedExperiment) -> str:
    return keep_surroundings(session, imported.versions, imported.hardware, imported.catalog_hash)


def _taken(row: ExperimentRow, *, imported: bool) -> InvalidInput:
    if imported:
        found = f"{row.name!r} is an import of other files, or of the same ones with other fields"
        advice = "choose another name, or say replace to have it stored anew"
    else:
        found = f"{row.name!r} is taken by an experiment on target {row.target!r} in state {row.state}"
        advice = "choose another name: only an import can be replaced"
    return InvalidInput(Problem("experiment", found, advice))


def _add_trial(session: Session, parent: ExperimentRow, iteration: int, trial: ImportedTrial, version: str) -> None:
    state = member(TrialState, "state", trial.state)
    if not state.ended or (state is TrialState.ok) != (trial.objective is not None):
        found = f"{state} with objective {trial.objective!r}"
        raise InvalidInput(Problem(f"trials[{iteration}].state", found, "a trial that is ok has an objective"))
    configuration = keep_configuration(session, f"trials[{iteration}].configuration", trial.configuration)
    objective = None if trial.objective is None else finite(f"trials[{iteration}].objective", trial.objective)
    row = TrialRow(
        experiment_id=parent.id,
        iteration=iteration,
        attempt=1,
        kind=trial.kind,
        state=state,
        wanted_hash=configuration,
        in_force_hash=configuration,
        surroundings_hash=parent.surroundings_hash,
        objective=objective,
        result=None if trial.result is None else plain_object("result", trial.result),
        repeats=[] if objective is None else [objective],
        reset=sorted(trial.reset),
        repairs=[],
        reasons=plain_object("reasons", trial.reasons),
        seed=0,
        message=text(trial.message),
        log_tail="",
        code_version=version,
        started_at=trial.started_at,
        ended_at=trial.ended_at,
    )
    session.add(row)
    session.flush()
    values = [
        {"trial_id": row.id, "scope": MetricScope.dbms, "name": text(name), "value": finite(f"metrics.{name}", value)}
        for name, value in trial.metrics.items()
    ]
    if values:
        session.execute(insert(MetricValueRow), values)
    if trial.snapshots is not None:
        for moment, content in trial.snapshots._asdict().items():
            session.add(SnapshotRow(trial_id=row.id, moment=moment, content=plain_object(moment, content)))
