"""What happens next in an experiment: another trial, of which kind, or the end; and what the tuner is told.

Pure functions over the repository's records, so that the loop's decisions are tested without Airflow or a host.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from otterflow.errors import TEACHES_NOTHING as TEACHES_NOTHING
from otterflow.experiment.spec import ExperimentSpec
from otterflow.experiment.typed import space_of, spec_of
from otterflow.experiment.window import Needs, needs, reason_to_close
from otterflow.measures.goal import Goal
from otterflow.measures.objective import Directed
from otterflow.measures.scale import Scale

if TYPE_CHECKING:
    from otterflow.repository import Experiment, Trial
    from otterflow.tuner import Trial as TunerTrial

BROKEN = -1.0
"""The slack of a constraint that cannot be shown to hold."""
AT_BEST = "at_best"
"""Key among a trial's reasons: the best value that it could still have had when it was ended early."""

OUTLOOK = "outlook"
"""The key of a trial's reasons under which what was left to gain after it is recorded."""

LITTLE_LEFT = "is still to be gained"
"""What the reason to finish says where the search has little left to find."""

METRICS_LEFT_OUT = "metrics_left_out"
"""The key of a trial's reasons under which it says why it has no counters."""

SENT_HOME = "sent_home"
"""The key of an ablation trial's reasons under which are the knobs that it has back at the baseline's values; none
where it measures the best of the search again."""

SEARCH_ENDED = "search_ended"
"""The key of a trial's reasons under which it says why no trial of the search follows it."""

NO_FURTHER = "no_further_trial"
"""The key of a trial's reasons under which it says why no trial at all follows it; None where one does."""

REMARKS = "remarks"
"""The key of a trial's reasons under which are sentences on what speaks against its numbers."""


def split(trials: Sequence[Trial]) -> tuple[Sequence[Trial], Sequence[Trial]]:
    """The trials of the search, and those of the ablation that follows it.

    What an ablation measured before the search was resumed is the search's.
    """
    end = next((i + 1 for i in reversed(range(len(trials))) if trials[i].kind != "ablation"), 0)
    return trials[:end], trials[end:]


def iterations_of(trials: Sequence[Trial]) -> int:
    """How many of the trials count as iterations of the search."""
    return sum(trial.kind != "ablation" for trial in trials)


def reason_to_finish(
    experiment: Experiment,
    iterations_done: int,
    now: datetime,
    outlook: Mapping[str, Any] | None = None,
    needed: Needs | None = None,
) -> str | None:
    """Why the search should make no further trial, or None to go on.

    `outlook` is what the last trial left to be gained, `needed` what a trial and the finish take; without it a window
    is closed only by the clock. Of a time budget and of a window the ablation's share is left to it.
    """
    spec = spec_of(experiment)
    then = spec.most_ablation(iterations_done + 1)
    share = spec.ablation_percent / (100 + spec.ablation_percent) if spec.most_ablation(spec.iterations) else 0.0
    return (
        _stop_requested(experiment)
        or (f"all {spec.iterations} iterations are done" if iterations_done >= spec.iterations else None)
        or _time_spent(experiment, now, share)
        or _window_closes(spec, now, needed, then)
        or _little_left(spec, outlook or {})
    )


def reason_to_end_ablation(
    experiment: Experiment, iterations_done: int, made: int, now: datetime, needed: Needs | None = None
) -> str | None:
    """Why no further trial should send knobs home, or None to go on; `made` were made after the search."""
    spec = spec_of(experiment)
    most = spec.most_ablation(iterations_done)
    return (
        _stop_requested(experiment)
        or (f"{most} trials may do so ({spec.ablation_percent:g} % of {iterations_done})" if made >= most else None)
        or _time_spent(experiment, now)
        or _window_closes(spec, now, needed)
    )


def reason_to_end(experiment: Experiment, trials: Sequence[Trial], upcoming: int, now: datetime) -> str | None:
    """Why trial `upcoming` is not made: for what was said when it was planned, or holds since then; None to make it."""
    before = [trial for trial in trials if trial.iteration < upcoming]
    reasons = before[-1].reasons
    if reasons.get(NO_FURTHER):
        return str(reasons[NO_FURTHER])
    needed, done = needs(trials, spec_of(experiment).repeats), iterations_of(before)
    if not any(trial.kind == "ablation" for trial in trials if trial.iteration == upcoming):
        return reason_to_finish(experiment, done, now, reasons.get(OUTLOOK), needed)
    searched, made = split(before)
    why = reason_to_end_ablation(experiment, done, len(made), now, needed)
    ended = str(searched[-1].reasons.get(SEARCH_ENDED, ""))
    return no_further(ended, len(made), why) if why and made else why


def no_further(search_ended: str, made: int, why: str) -> str:
    """Why an experiment makes no further trial: what ended the search and, if trials sent knobs home, those."""
    return search_ended if not made else f"{search_ended}; then {made} trials sent knobs home: {why}"


def _stop_requested(experiment: Experiment) -> str | None:
    if not experiment.stop_requested:
        return None
    return f"a stop was requested: {experiment.stop_reason or 'no reason was given'}"


def _time_spent(experiment: Experiment, now: datetime, kept: float = 0.0) -> str | None:
    """Whether the time budget is spent, but for a share that is `kept`."""
    budget, minutes = spec_of(experiment).time_budget_min, experiment.ran_for_s(now) / 60
    if budget is None or minutes < budget * (1 - kept):
        return None
    rest = f", and {budget * kept:.1f} are kept for sending knobs home" if minutes < budget else ""
    return f"the time budget of {budget:g} minutes is spent ({minutes:.1f}{rest})"


def _window_closes(spec: ExperimentSpec, now: datetime, needed: Needs | None, then: int = 0) -> str | None:
    if spec.stop_at is None:
        return None
    return reason_to_close(now, spec.stop_at, needed or Needs(0.0, 0.0, 0.0), spec.final_rounds, spec.most_arms, then)


def _little_left(spec: ExperimentSpec, outlook: Mapping[str, Any]) -> str | None:
    """The stopping rule: less than `stop_below_percent` is left with a probability of `stop_confidence`."""
    if spec.stop_below_percent is None or outlook.get("below_percent") != spec.stop_below_percent:
        return None
    if outlook["probability_below"] < spec.stop_confidence:
        return None
    return (
        f"less than {spec.stop_below_percent:g} % {LITTLE_LEFT} with probability "
        f"{outlook['probability_below']:.2f} (stop_confidence {spec.stop_confidence:g}); "
        f"{outlook['expected_percent']:.1f} % is expected"
    )


def reason_to_give_up(trial: Trial) -> str | None:
    """Why an experiment cannot go on after this trial; None for any but a baseline that gave no number.

    Without one nothing can be said to be better than it, and what keeps the benchmark from running on the user's own
    configuration keeps it from running on any.
    """
    if trial.kind != "baseline" or not trial.state.ended or trial.state == "ok":
        return None
    return f"the baseline gave no number, so there is nothing to compare with: it {trial.state}: {trial.message}"


def reference_due(spec: ExperimentSpec, iteration: int) -> bool:
    """Whether this iteration measures a known configuration again rather than trying a new one."""
    return spec.reference_every > 0 and iteration > 0 and iteration % spec.reference_every == 0


def reference_is_baseline(spec: ExperimentSpec, iteration: int) -> bool:
    """Reference trials measure the baseline and the incumbent in turns, the baseline first."""
    return (iteration // spec.reference_every) % 2 == 1


def scoring(trials: Sequence[Trial], objective: Directed) -> tuple[Scale, list[float | None]]:
    """The scale of the trials' values, and each trial's score; None where it has none.

    On the logarithmic scale the machine's drift is taken out; see `otterflow.measures.scale` for the other.
    """
    from otterflow.measures.drift import Sample, relative

    values = [trial.objective if trial.state == "ok" else None for trial in trials]
    scale = Scale.of([value for value in values if value is not None], maximise=objective.maximise)
    if scale.logarithmic:
        values = relative(
            [
                Sample(
                    config=trial.in_force or trial.wanted,
                    value=value,
                    state=trial.state,
                    reference=trial.kind in ("baseline", "reference") or trial.reasons.get(SENT_HOME) == [],
                )
                for trial, value in zip(trials, values, strict=True)
            ]
        )
    return scale, [None if value is None else scale.score(value) for value in values]


def relative_gains(trials: Sequence[Trial], objective: Directed) -> list[float | None]:
    """Each trial's gain over the baseline, drift taken out (1.2: 20 % better); None where it has none."""
    scale, scores = scoring(trials, objective)
    first = next((score for trial, score in zip(trials, scores, strict=True) if trial.kind == "baseline"), None)
    return [None if score is None or first is None else 1.0 + scale.gain(score, first) for score in scores]


def history(experiment: Experiment, trials: Sequence[Trial], goal: Goal) -> list[TunerTrial]:
    """What the tuner learns from: ended trials, by what was in force, drift taken out, tuned knobs only.

    One that was ended early counts as what it would have given at best. Each says by how much it kept the constraints;
    one that the result lacks a number for counts as broken. A configuration that the space has no words for (a value
    that only the server's file could hold) is left out, and so is a trial in which there was nothing to measure.
    """
    return [told for _, told in history_with_trials(experiment, trials, goal)]


def history_with_trials(experiment: Experiment, trials: Sequence[Trial], goal: Goal) -> list[tuple[Trial, TunerTrial]]:
    """`history`, each beside the trial that it tells of."""
    from otterflow.tuner import Trial as TunerTrial
    from otterflow.tuner.trial import config_problems

    space = space_of(experiment)
    ended = [t for t in trials if t.state.ended and (t.objective is not None or not t.reasons.get(TEACHES_NOTHING))]
    told: list[tuple[Trial, TunerTrial]] = []
    counted = [_as_known(trial) for trial in ended]
    for trial, counts, score in zip(ended, counted, scoring(counted, goal.objective)[1], strict=True):
        known = trial.in_force or trial.wanted
        config = {name: known[name] for name in space.names if name in known}
        if not config_problems("config", space, config):
            kept = goal.slacks(trial.result) if score is not None and trial.result else ()
            slacks = tuple(BROKEN if slack is None else slack for slack in kept)
            told.append((trial, TunerTrial(config=config, value=score, state=counts.state.value, slacks=slacks)))
    return told


def _as_known(trial: Trial) -> Trial:
    """The trial as the model learns from it: one that was ended early counts as what it would have given at best.

    That is better than its value, and still so much worse than the best that the search stays away.
    """
    from otterflow.repository import TrialState

    at_best = trial.reasons.get(AT_BEST)
    return trial if at_best is None else replace(trial, state=TrialState.ok, objective=float(at_best))
