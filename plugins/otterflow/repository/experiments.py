"""Experiments: what they are, how far they are, what their target looked like, and what came of them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, joinedload, selectinload

from otterflow.errors import InvalidInput, Problem
from otterflow.repository.files import read_files, write_files
from otterflow.repository.records import (
    Experiment,
    ExperimentState,
    JsonObject,
    LastGood,
    NewExperiment,
    headline_of,
)
from otterflow.repository.store import (
    Store,
    belongs_to,
    find_experiment,
    has_started_trials,
    insert_missing,
    keep_configuration,
    keep_surroundings,
)
from otterflow.repository.tables import ExperimentFileRow, ExperimentRow, TargetRow, TrialRow
from otterflow.repository.values import LARGEST_SEED, finite, member, now, plain, plain_object, text, whole

FINGERPRINT = "fingerprint"
"""The key of an imported experiment's `outcome` that tells which source it is from."""


_UNDER_WAY = frozenset(
    {ExperimentState.running, ExperimentState.stopping, ExperimentState.finishing, ExperimentState.finished}
)


class ExperimentStore(Store):
    """Questions about experiments, and what may be written about them."""

    def create_experiment(self, record: NewExperiment) -> Experiment:
        """Record a new experiment in state `created`.

        A second call with the same record gives the same experiment, for a task may be retried. An experiment of that
        name that never got past the checks, whose advice may be another specification, is replaced: it has no trial,
        not even a planned one, does not hold its target, and says why it went no further. Raises InvalidInput for the
        field `experiment` if the name is taken by any other, or while another run prepares it.
        """
        values = new_values(record)
        with self._database.write() as session:
            definition = record.target_definition
            insert_missing(session, TargetRow, name=record.target)
            if definition is not None:
                target = session.get_one(TargetRow, record.target)
                target.definition = plain_object("target_definition", definition)
                session.flush()
            insert_missing(session, ExperimentRow, **values)
            row = find_experiment(session, record.name, lock=True)
            if not _is_same(row, values):
                _raise_if_taken(session, row)
                session.delete(row)
                session.flush()
                insert_missing(session, ExperimentRow, **values)
                row = find_experiment(session, record.name, lock=True)
            if record.files is not None:
                write_files(session, row, record.files)
            _open(session, row, record.run)
            return _experiment(row)

    def experiment(self, name: str) -> Experiment:
        """The experiment called `name`. Raises InvalidInput that names the known ones."""
        with self._database.read() as session:
            return _experiment(find_experiment(session, name))

    def experiments(
        self, *, begins: str = "", of: Collection[str] | None = None, most: int | None = None
    ) -> list[Experiment]:
        """All experiments, oldest first; or those whose name begins so, that belong to these Dags, the newest `most`.

        Each is read whole, which takes milliseconds.
        """
        related = [
            joinedload(relation)
            for relation in (
                ExperimentRow.baseline,
                ExperimentRow.rules,
                ExperimentRow.last_good,
                ExperimentRow.surroundings,
            )
        ]
        files = selectinload(ExperimentRow.files).selectinload(ExperimentFileRow.definition)  # most share a definition
        with self._database.read() as session:
            query = select(ExperimentRow).options(*related, files).order_by(ExperimentRow.id.desc()).limit(most)
            if begins:
                query = query.where(ExperimentRow.name.startswith(begins, autoescape=True))
            if of is not None:
                query = query.where(belongs_to(of))
            return [_experiment(row) for row in session.scalars(query)][::-1]

    def prepare_experiment(
        self,
        name: str,
        *,
        space: list[JsonObject],
        baseline: JsonObject,
        baseline_file: str,
        rules: JsonObject,
        facts: JsonObject,
        versions: JsonObject,
        hardware: JsonObject,
        catalog_hash: str,
        live: JsonObject,
    ) -> None:
        """Record what was found on the target.

        That is the space to search, the configuration in force (`baseline`) with the text of its file, the rule-based
        one, the facts for the rules, versions, hardware, the knob catalog's hash and the server's own limits and
        settings (`live`).

        Once a trial has started, space, baseline, its file and the rules stay as they are: the file on the target is
        otterflow's own by then. The rest is brought up to date. The state does not change.
        """
        with self._database.write() as session:
            row = find_experiment(session, name, lock=True)
            if not has_started_trials(session, row):
                row.space = plain("space", space)
                row.baseline_hash = keep_configuration(session, "baseline", baseline)
                row.baseline_file = text(baseline_file)
                row.rules_hash = keep_configuration(session, "rules", rules)
            row.facts = plain_object("facts", facts)
            row.live = plain_object("live", live)
            row.surroundings_hash = keep_surroundings(session, versions, hardware, catalog_hash)

    def set_experiment_state(self, name: str, state: ExperimentState | str, message: str = "") -> None:
        """Move the experiment to `state`. Said again without a message, the one that is there stays.

        The first `running` sets `started_at`; entering finished, failed or stopped sets `ended_at`, and leaving them
        clears it. The message with which it first leaves `running` for its end is `finished_because`. Raises
        InvalidInput for an unknown state.
        """
        known = member(ExperimentState, "state", state)
        with self._database.write() as session:
            set_state(find_experiment(session, name, lock=True), known, message)

    def request_stop(self, name: str, reason: str = "") -> None:
        """Ask the experiment to end after the trial under way. The first reason stays; one that has ended is left."""
        with self._database.write() as session:
            row = find_experiment(session, name, lock=True)
            if not row.stop_requested and not ExperimentState(row.state).ended:
                row.stop_requested, row.stop_reason = True, text(reason)

    def extend(
        self,
        name: str,
        *,
        iterations: int,
        time_budget_min: float | None,
        stopping: JsonObject | None = None,
        run: str = "",
    ) -> Experiment:
        """Resume the experiment, or lengthen a running one.

        `iterations` is the new total, not what is added, so that a retried task extends once. `time_budget_min`
        replaces the former budget, in minutes; None is no limit. `stopping` are the spec's keys that make up the rule
        for an early end; without it the former rule stays. `run` is the one that opens the experiment again.

        An experiment that had ended is in state `preparing` afterwards, its request to stop and its reason to end are
        gone, and its final comparison gets a new number. Raises InvalidInput for a smaller total, while the experiment
        is stopping or finishing, for one that was imported, and for a run that has opened this one before.
        """
        total = whole("iterations", iterations)
        budget = None if time_budget_min is None else finite("time_budget_min", time_budget_min)
        with self._database.write() as session:
            row = find_experiment(session, name, lock=True)
            _raise_unless_extendable(row, total, run)
            row.spec = {
                **row.spec,
                "iterations": total,
                "time_budget_min": budget,
                **plain_object("stopping", stopping or {}),
            }
            if ExperimentState(row.state).ended:
                set_state(row, ExperimentState.preparing, "")
                row.stop_requested, row.stop_reason, row.finished_because = False, "", ""
                row.comparison += 1
            if row.state in _OPENING:
                _open(session, row, run)
            return _experiment(row)

    def record_last_good(self, experiment: str, *, configuration: JsonObject, file: str) -> None:
        """Record the configuration that `recover` puts back, and the text of its file."""
        with self._database.write() as session:
            row = find_experiment(session, experiment, lock=True)
            row.last_good_hash = keep_configuration(session, "last_good", configuration)
            row.last_good_file = text(file)

    def record_outcome(self, experiment: str, outcome: JsonObject) -> None:
        """Record the final result."""
        with self._database.write() as session:
            row = find_experiment(session, experiment, lock=True)
            row.outcome = plain_object("outcome", outcome)
            row.headline = headline_of(row.outcome)


_OPENING = (ExperimentState.created, ExperimentState.preparing)


def new_values(record: NewExperiment) -> dict[str, Any]:
    """The columns of a new experiment. Raises InvalidInput for what cannot be stored."""
    return {
        "name": record.name,
        "target": record.target,
        "dbms": text(record.dbms),
        "benchmark": record.benchmark,
        "objective": record.objective,
        "spec": plain_object("spec", record.spec),
        "state": ExperimentState.created,
        "message": "",
        "stop_requested": False,
        "stop_reason": "",
        "space": [],
        "facts": {},
        "live": {},
        "comparison": 1,
        "seed": whole("seed", record.seed, most=LARGEST_SEED),
        "code_version": record.code_version,
        "run": record.run,
        "heir": "",
        "opened_by": record.run,
        "created_at": now(),
        "ran_s": 0.0,
        "finished_because": "",
    }


def _is_same(row: ExperimentRow, values: dict[str, Any]) -> bool:
    """Whether the experiment is the one to be made, and not past its preparation."""
    same = all(getattr(row, key) == values[key] for key in ("target", "dbms", "benchmark", "objective", "spec", "seed"))
    return same and row.state in _OPENING


def _raise_if_taken(session: Session, row: ExperimentRow) -> None:
    """Raise InvalidInput where the name has been measured under, or is being prepared by a run at this moment."""
    held = session.get_one(TargetRow, row.target).holder == row.name
    begun = bool(session.scalar(select(exists().where(TrialRow.experiment_id == row.id)))) or row.state in _UNDER_WAY
    given_up = row.state != ExperimentState.created or row.message
    if not begun and not held and given_up and row.outcome is None:
        return
    taken = f"{row.name!r} is taken by an experiment on target {row.target!r} in state {row.state}"
    advice = "choose another name, or resume that one with more iterations"
    if not begun and row.outcome is None:
        advice = "choose another name, or trigger stop_experiment with this one if no run prepares it just now"
    raise InvalidInput(Problem("experiment", taken, advice))


def _open(session: Session, row: ExperimentRow, run: str) -> None:
    """Put the experiment into the hands of the run that prepares it. Raises InvalidInput while another one does."""
    if run and row.run != run:
        if row.run and session.scalar(select(TargetRow.holder).where(TargetRow.name == row.target)) == row.name:
            found = f"{row.name!r} is being prepared by run {row.run}"
            raise InvalidInput(Problem("experiment", found, "wait for that run, or clear it if it has failed"))
        row.run, row.heir, row.opened_by = run, "", run


def _raise_unless_extendable(row: ExperimentRow, total: int, run: str) -> None:
    if run and row.opened_by == run and ExperimentState(row.state).ended:
        advice = "to go on with it, trigger a new run with Resume on"
        raise InvalidInput(Problem("experiment", f"{row.name!r} has {row.state} since this run opened it", advice))
    if FINGERPRINT in (row.outcome or {}):
        advice = "begin a new experiment, which may learn from it"
        raise InvalidInput(
            Problem("experiment", f"{row.name!r} was imported: there is no server to go on with", advice)
        )
    if row.state in {ExperimentState.stopping, ExperimentState.finishing}:
        advice = "wait until it has ended, then resume it"
        raise InvalidInput(Problem("experiment", f"{row.name!r} is {row.state}", advice))
    former = row.spec.get("iterations", 0)
    if total < former:
        advice = f"give the new total, at least the {former} of the experiment"
        raise InvalidInput(Problem("iterations", str(total), advice))


def set_state(row: ExperimentRow, state: ExperimentState, message: str) -> None:
    """`set_experiment_state` within a transaction."""
    if state is ExperimentState.running and row.started_at is None:
        row.started_at = now()
    finishing = state.ended or state is ExperimentState.finishing
    if row.state != state:
        row.ended_at = now() if state.ended else None
    if finishing:
        row.finished_because = row.finished_because or text(message)
    else:
        row.finished_because = ""
    if message or row.state != state:
        row.message = text(message)
    row.state = state


def _experiment(row: ExperimentRow) -> Experiment:
    last_good = None
    if row.last_good is not None and row.last_good_file is not None:
        last_good = LastGood(row.last_good.content, row.last_good_file)
    surroundings = row.surroundings
    return Experiment(
        name=row.name,
        target=row.target,
        dbms=row.dbms,
        benchmark=row.benchmark,
        objective=row.objective,
        spec=row.spec,
        state=ExperimentState(row.state),
        message=row.message,
        stop_requested=row.stop_requested,
        stop_reason=row.stop_reason,
        space=row.space,
        baseline=row.baseline.content if row.baseline else None,
        baseline_file=row.baseline_file,
        rules=row.rules.content if row.rules else None,
        facts=row.facts,
        live=row.live,
        versions=surroundings.versions if surroundings else {},
        hardware=surroundings.hardware if surroundings else {},
        catalog_hash=surroundings.catalog_hash if surroundings else "",
        last_good=last_good,
        outcome=row.outcome,
        comparison=row.comparison,
        seed=row.seed,
        code_version=row.code_version,
        run=row.run,
        heir=row.heir,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        files=read_files(row),
        ran_s=row.ran_s,
        clock_at=row.clock_at,
        finished_because=row.finished_because,
    )
