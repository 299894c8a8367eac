"""What happens next in an experiment: another trial, of which kind, or the end; and what the tuner is told.

Pure functions over the repository's records, so that the loop's decisions are tested without Airflow or a host.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from otterflow.experiment import ExperimentSpec
from otterflow.knobs.live import LiveSetting
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
    """What the tuner learns from: ended trials, by what was in force, drift taken out, tuned knobs only."""
    from otterflow.tuner import Trial as TunerTrial

    ended = [t for t in trials if t.state not in ("planned", "running")]
    names = [record["name"] for record in experiment.space]
    scores = corrected_scores(ended, objective)
    return [
        TunerTrial(config=_only(names, t.in_force or t.wanted), value=score if t.state == "ok" else None, state=t.state)
        for t, score in zip(ended, scores, strict=True)
    ]


def _only(names: Sequence[str], config: dict[str, Any]) -> dict[str, Any]:
    return {name: config[name] for name in names}
