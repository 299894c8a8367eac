"""The tables. Nothing outside this package sees them; `docs/repository.md` describes them for people.

JSON columns are of type `json`, not `jsonb`: what is read back must be what was written, and `jsonb` turns the float
1e22 into an integer of 23 digits.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from otterflow.repository.records import (
    ExperimentState,
    FileKind,
    JsonObject,
    MetricScope,
    ModelKind,
    ModelScope,
    PromotionState,
    TrialKind,
    TrialState,
)

HEAD_REVISION = "0009"
"""The migration that these tables need. Kept here so that opening a repository need not load Alembic."""

VERSION_TABLE = "otterflow_revision"
"""Alembic's table under a name of its own, so that a database shared with Airflow's does not mix the two up."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC. SQLite keeps no time zone, so the value is stored as UTC and marked so when read."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC on the way in; a naive datetime is a bug and raises ValueError."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value!r}: give one with a time zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Mark as UTC on the way out."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Types and constraint names shared by all tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime,
        float: Double,
        JsonObject: JSON(none_as_null=True),
        list[JsonObject]: JSON(none_as_null=True),
        list[float]: JSON(none_as_null=True),
        list[str]: JSON(none_as_null=True),
        str: Text,
    }


def _one_of(column: str, kind: type[StrEnum]) -> CheckConstraint:
    values = ", ".join(f"'{value}'" for value in kind)
    return CheckConstraint(f"{column} IN ({values})", name=column)


def _configuration(nullable: bool = True) -> Mapped[Any]:
    return mapped_column(String(64), ForeignKey("configurations.hash"), nullable=nullable)


class TargetRow(Base):
    """A target, which server it is, and the experiment that holds it."""

    __tablename__ = "targets"
    __table_args__ = (CheckConstraint("(holder IS NULL) = (held_since IS NULL)", name="holder"),)

    name: Mapped[str] = mapped_column(primary_key=True)
    definition: Mapped[JsonObject | None]
    holder: Mapped[str | None]
    held_since: Mapped[datetime | None]
    identity: Mapped[str] = mapped_column(default="", server_default="")


class ConfigurationRow(Base):
    """A configuration, once, under the hash of its content."""

    __tablename__ = "configurations"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    content: Mapped[JsonObject]


class SurroundingsRow(Base):
    """What a trial ran on, once, under the hash of its content: versions, hardware and knob catalog."""

    __tablename__ = "surroundings"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    versions: Mapped[JsonObject]
    hardware: Mapped[JsonObject]
    catalog_hash: Mapped[str]


class DefinitionRow(Base):
    """What a file said, once, under the hash of its content: a target, a benchmark, a catalog, or SQL texts."""

    __tablename__ = "definitions"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    content: Mapped[JsonObject]


class ExperimentFileRow(Base):
    """Which definition an experiment was begun with, of each kind of file."""

    __tablename__ = "experiment_files"
    __table_args__ = (_one_of("kind", FileKind),)

    experiment_id: Mapped[int] = mapped_column(ForeignKey("experiments.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    hash: Mapped[str] = mapped_column(String(64), ForeignKey("definitions.hash"))

    definition: Mapped[DefinitionRow] = relationship(viewonly=True, lazy="joined")


class ExperimentRow(Base):
    """An experiment."""

    __tablename__ = "experiments"
    __table_args__ = (
        UniqueConstraint("name"),
        _one_of("state", ExperimentState),
        # A row is as long as what it keeps of its server: who may see it, and where it belongs, is read from here.
        Index(None, "opened_by", "target"),
        Index(None, "target"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    target: Mapped[str] = mapped_column(ForeignKey("targets.name"))
    dbms: Mapped[str] = mapped_column(String(40), server_default="postgresql")  # what there was before the column
    benchmark: Mapped[str]
    objective: Mapped[str]
    spec: Mapped[JsonObject]
    state: Mapped[str] = mapped_column(String(20))
    message: Mapped[str]
    stop_requested: Mapped[bool]
    stop_reason: Mapped[str]
    space: Mapped[list[JsonObject]]
    baseline_hash: Mapped[str | None] = _configuration()
    baseline_file: Mapped[str | None]
    rules_hash: Mapped[str | None] = _configuration()
    facts: Mapped[JsonObject]
    live: Mapped[JsonObject]
    surroundings_hash: Mapped[str | None] = mapped_column(String(64), ForeignKey("surroundings.hash"))
    last_good_hash: Mapped[str | None] = _configuration()
    last_good_file: Mapped[str | None]
    outcome: Mapped[JsonObject | None]
    comparison: Mapped[int]
    seed: Mapped[int] = mapped_column(BigInteger)
    code_version: Mapped[str]
    run: Mapped[str] = mapped_column(default="", server_default="")
    heir: Mapped[str] = mapped_column(default="", server_default="")
    opened_by: Mapped[str] = mapped_column(default="", server_default="")
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ran_s: Mapped[float] = mapped_column(server_default="0")
    clock_at: Mapped[datetime | None]
    finished_because: Mapped[str] = mapped_column(server_default="")
    headline: Mapped[JsonObject | None]

    files: Mapped[list[ExperimentFileRow]] = relationship(viewonly=True)
    baseline: Mapped[ConfigurationRow | None] = relationship(foreign_keys=[baseline_hash], viewonly=True)
    rules: Mapped[ConfigurationRow | None] = relationship(foreign_keys=[rules_hash], viewonly=True)
    last_good: Mapped[ConfigurationRow | None] = relationship(foreign_keys=[last_good_hash], viewonly=True)
    surroundings: Mapped[SurroundingsRow | None] = relationship(viewonly=True)


class TrialRow(Base):
    """One try of one iteration's trial."""

    __tablename__ = "trials"
    __table_args__ = (
        UniqueConstraint("experiment_id", "iteration", "attempt"),
        CheckConstraint("iteration >= 0", name="iteration"),
        CheckConstraint("attempt >= 1", name="attempt"),
        _one_of("kind", TrialKind),
        _one_of("state", TrialState),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    experiment_id: Mapped[int] = mapped_column(ForeignKey("experiments.id", ondelete="CASCADE"))
    iteration: Mapped[int]
    attempt: Mapped[int]
    kind: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20))
    wanted_hash: Mapped[str] = _configuration(nullable=False)
    in_force_hash: Mapped[str | None] = _configuration()
    surroundings_hash: Mapped[str | None] = mapped_column(String(64), ForeignKey("surroundings.hash"))
    objective: Mapped[float | None]
    result: Mapped[JsonObject | None]
    repeats: Mapped[list[float]]
    reset: Mapped[list[str]]
    repairs: Mapped[list[JsonObject]]
    reasons: Mapped[JsonObject]
    seed: Mapped[int] = mapped_column(BigInteger)
    message: Mapped[str]
    log_tail: Mapped[str]
    code_version: Mapped[str]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    wanted: Mapped[ConfigurationRow] = relationship(foreign_keys=[wanted_hash], viewonly=True)
    in_force: Mapped[ConfigurationRow | None] = relationship(foreign_keys=[in_force_hash], viewonly=True)
    surroundings: Mapped[SurroundingsRow | None] = relationship(viewonly=True)
    seconds: Mapped[list[SecondsRow]] = relationship(viewonly=True, order_by="SecondsRow.task")


class SecondsRow(Base):
    """How long a task of a trial took, in seconds."""

    __tablename__ = "trial_seconds"

    trial_id: Mapped[int] = mapped_column(ForeignKey("trials.id", ondelete="CASCADE"), primary_key=True)
    task: Mapped[str] = mapped_column(primary_key=True)
    seconds: Mapped[float]


class SnapshotRow(Base):
    """The raw counters before (`before`) and after (`after`) the measured window of a trial."""

    __tablename__ = "snapshots"
    __table_args__ = (CheckConstraint("moment IN ('before', 'after')", name="moment"),)

    trial_id: Mapped[int] = mapped_column(ForeignKey("trials.id", ondelete="CASCADE"), primary_key=True)
    moment: Mapped[str] = mapped_column(String(20), primary_key=True)
    content: Mapped[JsonObject]


class MetricValueRow(Base):
    """One metric of a trial."""

    __tablename__ = "metrics"
    __table_args__ = (_one_of("scope", MetricScope),)

    trial_id: Mapped[int] = mapped_column(ForeignKey("trials.id", ondelete="CASCADE"), primary_key=True)
    scope: Mapped[str] = mapped_column(String(20), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float]


class MeasurementRow(Base):
    """One measurement of a final comparison."""

    __tablename__ = "measurements"
    __table_args__ = (_one_of("state", TrialState),)

    experiment_id: Mapped[int] = mapped_column(ForeignKey("experiments.id", ondelete="CASCADE"), primary_key=True)
    comparison: Mapped[int] = mapped_column(primary_key=True)
    round: Mapped[int] = mapped_column(primary_key=True)
    arm: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float | None]
    result: Mapped[JsonObject]
    state: Mapped[str] = mapped_column(String(20))
    measured_at: Mapped[datetime]


class ModelRow(Base):
    """What was computed from trials of an experiment, of a workload, or of all."""

    __tablename__ = "models"
    __table_args__ = (
        _one_of("scope", ModelScope),
        _one_of("kind", ModelKind),
        CheckConstraint("(scope = 'experiment') = (experiment_id IS NOT NULL)", name="experiment_id"),
    )

    scope: Mapped[str] = mapped_column(String(20), primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    experiment_id: Mapped[int | None] = mapped_column(ForeignKey("experiments.id", ondelete="CASCADE"))
    version: Mapped[int]
    sources: Mapped[JsonObject]
    content: Mapped[JsonObject]
    computed_at: Mapped[datetime]


class RecordingRow(Base):
    """A recording of a load."""

    __tablename__ = "recordings"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    target: Mapped[str]
    path: Mapped[str]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    manifest: Mapped[JsonObject]
    recorded_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]


class PromotionRow(Base):
    """A configuration's way to a server with users: what was asked, what was answered, what was done and came of it."""

    __tablename__ = "promotions"
    __table_args__ = (_one_of("state", PromotionState),)

    id: Mapped[int] = mapped_column(primary_key=True)
    target: Mapped[str] = mapped_column(index=True)
    schedule: Mapped[str]
    state: Mapped[str] = mapped_column(String(20))
    run: Mapped[str]
    asked_by: Mapped[str]
    form: Mapped[JsonObject]
    proposal: Mapped[JsonObject]
    answer: Mapped[JsonObject | None]
    file_after: Mapped[str | None]
    windows: Mapped[list[JsonObject]]
    verdict: Mapped[JsonObject | None]
    message: Mapped[str]
    proposed_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    installed_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class NoticeRow(Base):
    """A notice that was sent, or is being sent, so that it is not sent again."""

    __tablename__ = "notices"

    key: Mapped[str] = mapped_column(primary_key=True)
    sent_at: Mapped[datetime]
