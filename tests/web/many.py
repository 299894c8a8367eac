"""A repository with as many experiments as wanted: copies of those that are there, made by the database itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, func, insert, literal, select
from sqlalchemy.orm import Session

from otterflow.repository import Repository
from otterflow.repository.tables import (
    Base,
    ConfigurationRow,
    ExperimentFileRow,
    ExperimentRow,
    MeasurementRow,
    MetricValueRow,
    SecondsRow,
    TrialRow,
)

_HASH = 64
_NUMBER = 10_000_000
"""Added to the numbers of experiments, so that all copies' hashes end in as many digits."""


def copied(repository: Repository, template: str, names: Iterable[str], **columns: Any) -> None:
    """Copies of an experiment: its files, trials, their metrics and seconds, and its comparison; by these names.

    Each trial of a copy has a configuration of its own, as in a search. `columns` are the copies' own values.
    """
    with repository._database.write() as session:
        own = session.scalars(select(ExperimentRow).where(ExperimentRow.name == template)).one()
        lowest, highest = session.execute(
            select(func.min(TrialRow.id), func.max(TrialRow.id)).where(TrialRow.experiment_id == own.id)
        ).one()
        first, free = (session.scalars(select(func.max(table.id))).one() + 1 for table in (ExperimentRow, TrialRow))
        for number, name in enumerate(names):
            further = free - lowest + number * (highest - lowest + 1)
            _copy(session, own.id, first + number, further, {"name": name, **columns})


def _copy(session: Session, template: int, copy: int, further: int, columns: Mapping[str, Any]) -> None:
    """One copy; `further` is what its trials' ids have over the template's."""
    run = {"opened_by": f"tuning_experiment/{columns['name']}", "run": f"tuning_experiment/{columns['name']}"}
    _rows(session, ExperimentRow, ExperimentRow.id == template, {"id": copy, **run, **columns})
    for table in (ExperimentFileRow, MeasurementRow):
        _rows(session, table, table.experiment_id == template, {"experiment_id": copy})
    own = select(TrialRow.id).where(TrialRow.experiment_id == template)
    hashes = {name: _other(getattr(TrialRow, name), copy) for name in ("wanted_hash", "in_force_hash")}
    tried = select(TrialRow.wanted_hash).where(TrialRow.experiment_id == template).distinct()
    _rows(session, ConfigurationRow, ConfigurationRow.hash.in_(tried), {"hash": _other(ConfigurationRow.hash, copy)})
    shifted = {"id": TrialRow.id + further, "experiment_id": copy, **hashes}
    _rows(session, TrialRow, TrialRow.experiment_id == template, shifted)
    for of_trial in (SecondsRow, MetricValueRow):
        _rows(session, of_trial, of_trial.trial_id.in_(own), {"trial_id": of_trial.trial_id + further})


def _rows(session: Session, table: type[Base], which: ColumnElement[bool], changes: Mapping[str, Any]) -> None:
    columns = table.__table__.columns
    said = {key: v if isinstance(v, ColumnElement) else literal(v, columns[key].type) for key, v in changes.items()}
    chosen = [said[c.key].label(c.key) if c.key in said else c for c in columns]
    session.execute(insert(table).from_select([c.key for c in columns], select(*chosen).where(which)))


def _other(digest: Any, copy: int) -> Any:
    """Another hash for the same content: the template's, with the copy's number as its end."""
    kept = func.substr(digest, 1, _HASH - len(str(_NUMBER)))
    return kept.concat(str(_NUMBER + copy))
