"""Which recording an experiment's load is of: the benchmark's file names it, or else the form does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from otterflow.errors import InvalidInput, Problem
from otterflow.workloads.replay.settings import RecordedLoad

if TYPE_CHECKING:
    from otterflow.repository import RecordingRecord
    from otterflow.workloads.definition import Benchmark


class Recordings(Protocol):
    """What knows of recordings; the repository does."""

    def recording(self, recording_id: str) -> RecordingRecord:
        """The recording of that id. Raises InvalidInput where there is none."""


def with_recording(benchmark: Benchmark, given: str | None, recordings: Recordings | None) -> Benchmark:
    """The benchmark with the recording's folder in it; `given` is the form's id or absolute path.

    Raises InvalidInput where one is given and none is needed, or the other way round, and for an id that is unknown.
    """
    workload = benchmark.workload
    if not isinstance(workload, RecordedLoad):
        return _without(benchmark, given, "replays none")
    if workload.recording is not None:
        return _without(benchmark, given, f"replays {workload.recording}, which its file names")
    if given is None:
        found = f"none is given, and benchmark {benchmark.name!r} replays one"
        raise InvalidInput(Problem("recording", found, "give a recording's id, or its folder on the driver host"))
    return benchmark.with_recording(given if given.startswith("/") else _folder(given, recordings))


def _without(benchmark: Benchmark, given: str | None, why: str) -> Benchmark:
    if given is not None:
        found = f"{given!r} is given, and benchmark {benchmark.name!r} {why}"
        raise InvalidInput(Problem("recording", found, "leave it empty, or choose another benchmark"))
    return benchmark


def _folder(recording_id: str, recordings: Recordings | None) -> str:
    if recordings is None:
        found = f"{recording_id!r} is looked up in the repository, which is not asked here"
        raise InvalidInput(Problem("recording", found, "give its folder on the driver host"))
    record = recordings.recording(recording_id)
    if record.removed_at is not None:
        found = f"{recording_id!r} was removed on {record.removed_at:%Y-%m-%d}"
        raise InvalidInput(Problem("recording", found, "choose one that is there"))
    return record.path
