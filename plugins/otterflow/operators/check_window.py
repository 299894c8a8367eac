"""The first task of a night: whether its window is open and its target free."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from otterflow import settings
from otterflow.experiment.schedule import SHORTEST_MIN, Schedule, load_schedule
from otterflow.experiment.window import needs
from otterflow.operators.asked_for import asked_for
from otterflow.operators.base import OtterflowOperator, skip
from otterflow.operators.guard import ANYWHEN

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository


CHECK_WINDOW = "check_window"
"""The task's id: those behind it ask for what it returned."""


def night_of(context: Context) -> dict[str, Any]:
    """What `check_window` returned: the night's `experiment`, its `form`, when its window `closes`."""
    return asked_for(context, CHECK_WINDOW)


class CheckWindowOperator(OtterflowOperator):
    """Skips the night, with the reason, where its window has closed or its target is held; else names its experiment.

    A night that was missed is not caught up by day. A run that a person triggers has the window that is open then.

    :param schedule: the schedule's name.
    """

    may = ANYWHEN

    def __init__(self, *, schedule: str, **kwargs: Any) -> None:
        super().__init__(experiment="", **kwargs)
        self.schedule = schedule

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Decide by the clock, the target's holder, and the names that are taken."""
        schedule = load_schedule(settings.schedules_dir() / f"{self.schedule}.yaml")
        dag_run, now = context["dag_run"], datetime.now(UTC)
        opens = dag_run.run_after.astimezone(UTC)
        window = schedule.window(opens)
        shown = f"{_local(window.opens, schedule)} to {_local(window.closes, schedule)}"
        left_min = (window.closes - now).total_seconds() / 60
        if left_min < SHORTEST_MIN:
            skip(
                f"the window {shown} has closed, or closes within {SHORTEST_MIN:g} min; a night that was missed is not "
                "caught up by day"
            )
        experiment, number = self._name(repository, schedule, opens)
        others = repository.holders(schedule.target) - {experiment}
        if others:
            named = ", ".join(sorted(others))
            skip(f"target {schedule.target!r} is held by experiment {named!r}; this night is left out")
        self._skip_unless_a_trial_fits(repository, schedule, experiment, left_min)
        self.log.info("experiment %s: the window is %s, %.0f min are left", experiment, shown, left_min)
        spec = schedule.spec(opens, number, recording=self._recording(repository, schedule, opens, experiment))
        return {"experiment": experiment, "closes": window.closes.isoformat(), "form": spec.record()}

    def _skip_unless_a_trial_fits(
        self, repository: Repository, schedule: Schedule, experiment: str, left_min: float
    ) -> None:
        """Skip where the rest of the window is too short for one trial as the last night took it, with its restore."""
        nights = repository.headlines(f"{self.schedule}-")
        before = [night for night in nights if night.state.ended]
        is_under_way = any(night.name == experiment for night in nights)
        if is_under_way or not before or before[-1].target != schedule.target:
            return
        trials = repository.trials(before[-1].name, metrics=())
        trial_min = needs(trials, repeats=1).trial_s / 60
        if trial_min > left_min:
            skip(
                f"{left_min:.0f} min of the window are left, and a trial took up to {trial_min:.0f} min in "
                f"{before[-1].name}: nothing would be over in time, so this night is left out"
            )

    def _recording(self, repository: Repository, schedule: Schedule, opens: datetime, experiment: str) -> str | None:
        """The id of what the night replays: what its experiment, where it has begun, replays already."""
        asked = schedule.recording
        if asked is None:
            return None
        begun = next((e for e in repository.headlines(experiment) if e.name == experiment), None)
        if begun is not None:
            return str(begun.spec["recording"])
        there = repository.recordings(asked.name)
        chosen = asked.choose(there, schedule.night(opens), schedule.zone, datetime.now(UTC))
        if chosen is None:
            skip(
                f"of the {len(there)} recordings of {asked.name!r} none is complete, there, and of the last "
                f"{asked.days} days (pick: {asked.pick}); this night is left out"
            )
        self.log.info("replays %s, the %s of %s", chosen.id, asked.pick, asked.name)
        return chosen.id

    def _name(self, repository: Repository, schedule: Schedule, opens: datetime) -> tuple[str, int]:
        """The night's experiment: the one that this date has under way, or the first name that is free."""
        begun = repository.headlines(schedule.experiment(opens))
        states = {experiment.name: experiment.state for experiment in begun}
        number = 1
        while (name := schedule.experiment(opens, number)) in states and states[name].ended:
            number += 1
        return name, number


def _local(moment: datetime, schedule: Schedule) -> str:
    return moment.astimezone(schedule.zone).strftime("%a %H:%M")
