"""Trials: planned, tried (perhaps more than once), measured and ended.

Every write says the same when it is said twice. It goes to the newest try of the iteration, or to the one named by
`attempt`: a task that knows its try should name it, for a forgotten one of an older try may still be running.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from otterflow.errors import TEACHES_NOTHING, InvalidInput, Problem
from otterflow.repository.records import JsonObject, MetricScope, Trial, TrialKind, TrialState
from otterflow.repository.store import Store, find_experiment, keep_configuration, known_experiment
from otterflow.repository.tables import ExperimentRow, MetricValueRow, SnapshotRow, TrialRow
from otterflow.repository.values import LARGEST_SEED, member, now, plain, plain_object, text, whole

_PLANNED_COLUMNS = ("experiment_id", "iteration", "kind", "wanted_hash", "repairs", "reasons", "seed")

_Metrics = dict[str, dict[str, float]]


class TrialStore(Store):
    """Questions about trials, and what may be written about them."""

    def plan_trial(
        self,
        experiment: str,
        iteration: int,
        *,
        kind: TrialKind | str,
        wanted: JsonObject,
        repairs: list[JsonObject],
        reasons: JsonObject,
        seed: int,
    ) -> Trial:
        """Record the configuration that `iteration` is to try; what is planned then.

        A plan that no task has begun is replaced; one that has begun stays as it is and is returned.
        """
        number = whole("iteration", iteration)
        plan = {
            "kind": member(TrialKind, "kind", kind),
            "repairs": plain("repairs", repairs),
            "reasons": plain_object("reasons", reasons),
            "seed": whole("seed", seed, most=LARGEST_SEED),
        }
        with self._database.write() as session:
            parent = find_experiment(session, experiment, lock=True)
            row = _newest(session, parent, number)
            if row is None:
                row = _fresh_try(1, experiment_id=parent.id, iteration=number, **plan)
                row.wanted_hash = keep_configuration(session, "wanted", wanted)
                session.add(row)
            elif row.state == TrialState.planned:
                row.wanted_hash = keep_configuration(session, "wanted", wanted)
                for column, value in plan.items():
                    setattr(row, column, value)
            session.flush()
            return _with_metrics(session, experiment, row)

    def begin_try(self, experiment: str, iteration: int, *, code_version: str = "") -> Trial:
        """Open the try that is to be measured; the trial with its number in `attempt`.

        - Planned: the try opens, with no result and no snapshots. `code_version` is the experiment's unless given.
        - Open, its measured window not begun: it is returned as it is, for the task was retried.
        - Ended, or its measured window begun (the run was cleared): the next try opens with the same plan. The older
          rows stay; one that was open ends as failed, for nobody is left to end it, and teaches nothing.

        So this belongs into the first task of a run, never into the one that measures: that one is retried inside the
        window, and must find its try.
        """
        with self._database.write() as session:
            parent = find_experiment(session, experiment, lock=True)
            row = _required(session, parent, iteration)
            if row.state == TrialState.running and _is_measured(session, row):
                message = f"not ended before try {row.attempt + 1} began"
                row.state, row.message, row.ended_at = TrialState.failed, message, now()
                row.reasons = {**row.reasons, TEACHES_NOTHING: True}
            if TrialState(row.state).ended:
                row = _next_try(row)
                session.add(row)
            if row.state == TrialState.planned:
                _forget_measured(session, row)
                row.state, row.started_at = TrialState.running, now()
                row.code_version = code_version or parent.code_version
                row.surroundings_hash = parent.surroundings_hash
            session.flush()
            return _with_metrics(session, experiment, row)

    def add_reasons(self, experiment: str, iteration: int, reasons: JsonObject) -> None:
        """Add to what is recorded of why, or of what came of, the newest try of `iteration`; same keys are replaced."""
        added = plain_object("reasons", reasons)
        with self._database.write() as session:
            row = locked_try(session, experiment, iteration, None)
            row.reasons = {**row.reasons, **added}

    def trial(self, experiment: str, iteration: int, *, attempt: int | None = None) -> Trial:
        """The newest try of `iteration`, or the one numbered `attempt`. Raises InvalidInput if there is none."""
        with self._database.read() as session:
            return _with_metrics(session, experiment, find_try(session, experiment, iteration, attempt))

    def trials(self, experiment: str, *, metrics: Collection[str] | None = None) -> list[Trial]:
        """What every iteration has come to, in order of iteration; with these of the metrics where they are given.

        That is its newest try, but one that is not finished, or that says nothing of its configuration, does not hide
        an older one that is and does. A trial has a hundred metrics and more, which take most of the time that reading
        it takes.
        """
        with self._database.read() as session:
            parent = known_experiment(session, experiment)
            query = (
                select(TrialRow)
                .where(TrialRow.id.in_(_telling(session, parent.id)))
                .options(joinedload(TrialRow.wanted), joinedload(TrialRow.in_force), joinedload(TrialRow.surroundings))
                .options(selectinload(TrialRow.seconds))
                .order_by(TrialRow.iteration)
            )
            rows = session.scalars(query).all()
            found = _metrics(session, TrialRow.id.in_([row.id for row in rows]), metrics)
            return [_trial(experiment, row, found[row.id]) for row in rows]

    def end_trial(
        self,
        experiment: str,
        iteration: int,
        state: TrialState | str,
        *,
        message: str = "",
        log_tail: str = "",
        attempt: int | None = None,
    ) -> None:
        """End the try in `state`: ok, crashed, failed, timed_out or not_applied. A try that has ended keeps its state.

        Raises InvalidInput for a state that is no end, and for ok without a recorded objective.
        """
        known = member(TrialState, "state", state)
        if not known.ended:
            raise InvalidInput(Problem("state", f"{state!r} does not end a trial", "give how the trial ended"))
        with self._database.write() as session:
            row = locked_try(session, experiment, iteration, attempt)
            if TrialState(row.state).ended:
                return
            if known is TrialState.ok and row.objective is None:
                advice = "call record_result with the objective first, or end the trial as failed"
                raise InvalidInput(Problem("state", "'ok' for a trial without an objective", advice))
            row.state, row.ended_at = known, now()
            row.message, row.log_tail = text(message), text(log_tail)


def _telling(session: Session, experiment_id: int) -> Iterable[int]:
    """The ids of the tries that tell what their iterations have come to."""
    columns = (TrialRow.id, TrialRow.iteration, TrialRow.attempt, TrialRow.state, TrialRow.reasons)
    best: dict[int, tuple[tuple[bool, bool, int], int]] = {}
    for row_id, iteration, attempt, state, reasons in session.execute(
        select(*columns).where(TrialRow.experiment_id == experiment_id)
    ):
        over = TrialState(state).ended
        rank = ((over and not reasons.get(TEACHES_NOTHING), over, attempt), row_id)
        best[iteration] = max(best.get(iteration, rank), rank)
    return [row_id for _, row_id in best.values()]


def locked_try(session: Session, experiment: str, iteration: int, attempt: int | None) -> TrialRow:
    """The row of a try, with its experiment locked until the transaction ends. Raises InvalidInput if none is there."""
    return _required(session, find_experiment(session, experiment, lock=True), iteration, attempt)


def find_try(session: Session, experiment: str, iteration: int, attempt: int | None) -> TrialRow:
    """The row of a try, for reading. Raises InvalidInput if there is none."""
    return _required(session, find_experiment(session, experiment), iteration, attempt)


def _with_metrics(session: Session, experiment: str, row: TrialRow) -> Trial:
    return _trial(experiment, row, _metrics(session, TrialRow.id == row.id)[row.id])


def _metrics(
    session: Session, which: ColumnElement[bool], names: Collection[str] | None = None
) -> defaultdict[int, _Metrics]:
    """The metrics of those trials, by the trial's id and the scope; read as plain rows, for they are many."""
    found: defaultdict[int, _Metrics] = defaultdict(lambda: {scope: {} for scope in MetricScope})
    if names is not None and not names:
        return found
    columns = (MetricValueRow.trial_id, MetricValueRow.scope, MetricValueRow.name, MetricValueRow.value)
    query = select(*columns).join(TrialRow, TrialRow.id == MetricValueRow.trial_id).where(which)
    if names is not None:
        query = query.where(MetricValueRow.name.in_(names))
    for trial_id, scope, name, value in session.execute(query.order_by(MetricValueRow.name)):
        found[trial_id][scope][name] = value
    return found


def _trial(experiment: str, row: TrialRow, metrics: _Metrics) -> Trial:
    surroundings = row.surroundings
    return Trial(
        experiment=experiment,
        iteration=row.iteration,
        attempt=row.attempt,
        kind=TrialKind(row.kind),
        state=TrialState(row.state),
        wanted=row.wanted.content,
        in_force=row.in_force.content if row.in_force else None,
        objective=row.objective,
        result=row.result,
        repeats=row.repeats,
        metrics=metrics[MetricScope.dbms],
        host=metrics[MetricScope.host],
        reset=row.reset,
        repairs=row.repairs,
        reasons=row.reasons,
        seed=row.seed,
        seconds={item.task: item.seconds for item in row.seconds},
        message=row.message,
        log_tail=row.log_tail,
        started_at=row.started_at,
        ended_at=row.ended_at,
        versions=surroundings.versions if surroundings else {},
        hardware=surroundings.hardware if surroundings else {},
        catalog_hash=surroundings.catalog_hash if surroundings else "",
        code_version=row.code_version,
    )


def _newest(session: Session, parent: ExperimentRow, iteration: int, attempt: int | None = None) -> TrialRow | None:
    query = select(TrialRow).where(TrialRow.experiment_id == parent.id, TrialRow.iteration == iteration)
    if attempt is not None:
        query = query.where(TrialRow.attempt == attempt)
    return session.scalar(query.order_by(TrialRow.attempt.desc()).limit(1))


def _required(session: Session, parent: ExperimentRow, iteration: int, attempt: int | None = None) -> TrialRow:
    row = _newest(session, parent, whole("iteration", iteration), attempt)
    if row is not None:
        return row
    wanted = f"{iteration}" if attempt is None else f"{iteration}, try {attempt},"
    last = session.scalar(select(func.max(TrialRow.iteration)).where(TrialRow.experiment_id == parent.id))
    advice = f"experiment {parent.name!r} has " + ("no trials" if last is None else f"trials up to iteration {last}")
    raise InvalidInput(Problem("iteration", f"{wanted} is not planned", advice))


def _is_measured(session: Session, row: TrialRow) -> bool:
    """Whether the measured window of an open try has begun."""
    return row.result is not None or session.get(SnapshotRow, (row.id, "before")) is not None


def _forget_measured(session: Session, row: TrialRow) -> None:
    """Take from a try that opens what was recorded of it before: left there, it would look as if it were under way."""
    session.execute(delete(SnapshotRow).where(SnapshotRow.trial_id == row.id))
    row.result, row.objective, row.repeats = None, None, []


def _fresh_try(attempt: int, **plan: object) -> TrialRow:
    """A planned try with nothing measured."""
    return TrialRow(
        **plan,
        attempt=attempt,
        state=TrialState.planned,
        repeats=[],
        reset=[],
        message="",
        log_tail="",
        code_version="",
    )


def _next_try(row: TrialRow) -> TrialRow:
    """A planned try after `row`, with the same plan."""
    return _fresh_try(row.attempt + 1, **{column: getattr(row, column) for column in _PLANNED_COLUMNS})
