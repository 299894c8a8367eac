"""What pages show of many experiments at once: few columns of many rows, and never a trial's metrics.

An experiment belongs to the Dag whose run opened it; who may not read that Dag is shown none of it, so every question
here that is about more than one experiment takes the Dags whose experiments may be shown.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from otterflow.repository.records import ExperimentState, JsonObject, Record, TrialKind, TrialState
from otterflow.repository.store import Store, belongs_to, dag_of
from otterflow.repository.tables import ExperimentRow, MeasurementRow, SecondsRow, TargetRow, TrialRow
from otterflow.repository.values import text as storable


class TrialMark(NamedTuple):
    """A trial in few words; `value` is the objective in its unit."""

    iteration: int
    kind: TrialKind
    state: TrialState
    value: float | None


@dataclass(frozen=True, kw_only=True)
class Glimpse(Record):
    """An experiment as a row of a list. `headline` is what lists show of its result: see `records.headline_of`."""

    name: str
    dag: str
    target: str
    dbms: str
    benchmark: str
    objective: str
    spec: JsonObject
    state: ExperimentState
    message: str
    created_at: datetime
    ended_at: datetime | None
    finished_because: str
    headline: JsonObject
    marks: list[TrialMark] = field(default_factory=list)

    @property
    def has_result(self) -> bool:
        """Whether there is a result: lists show something of any."""
        return bool(self.headline)

    @property
    def iterations(self) -> int | None:
        """How many were asked for; None of an experiment that was made elsewhere."""
        asked: int | None = self.spec.get("iterations")
        return asked

    @property
    def winner(self) -> str | None:
        """The arm that has won the comparison; None before there is a result."""
        arm: str | None = self.headline.get("winner")
        return arm

    @property
    def ratios(self) -> JsonObject:
        """The comparison's ratios by arm; {} before there is a result."""
        return dict(self.headline.get("ratios") or {})

    @property
    def done(self) -> int:
        """How many iterations of the search have ended."""
        return sum(mark.state.ended and mark.kind != TrialKind.ablation for mark in self.marks)


@dataclass(frozen=True, kw_only=True)
class Sought:
    """Which experiments are asked for; `text` is part of name, target or benchmark, and empty fields ask nothing."""

    dags: Collection[str]
    text: str = ""
    state: str = ""
    target: str = ""


class Glimpses(NamedTuple):
    """A page of a list, and how many there are in all."""

    rows: list[Glimpse]
    total: int


class Pulse(NamedTuple):
    """What changes whenever anything of an experiment does that a page shows."""

    state: str
    message: str
    stop_requested: bool
    ended_at: datetime | None
    trials: int
    newest: int | None
    newest_state: str | None
    tasks: int
    turns: int


class TargetGlimpse(NamedTuple):
    """A target: who holds it since when, and how many experiments were made on it, of those that may be shown."""

    name: str
    holder: str | None
    held_since: datetime | None
    experiments: int
    newest: str
    dbms: str


class KnownPoint(NamedTuple):
    """A known configuration, measured again: `configuration` stands for it, `value` is the objective in its unit."""

    benchmark: str
    objective: str
    configuration: str
    at: datetime
    value: float
    experiment: str


class GlimpseStore(Store):
    """Questions of pages."""

    def openers(self) -> set[str]:
        """The Dags that experiments belong to."""
        with self._database.read() as session:
            return {dag_of(run) for run in session.scalars(select(ExperimentRow.opened_by).distinct())}

    def opener(self, experiment: str) -> str | None:
        """The Dag that the experiment belongs to; None where there is no such experiment."""
        query = select(ExperimentRow.opened_by).where(ExperimentRow.name == storable(experiment))
        with self._database.read() as session:
            run = session.scalar(query)
            return None if run is None else dag_of(run)

    def openers_of(self, experiments: Collection[str]) -> dict[str, str]:
        """The Dag that each of the experiments belongs to, by its name; without those that there are not."""
        query = select(ExperimentRow.name, ExperimentRow.opened_by).where(ExperimentRow.name.in_(set(experiments)))
        with self._database.read() as session:
            return {name: dag_of(run) for name, run in session.execute(query)}

    def opened_by(self, run: str) -> str | None:
        """The experiment that a run opened last, `<dag>/<run id>`; None where it opened none."""
        query = select(ExperimentRow.name).where(ExperimentRow.opened_by == storable(run))
        with self._database.read() as session:
            return session.scalar(query.order_by(ExperimentRow.id.desc()).limit(1))

    def glimpses(self, sought: Sought, *, most: int, skip: int = 0) -> Glimpses:
        """The newest `most` of the experiments that are asked for, after the first `skip`; each with its trials."""
        asked = _asked(sought)
        with self._database.read() as session:
            total = session.scalar(select(func.count()).select_from(ExperimentRow).where(*asked)) or 0
            page = select(ExperimentRow.id).where(*asked).order_by(ExperimentRow.id.desc()).limit(most).offset(skip)
            ids = list(session.scalars(page))
            marks = _marks(session, ids)
            rows = session.execute(_columns().where(ExperimentRow.id.in_(ids)).order_by(ExperimentRow.id.desc()))
            return Glimpses([_glimpse(row, marks.get(row.id, [])) for row in rows], total)

    def headlines(self, begins: str, of: Collection[str] | None = None, *, most: int | None = None) -> list[Glimpse]:
        """Experiments whose names begin so, without their trials, the oldest first; of these Dags, the newest `most`.

        What is read of one does not grow with its trials, nor with its server's settings.
        """
        query = _columns().where(ExperimentRow.name.startswith(begins, autoescape=True))
        if of is not None:
            query = query.where(belongs_to(of))
        with self._database.read() as session:
            rows = session.execute(query.order_by(ExperimentRow.id.desc()).limit(most))
            return [_glimpse(row, []) for row in rows][::-1]

    def newest_names(self, dags: Collection[str], most: int) -> list[str]:
        """The names of the newest experiments that may be shown."""
        query = select(ExperimentRow.name).where(belongs_to(dags)).order_by(ExperimentRow.id.desc()).limit(most)
        with self._database.read() as session:
            return list(session.scalars(query))

    def targets_of(self, dags: Collection[str]) -> list[TargetGlimpse]:
        """The targets of experiments that may be shown, by name."""
        newest = (
            select(ExperimentRow.target, func.count().label("number"), func.max(ExperimentRow.id).label("newest"))
            .where(belongs_to(dags))
            .group_by(ExperimentRow.target)
            .subquery()
        )
        query = (
            select(
                TargetRow.name, TargetRow.holder, TargetRow.held_since, newest.c.number, ExperimentRow.name,
                ExperimentRow.dbms,
            )
            .join(newest, newest.c.target == TargetRow.name)
            .join(ExperimentRow, ExperimentRow.id == newest.c.newest)
            .order_by(TargetRow.name)
        )  # fmt: skip
        with self._database.read() as session:
            return [TargetGlimpse(*row) for row in session.execute(query)]

    def newest_with_last_good(self, target: str, dags: Collection[str]) -> str | None:
        """The newest experiment on the target that knows a last good configuration; None where none does."""
        query = select(ExperimentRow.name).where(
            ExperimentRow.target == target, belongs_to(dags), ExperimentRow.last_good_hash.is_not(None)
        )
        with self._database.read() as session:
            return session.scalar(query.order_by(ExperimentRow.id.desc()).limit(1))

    def known_points(self, target: str, dags: Collection[str], *, since: datetime, most: int) -> list[KnownPoint]:
        """Baselines and references on the target that ended ok, by time: the same configurations, measured again.

        Of the newest experiments, `most` of them.
        """
        query = (
            select(
                ExperimentRow.benchmark, ExperimentRow.objective, TrialRow.wanted_hash, TrialRow.ended_at,
                TrialRow.objective, ExperimentRow.name,
            )
            .join(ExperimentRow, ExperimentRow.id == TrialRow.experiment_id)
            .where(ExperimentRow.target == target, belongs_to(dags), ExperimentRow.created_at >= since)
            .where(TrialRow.kind.in_([TrialKind.baseline.value, TrialKind.reference.value]))
            .where(TrialRow.state == TrialState.ok, TrialRow.objective.is_not(None), TrialRow.ended_at.is_not(None))
            .order_by(ExperimentRow.id.desc(), TrialRow.iteration.desc(), TrialRow.attempt.desc())
            .limit(most)
        )  # fmt: skip
        with self._database.read() as session:
            found = [
                KnownPoint(benchmark, objective, configuration, at, value, name)
                for benchmark, objective, configuration, at, value, name in session.execute(query)
                if at is not None and value is not None
            ]
        return sorted(found, key=lambda point: point.at)

    def pulse(self, experiment: str) -> Pulse | None:
        """What tells whether anything has changed; None where there is no such experiment."""
        with self._database.read() as session:
            row = session.execute(
                select(
                    ExperimentRow.id, ExperimentRow.state, ExperimentRow.message, ExperimentRow.stop_requested,
                    ExperimentRow.ended_at, ExperimentRow.comparison,
                ).where(ExperimentRow.name == storable(experiment))
            ).one_or_none()  # fmt: skip
            if row is None:
                return None
            own = TrialRow.experiment_id == row.id
            trials = session.scalar(select(func.count()).select_from(TrialRow).where(own)) or 0
            last = select(TrialRow.id, TrialRow.iteration, TrialRow.state).where(own)
            newest = session.execute(last.order_by(TrialRow.iteration.desc(), TrialRow.attempt.desc()).limit(1)).first()
            timed = select(func.count()).where(SecondsRow.trial_id == newest.id) if newest else None
            turns = select(func.count()).where(
                MeasurementRow.experiment_id == row.id, MeasurementRow.comparison == row.comparison
            )
            return Pulse(
                state=row.state,
                message=row.message,
                stop_requested=row.stop_requested,
                ended_at=row.ended_at,
                trials=trials,
                newest=newest.iteration if newest else None,
                newest_state=newest.state if newest else None,
                tasks=(session.scalar(timed) or 0) if timed is not None else 0,
                turns=session.scalar(turns) or 0,
            )


def _asked(sought: Sought) -> list[ColumnElement[bool]]:
    asked = [belongs_to(sought.dags)]
    if sought.text:
        columns = (ExperimentRow.name, ExperimentRow.target, ExperimentRow.benchmark)
        asked.append(or_(*(column.icontains(storable(sought.text), autoescape=True) for column in columns)))
    if sought.state:
        asked.append(ExperimentRow.state == storable(sought.state))
    if sought.target:
        asked.append(ExperimentRow.target == storable(sought.target))
    return asked


def _columns() -> Select[*tuple[Any, ...]]:
    return select(
        ExperimentRow.id, ExperimentRow.name, ExperimentRow.opened_by, ExperimentRow.target, ExperimentRow.dbms,
        ExperimentRow.benchmark, ExperimentRow.objective, ExperimentRow.spec, ExperimentRow.state,
        ExperimentRow.message, ExperimentRow.created_at, ExperimentRow.ended_at, ExperimentRow.finished_because,
        ExperimentRow.headline,
    )  # fmt: skip


def _glimpse(row: Any, marks: list[TrialMark]) -> Glimpse:
    return Glimpse(
        name=row.name,
        dag=dag_of(row.opened_by),
        target=row.target,
        dbms=row.dbms,
        benchmark=row.benchmark,
        objective=row.objective,
        spec=row.spec,
        state=ExperimentState(row.state),
        message=row.message,
        created_at=row.created_at,
        ended_at=row.ended_at,
        finished_because=row.finished_because,
        headline=row.headline or {},
        marks=marks,
    )


def _marks(session: Session, ids: Sequence[int]) -> dict[int, list[TrialMark]]:
    """Of each iteration the newest try, but one that has ended is not hidden by one that has not."""
    query = (
        select(
            TrialRow.experiment_id, TrialRow.iteration, TrialRow.attempt, TrialRow.kind, TrialRow.state,
            TrialRow.objective,
        )
        .where(TrialRow.experiment_id.in_(ids))
        .order_by(TrialRow.experiment_id, TrialRow.iteration, TrialRow.attempt)
    )  # fmt: skip
    found: dict[int, dict[int, TrialMark]] = {}
    for experiment, iteration, _, kind, state, value in session.execute(query):
        mark = TrialMark(iteration, TrialKind(kind), TrialState(state), value)
        tries = found.setdefault(experiment, {})
        if mark.state.ended or iteration not in tries:
            tries[iteration] = mark
    return {experiment: list(tries.values()) for experiment, tries in found.items()}
