"""The intervals of a recording that a candidate was tried on, each with its verdict, as the repository has them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from otterflow.dbms.registry import dbms_named
from otterflow.errors import InvalidInput, Problem
from otterflow.experiment.arms import configurations, knobs_of
from otterflow.experiment.backfill import dag_of, experiment_name, recording_of
from otterflow.experiment.comparison import BASELINE, distinct
from otterflow.experiment.frozen import goal_by, goal_kept
from otterflow.experiment.interval import IntervalVerdict, interval_verdict
from otterflow.experiment.typed import spec_of
from otterflow.repository import Found

if TYPE_CHECKING:
    from otterflow.measures.goal import Goal
    from otterflow.repository import Experiment, Glimpse, GoalFiles, Measurement, RecordingRecord, Repository

_NOTHING = Found({}, {})


def interval_of(
    experiment: Experiment, measurements: Sequence[Measurement], recording: RecordingRecord, candidate: str
) -> IntervalVerdict:
    """What the experiment, by its `measurements`, says of the candidate, an arm's name.

    One without a result says why it has none.
    """
    found = Found(experiment.baseline or {}, experiment.live)
    return _interval(experiment, measurements, recording, candidate, lambda: goal_kept(experiment), found)


def _interval(
    experiment: Experiment | Glimpse,
    measurements: Sequence[Measurement],
    recording: RecordingRecord,
    candidate: str,
    goal: Callable[[], Goal],
    found: Found,
) -> IntervalVerdict:
    """`interval_of` by the experiment's goal, asked for where something was measured, and what the target had."""
    known: dict[str, Any] = {
        "recording": recording.id,
        "start": recording.start,
        "end": recording.end,
        "experiment": experiment.name,
        "candidate": candidate,
        "incomplete": "; ".join(recording.manifest.get("missing", ())),
    }
    if not experiment.has_result:
        why_not = f"its experiment is {experiment.state}: {experiment.message or 'its runs say why'}"
        return IntervalVerdict(**known, why_not=why_not)
    measured_as = _measured_as(experiment, measurements, candidate, found)
    if measured_as == BASELINE:
        why_not = "the candidate is what it was to be compared with, so nothing was measured"
        return IntervalVerdict(**known, why_not=why_not)
    verdict = interval_verdict(measurements, goal(), measured_as=measured_as, **known)
    return replace(verdict, worst_class=_with_text(verdict.worst_class, recording))


def _measured_as(
    experiment: Experiment | Glimpse, measurements: Sequence[Measurement], candidate: str, found: Found
) -> str:
    """The arm that was measured for the candidate: of several with the same configuration the first."""
    if _is_measured(candidate, measurements):
        return candidate
    given, dbms = spec_of(experiment).arms, dbms_named(experiment.dbms)
    live = {knob: dbms.settings.from_row(found.live[knob]) for knob in knobs_of(given)}
    return distinct(configurations(given, found.baseline, live, dbms.spelling))[candidate]


def _is_measured(candidate: str, measurements: Sequence[Measurement]) -> bool:
    return any(measurement.arm == candidate for measurement in measurements)


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
    by_recording = _by_recording(repository.headlines(experiment_name(name), of))
    tried = [
        (recording, by_recording[recording.id])
        for recording in repository.recordings(name)
        if (begin is None or recording.start >= begin) and (end is None or recording.start < end)
        if recording.id in by_recording
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
    return _judged(repository, counting)


def _judged(
    repository: Repository, counting: Mapping[str, Sequence[tuple[Glimpse, RecordingRecord]]]
) -> dict[str, list[IntervalVerdict]]:
    """By candidate the verdicts of the experiments that count for it, each with its recording."""
    experiments = {newest.name: newest for pairs in counting.values() for newest, _ in pairs}
    measured = repository.measurements_of(experiments)
    goals = _Goals(repository.goal_files_of([name for name, newest in experiments.items() if newest.has_result]))
    unmeasured = {
        newest.name: newest
        for arm, pairs in counting.items()
        for newest, _ in pairs
        if newest.has_result and not _is_measured(arm, measured[newest.name])
    }
    knobs = {knob for experiment in unmeasured.values() for knob in knobs_of(spec_of(experiment).arms)}
    found = repository.found_of(unmeasured, knobs)
    return {
        arm: [
            _interval(
                newest,
                measured[newest.name],
                recording,
                arm,
                partial(goals.of, newest),
                found.get(newest.name, _NOTHING),
            )
            for newest, recording in pairs
        ]
        for arm, pairs in counting.items()
    }


class _Goals:
    """What experiments tuned for, by their files; those with the same files and the same words for it share a goal."""

    def __init__(self, files: Mapping[str, GoalFiles]) -> None:
        self._files = files
        self._made: dict[tuple[Any, ...], Goal] = {}

    def of(self, experiment: Glimpse) -> Goal:
        """That of an experiment. Raises InvalidInput where this version cannot read what was kept."""
        spec, kept = spec_of(experiment), self._files.get(experiment.name)
        words = (id(kept), spec.objective, spec.direction, spec.constraints)
        if kept is None or words not in self._made:
            self._made[words] = goal_by(spec, kept, experiment.name)
        return self._made[words]


def _by_recording(experiments: Sequence[Glimpse]) -> dict[str, list[Glimpse]]:
    """Those of each recording, by its id, the oldest first."""
    numbered: dict[str, list[tuple[int, Glimpse]]] = {}
    for experiment in experiments:
        if (known := recording_of(experiment.name)) is not None:
            recording, number = known
            numbered.setdefault(recording, []).append((number, experiment))
    return {
        recording: [experiment for _, experiment in sorted(pairs, key=lambda pair: pair[0])]
        for recording, pairs in numbered.items()
    }


def _candidates(experiments: Sequence[Glimpse]) -> dict[str, dict[str, Any]]:
    """The arms beside the baseline, each with the configuration that it had last."""
    newest = sorted(experiments, key=lambda experiment: experiment.created_at)
    return {
        arm: dict(configuration)
        for experiment in newest
        for arm, configuration in spec_of(experiment).arms.items()
        if arm != BASELINE
    }


def _newest(own: Sequence[Glimpse], arm: str, configuration: dict[str, Any]) -> Glimpse | None:
    """The newest with a result for the arm, or without one where none has."""
    asked = [e for e in own if dict(spec_of(e).arms.get(arm, {})) == configuration]
    with_result = [experiment for experiment in asked if experiment.has_result]
    return next(reversed(with_result or asked), None)
