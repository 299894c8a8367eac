"""What the stores share: the database, and the steps that several of them take inside a transaction."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, exists, false, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased

from otterflow.errors import InvalidInput, Problem
from otterflow.repository.database import Database
from otterflow.repository.records import JsonObject, TrialState
from otterflow.repository.tables import Base, ConfigurationRow, ExperimentRow, SurroundingsRow, TrialRow
from otterflow.repository.values import content_hash, plain_object


class Store:
    """A part of the repository: some questions and writes over one database."""

    def __init__(self, database: Database) -> None:
        self._database = database


def insert_missing(session: Session, table: type[Base], **values: Any) -> None:
    """Insert a row unless one with its key is there, whoever else is inserting it at this moment."""
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    session.execute(insert(table).values(**values).on_conflict_do_nothing())


def keep_configuration(session: Session, field: str, configuration: JsonObject) -> str:
    """Store a configuration once; its hash."""
    content = plain_object(field, configuration)
    digest = content_hash(content)
    insert_missing(session, ConfigurationRow, hash=digest, content=content)
    return digest


def keep_surroundings(session: Session, versions: JsonObject, hardware: JsonObject, catalog_hash: str) -> str:
    """Store versions, hardware and catalog hash once; their hash."""
    content = {"versions": plain_object("versions", versions), "hardware": plain_object("hardware", hardware)}
    digest = content_hash({**content, "catalog_hash": catalog_hash})
    insert_missing(session, SurroundingsRow, hash=digest, catalog_hash=catalog_hash, **content)
    return digest


def find_experiment(session: Session, name: str, *, lock: bool = False) -> ExperimentRow:
    """The experiment's row; with `lock`, no other transaction changes the experiment until this one ends.

    Raises InvalidInput that names the known experiments.
    """
    row = session.scalar(_experiment_named(name, lock))
    if row is None:
        raise _unknown(session, name)
    return row


class Known(NamedTuple):
    """What its trials and measurements are found by: the experiment's number, and that of its comparison now."""

    id: int
    comparison: int


def known_experiment(session: Session, name: str) -> Known:
    """The experiment, for reading what belongs to it: its row is long. Raises InvalidInput as `find_experiment`."""
    query = select(ExperimentRow.id, ExperimentRow.comparison).where(ExperimentRow.name == name)
    found = session.execute(query).one_or_none()
    if found is None:
        raise _unknown(session, name)
    return Known(*found)


def _unknown(session: Session, name: str) -> InvalidInput:
    known = session.scalars(select(ExperimentRow.name).order_by(ExperimentRow.created_at.desc()).limit(20)).all()
    advice = f"known experiments: {', '.join(known) or 'none'}"
    return InvalidInput(Problem("experiment", f"{name!r} is unknown", advice))


def _experiment_named(name: str, lock: bool) -> Select[ExperimentRow]:
    query = select(ExperimentRow).where(ExperimentRow.name == name)
    return query.with_for_update(key_share=True) if lock else query


OPENS = "tuning_experiment"
"""The Dag that an experiment belongs to of which nobody has recorded who opened it."""


def dag_of(opened_by: str) -> str:
    """The Dag that an experiment belongs to, by the run that opened it."""
    return opened_by.partition("/")[0] or OPENS


def belongs_to(dags: Collection[str]) -> ColumnElement[bool]:
    """That an experiment belongs to one of the Dags, whose names are told apart by upper and lower case.

    It is asked of the index alone, apart from whatever else is asked of an experiment: of its row `opened_by` is among
    the last columns, behind all that it keeps of its server.
    """
    row = aliased(ExperimentRow)
    begun = [func.substr(row.opened_by, 1, len(dag) + 1) == f"{dag}/" for dag in sorted(dags)]
    unsaid = [row.opened_by == ""] if OPENS in dags else []
    return ExperimentRow.id.in_(select(row.id).where(or_(false(), *begun, *unsaid)))


def has_started_trials(session: Session, row: ExperimentRow) -> bool:
    """Whether any trial of the experiment is past its plan."""
    started = exists().where(TrialRow.experiment_id == row.id, TrialRow.state != TrialState.planned)
    return bool(session.scalar(select(started)))


def has_measured_trials(session: Session, row: ExperimentRow) -> bool:
    """Whether any trial of the experiment gave a number."""
    measured = exists().where(TrialRow.experiment_id == row.id, TrialRow.objective.is_not(None))
    return bool(session.scalar(select(measured)))
