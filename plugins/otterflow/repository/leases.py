"""The lease: which one run of which one experiment may act on a target.

An experiment holds its target, and one run holds the experiment. A run names its heir before it triggers it, and keeps
the experiment until the heir takes it: so a task that is begun again finds what it had decided, and no moment is
without a holder.
"""

from __future__ import annotations

from sqlalchemy import func, select

from otterflow.errors import MayNotAct
from otterflow.repository.experiments import set_state
from otterflow.repository.records import ExperimentState, Standing, TrialState
from otterflow.repository.store import Store, find_experiment
from otterflow.repository.tables import TargetRow, TrialRow
from otterflow.repository.targets import hold, release
from otterflow.repository.values import member


class LeaseStore(Store):
    """Who may act, and how that changes hands."""

    def standing(self, experiment: str, iteration: int = -1) -> Standing:
        """How things stand with the experiment, and with the trial of `iteration`, now.

        Raises InvalidInput if there is no experiment of that name.
        """
        with self._database.read() as session:
            row = find_experiment(session, experiment)
            begun = select(func.max(TrialRow.iteration)).where(
                TrialRow.experiment_id == row.id, TrialRow.state != TrialState.planned
            )
            asked = select(TrialRow.state).where(TrialRow.experiment_id == row.id, TrialRow.iteration == iteration)
            state = session.scalar(asked.order_by(TrialRow.attempt.desc()).limit(1))
            return Standing(
                experiment=row.name,
                target=row.target,
                state=ExperimentState(row.state),
                run=row.run,
                heir=row.heir,
                holder=session.scalar(select(TargetRow.holder).where(TargetRow.name == row.target)),
                newest_begun=session.scalar(begun),
                trial=None if state is None else TrialState(state),
            )

    def take_lease(self, experiment: str, run: str) -> None:
        """Make `run` the one that may act for the experiment, and the experiment the holder of its target.

        Harmless if it is so already. Raises MayNotAct if another run has the experiment and has not named this one its
        heir, or if this one has named another; TargetHeld if another experiment holds the target.
        """
        with self._database.write() as session:
            row = find_experiment(session, experiment, lock=True)
            if run not in {row.run, row.heir} and row.run:
                raise MayNotAct(f"experiment {experiment!r} is in the hands of run {row.run}")
            if row.run == run and row.heir:
                raise MayNotAct(f"run {run} has passed experiment {experiment!r} on to run {row.heir}")
            hold(session, row.target, experiment)
            if row.run != run:
                row.run, row.heir = run, ""

    def name_heir(
        self,
        experiment: str,
        run: str,
        heir: str,
        *,
        instead_of: str = "",
        state: ExperimentState | str | None = None,
        message: str = "",
        take_target: bool = False,
    ) -> None:
        """Let `heir` go on after `run`, which has the experiment; and move the experiment to `state`, if given.

        The heir that is named already is kept unless it is `instead_of`. With `take_target` the experiment holds its
        target afterwards. Raises MayNotAct if `run` has it no more, TargetHeld if another experiment holds the target.
        """
        with self._database.write() as session:
            row = find_experiment(session, experiment, lock=True)
            if row.run not in {"", run}:
                raise MayNotAct(f"experiment {experiment!r} is in the hands of run {row.run}, not of {run or 'none'}")
            if row.heir not in {"", instead_of, heir}:
                raise MayNotAct(f"run {run} has passed experiment {experiment!r} on to run {row.heir}")
            if take_target:
                hold(session, row.target, experiment)
            row.run, row.heir = run, heir
            if state is not None:
                set_state(row, member(ExperimentState, "state", state), message)

    def close_experiment(self, experiment: str, state: ExperimentState | str, message: str = "") -> None:
        """End the experiment in `state` and give its target free, both or neither."""
        known = member(ExperimentState, "state", state)
        with self._database.write() as session:
            row = find_experiment(session, experiment, lock=True)
            set_state(row, known, message)
            release(session, row.target, experiment)
