"""What happens next in an experiment: another trial, of which kind, or the end; and what the tuner is told.

Pure functions over the repository's records, so that the loop's decisions are tested without Airflow or a host.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from otterflow.experiment import ExperimentSpec
from otterflow.knobs.live import LiveSetting
from otterflow.knobs.space import KnobSpace
from otterflow.workloads.objective import Objective

if TYPE_CHECKING:
    from otterflow.repository import Experiment, Trial
    from otterflow.tuner import Trial as TunerTrial


def live_settings_of(experiment: Experiment) -> dict[str, LiveSetting]:
    """The server's settings as `check_target` found them."""
    return {name: LiveSetting.from_row(row) for name, row in experiment.live.items()}


def reason_to_finish(experiment: Experiment, iterations_done: int, now: datetime) -> str | None:
    """Why no further trial should be made, or None to go on."""
    if experiment.stop_requested:
        return "a stop was requested"
    spec = ExperimentSpec.from_params(experiment.spec)
    if iterations_done >= spec.iterations:
        return f"all {spec.iterations} iterations are done"
    if spec.time_budget_min is not None and experiment.started_at is not None:
        minutes = (now - experiment.started_at).total_seconds() / 60
        if minutes >= spec.time_budget_min:
            return f"the time budget of {spec.time_budget_min:g} minutes is spent ({minutes:.1f})"
    return None


def reference_due(spec: ExperimentSpec, iteration: int) -> bool:
    """Whether this iteration measures a known configuration again rather than trying a new one."""
    return spec.reference_every > 0 and iteration > 0 and iteration % spec.reference_every == 0


def reference_is_baseline(spec: ExperimentSpec, iteration: int) -> bool:
    """Reference trials measure the baseline and the incumbent in turns, the baseline first."""
    return (iteration // spec.reference_every) % 2 == 1


def corrected_scores(trials: Sequence[Trial], objective: Objective) -> list[float | None]:
    """Each trial's score (larger is better, logarithmic) with the machine's drift taken out; None where none."""
    from otterflow.tuner.drift import Measured, relative

    measured = [
        Measured(
            config=trial.in_force or trial.wanted,
            value=trial.objective if trial.state == "ok" else None,
            state=trial.state,
            reference=trial.kind in ("baseline", "reference"),
        )
        for trial in trials
    ]
    return [None if value is None else objective.score(value) for value in relative(measured)]


def history(experiment: Experiment, trials: Sequence[Trial], objective: Objective) -> list[TunerTrial]:
    """What the tuner learns from: ended trials, by what was in force, drift taken out, tuned knobs only.

    A configuration that the space has no words for (a value that only the server's file could hold) is left out.
    """
    from otterflow.tuner import Trial as TunerTrial
    from otterflow.tuner.trial import config_problems

    space = KnobSpace.from_records(experiment.space)
    ended = [t for t in trials if t.state.ended]
    told = []
    for trial, score in zip(ended, corrected_scores(ended, objective), strict=True):
        known = trial.in_force or trial.wanted
        config = {name: known[name] for name in space.names if name in known}
        if not config_problems("config", space, config):
            told.append(TunerTrial(config=config, value=score, state=trial.state.value))
    return told
