"""Whether an experiment can be asked to end, by how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otterflow.errors import Problem

if TYPE_CHECKING:
    from otterflow.repository import Experiment


def can_still_finish(experiment: Experiment) -> bool:
    """Whether it failed on the way (knobs that were not in force), so that it has trials but no outcome."""
    return experiment.state == "failed" and experiment.baseline is not None


def stop_problem(experiment: Experiment, *, finish_now: bool) -> Problem | None:
    """Why there is nothing to stop, and what to do instead; None where there is."""
    if not experiment.state.ended or (finish_now and can_still_finish(experiment)):
        return None
    advice = "only an experiment that is under way can be stopped"
    if can_still_finish(experiment):
        advice = "tick 'Finish now' to compare what it has measured and leave the best in force, or resume it"
    return Problem("experiment", f"{experiment.name!r} is {experiment.state} already", advice)
