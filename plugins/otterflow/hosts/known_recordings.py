"""What the repository knows of the recordings on a driver host, and which of those are removed."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from otterflow.errors import MachineryFault
from otterflow.workloads.recording.retention import to_remove

if TYPE_CHECKING:
    from otterflow.hosts.record import RecordingPlan, Recordings
    from otterflow.repository import Repository

log = logging.getLogger(__name__)

CLOCK_TOLD_S = 1.0


def make_known(at: Recordings, plan: RecordingPlan, repository: Repository) -> None:
    """Have the repository know the recording, as its manifest on the driver host says it.

    Statement texts, which are without constants, are left out where the source's file asks for that.
    """
    manifest = at.kept.manifest(plan.recording)
    if manifest is None:
        raise MachineryFault(f"recording {plan.recording} is gone from {at.definition.dir}; clear the task `record`")
    said: dict[str, Any] = json.loads(manifest.to_json())
    if not at.source.target.keep_statement_texts:
        said["classes"] = [{**each, "text": ""} for each in said["classes"]]
    if abs(plan.clock_ahead_s) >= CLOCK_TOLD_S:
        said["clock_ahead_s"] = plan.clock_ahead_s
    repository.add_recording(
        plan.recording, name=at.definition.name, target=at.definition.replay_on, path=at.kept.path(plan.recording),
        start=manifest.origin.start, end=manifest.origin.end, manifest=said,
    )  # fmt: skip


def apply_retention(at: Recordings, repository: Repository) -> None:
    """Remove what the file's retention does not keep, and forget what somebody else has removed."""
    definition = at.definition
    at.kept.remove_leftovers(definition.name)
    kept = at.kept.kept(definition.name)
    if kept is None:
        return
    known = [r for r in repository.recordings(definition.name) if r.target == definition.replay_on]
    used = in_use(repository)
    removed = {each.id for each in to_remove(kept, definition.retention, datetime.now(UTC), used)}
    for recording in sorted(removed):
        at.kept.remove(recording)
        log.info("recording %s is removed: older than %d days, or too much with the newer ones",
                 recording, definition.retention.days)  # fmt: skip
    there = {each.id for each in kept} - removed
    for record in known:
        if record.removed_at is None and record.id not in there and record.path == at.kept.path(record.id):
            repository.remove_recording(record.id)


def in_use(repository: Repository) -> set[str]:
    """The recordings that an experiment replays which has not ended: by its form, or by its benchmark's file."""
    used = set()
    for experiment in repository.experiments():
        if experiment.state.ended:
            continue
        workload = experiment.files.benchmark.get("workload", {}) if experiment.files else {}
        for named in (experiment.spec.get("recording"), workload.get("recording")):
            if isinstance(named, str) and named:
                used.add(named.rstrip("/").rpartition("/")[2])
    return used
