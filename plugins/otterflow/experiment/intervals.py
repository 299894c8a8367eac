"""The intervals of a recording that a candidate was tried on, each with its verdict, as the repository has them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from otterflow.dbms.registry import dbms_named
from otterflow.errors import InvalidInput, Problem
from otterflow.experiment.arms import configurations, knobs_of
from otterflow.experiment.backfill import dag_of, experiment_name, number_of
from otterflow.experiment.comparison import BASELINE, distinct
from otterflow.experiment.frozen import goal_kept
from otterflow.experiment.interval import IntervalVerdict, interval_verdict
from otterflow.experiment.typed import spec_of

if TYPE_CHECKING:
    from otterflow.repository import Experiment, Measurement, RecordingRecord, Repository


def interval_of(
    experiment: Experiment, measurements: Sequence[Measurement], recording: RecordingRecord, candidate: str
) -> IntervalVerdict:
    """What the experiment, by its `measurements`, says of the candidate, an arm's name.

    One without a result says why it has none.
    """
    known: dict[str, Any] = {
        "recording": recording.id,
        "start": recording.start,
        "end": recording.end,
        "experiment": experiment.name,
        "candidate": candidate,
    }
    if experiment.outcome is None:
        why_not = f"its experiment is {experiment.state}: {experiment.message or 'its runs say why'}"
        return IntervalVerdict(**known, why_not=why_not)
    given, dbms = spec_of(experiment).arms, dbms_named(experiment.dbms)
    live = {knob: dbms.settings.from_row(experiment.live[knob]) for knob in knobs_of(given)}
    arms = configurations(given, experiment.baseline or {}, live, dbms.spelling)
    measured_as = distinct(arms)[candidate]
    if measured_as == BASELINE:
        why_not = "the candidate is what it was to be compared with, so nothing was measured"
        return IntervalVerdict(**known, why_not=why_not)
    verdict = interval_verdict(measurements, goal_kept(experiment), measured_as=measured_as, **known)
    return replace(verdict, worst_class=_with_text(verdict.worst_class, recording))


def _with_text(worst: dict[str, Any] | None, recording: RecordingRecord) -> dict[str, Any] | None:
    """The class with its normalised text, where the recording's manifest shows it."""
    if worst is None:
        return None
    texts = {each["class"]: each["text"] for each in recording.manifest.get("classes", ())}
    return worst | {"text": texts[worst["class"]]} if worst["class"] in texts else worst


def intervals_of(
    repository: Repository,
    name: str,
    begin: datetime | None,
    end: datetime | None,
    candidate: str = "",
    *,
    of: Collection[str] | None = None,
) -> dict[str, list[IntervalVerdict]]:
    """By candidate the intervals of recording `name` that begin from `begin` until before `end`, in the order of time.

    Of an interval that was tried more than once the newest result counts. A candidate's name stands for the
    configuration that it had last: results of another one by the same name are left out. With `of`, experiments of
    these Dags alone count. Raises InvalidInput where nothing was tried, or not that candidate.
    """
    experiments = repository.experiments(begins=experiment_name(name), of=of)
    tried = [
        (recording, own)
        for recording in repository.recordings(name)
        if (begin is None or recording.start >= begin) and (end is None or recording.start < end)
        if (own := _experiments(experiments, recording.id))
    ]
    if not tried:
        advice = f"run a backfill of {dag_of(name)} over it first"
        raise InvalidInput(Problem("recording", f"no interval of {name!r} in that time was replayed", advice))
    candidates = _candidates([experiment for _, own in tried for experiment in own])
    if candidate and candidate not in candidates:
        advice = f"tried were {', '.join(candidates)}"
        raise InvalidInput(Problem("candidate", f"{candidate!r} was not tried in that time", advice))
    counting = {
        arm: [
            (newest, recording) for recording, own in tried if (newest := _newest(own, arm, configuration)) is not None
        ]
        for arm, configuration in candidates.items()
        if arm == candidate or not candidate
    }
    measured = repository.measurements_of({newest.name for pairs in counting.values() for newest, _ in pairs})
    return {
        arm: [interval_of(newest, measured[newest.name], recording, arm) for newest, recording in pairs]
        for arm, pairs in counting.items()
    }


def _experiments(experiments: Sequence[Experiment], recording: str) -> list[Experiment]:
    """Those of a recording, the oldest first."""
    numbered = [(number, e) for e in experiments if (number := number_of(e.name, recording)) is not None]
    return [experiment for _, experiment in sorted(numbered, key=lambda pair: pair[0])]


def _candidates(experiments: Sequence[Experiment]) -> dict[str, dict[str, Any]]:
    """The arms beside the baseline, each with the configuration that it had last."""
    newest = sorted(experiments, key=lambda experiment: experiment.created_at)
    return {
        arm: dict(configuration)
        for experiment in newest
        for arm, configuration in spec_of(experiment).arms.items()
        if arm != BASELINE
    }


def _newest(own: Sequence[Experiment], arm: str, configuration: dict[str, Any]) -> Experiment | None:
    """The newest with a result for the arm, or without one where none has."""
    asked = [e for e in own if dict(spec_of(e).arms.get(arm, {})) == configuration]
    with_result = [experiment for experiment in asked if experiment.outcome is not None]
    return next(reversed(with_result or asked), None)
