"""Recording: the jobs on the source's host, and the way of what they make to the host where it is replayed."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from otterflow.dbms.base import Capture
from otterflow.dbms.capture_block import CAPTURED_FILE
from otterflow.dbms.registry import dbms_named
from otterflow.errors import ConnectionFault, MachineryFault
from otterflow.hosts.jobs import Jobs
from otterflow.hosts.kept_recordings import KEEP_FREE_BYTES, KeptRecordings
from otterflow.remote.script import JobScript
from otterflow.remote.shell import quote
from otterflow.workloads.recording.manifest import MANIFEST_FILE, Manifest, read_manifest
from otterflow.workloads.recording.shipping import recorder_archive

if TYPE_CHECKING:
    from otterflow.dbms.values import Captured
    from otterflow.hosts.host import Host
    from otterflow.hosts.jobs import OnJob
    from otterflow.workloads.recording.definition import RecordingDefinition

log = logging.getLogger(__name__)

RECORDER, CAPTURE, PUT_BACK = "recorder", "capture", "put_back"
ON_SAID, ON_WITHIN_S = "logging of statements is on", 60.0
LONGEST_S = 6 * 3600.0
WRITES_WITHIN_S, LOOK_EVERY_S = 2 * 3600.0, 3.0
"""How long a job whose window is over may write what it has logged."""


@dataclass(frozen=True)
class RecordingPlan:
    """What one run records, as its first task found it; the tasks behind it are handed this as JSON.

    `settings` are those of a window, empty for `server_log`; `log` is how the log is read, in the DBMS's own words.
    `clock_ahead_s` is by how much the source's clock is ahead of the one that decides when runs begin.
    """

    recording: str
    start: str
    end: str
    method: str
    share: float
    log: dict[str, Any]
    settings: dict[str, str]
    clock_ahead_s: float

    def record(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)


class Recordings:
    """One definition's source and driver host. `on_job` is told of each remote job ahead of its start."""

    def __init__(
        self, definition: RecordingDefinition, source: Host, replay: Host, on_job: OnJob = lambda _: None
    ) -> None:
        self.definition, self.source, self.replay, self._on_job = definition, source, replay, on_job

    @property
    def capture(self) -> Capture:
        """How the source's DBMS tells its load."""
        return dbms_named(self.source.target.dbms).capture

    @property
    def kept(self) -> KeptRecordings:
        """The recordings on the driver host."""
        return KeptRecordings(self.replay.driver_session, self.definition.dir)

    def jobs(self, recording: str) -> Jobs:
        """The jobs on the source's host that belong to a recording."""
        return Jobs(self.source, f"record.{recording}", self._on_job)

    def begin_capture(self, plan: RecordingPlan) -> None:
        """Have the source log its load from now on; the job on its host ends that by itself.

        Raises MachineryFault, with what the job said, where the settings do not come into force.
        """
        self._remove_logs()
        end = self.jobs(plan.recording).begin(CAPTURE, self._capture_job(plan), until=ON_SAID, within_s=ON_WITHIN_S)
        if end is not None and not end.ok:
            raise MachineryFault(f"logging was not switched on, and all is as it was; {end}:\n{end.log_tail}")

    def end_capture(self, plan: RecordingPlan) -> Captured:
        """Wait for the end of the window, which is near; from when until when the source told its load."""
        jobs = Jobs(self.source, f"record.{plan.recording}")  # the job does not end with the task: it puts back
        if not jobs.exists(CAPTURE):
            raise MachineryFault("the job that switched logging on is gone from the source's host, with what it knew")
        done = jobs.run(CAPTURE, self._capture_job(plan))
        captured = self.capture.read_capture(done.results)
        if captured is None or captured.off_s is None:
            raise MachineryFault(f"the window was not kept to its end: its job {done.end}:\n{done.end.log_tail}")
        return captured

    def put_back(self, recording: str) -> None:
        """End the window if it is still open, and see that the source's settings are as they were.

        A log that the window's job has made is left to be read; while it is written, that is waited for.
        """
        jobs = self.jobs(recording)
        self._await_writing(jobs)
        has_log = self.capture.OWN_LOG and jobs.succeeded(CAPTURE)
        jobs.kill()
        jobs.clean(PUT_BACK)
        job = self.capture.put_back_job(self.source.target, self._maintenance_access, recording)
        done = jobs.run(PUT_BACK, job)
        if not done.end.ok:
            raise MachineryFault(
                f"the source's settings could not be put back ({done.end}): {done.end.log_tail}; clear this task, or "
                f"in {self.source.target.knobs_file} {self.capture.BY_HAND}"
            )
        jobs.clean(PUT_BACK if has_log else "")

    def _await_writing(self, jobs: Jobs) -> None:
        """Let a job whose window is over end by itself: what it has logged is lost with it."""
        deadline = time.monotonic() + WRITES_WITHIN_S
        while time.monotonic() < deadline:
            captured = self.capture.read_capture(jobs.left_so_far(CAPTURE, (CAPTURED_FILE,)) or {})
            if captured is None or captured.off_s is None:
                return
            log.info("the window is over; its job puts back what was, and writes what was logged")
            time.sleep(LOOK_EVERY_S)
        log.warning("the window's job has not ended within %g s, and is killed", WRITES_WITHIN_S)

    def record(self, plan: RecordingPlan, captured: Mapping[str, Any] | None) -> Manifest:
        """Make the recording on the source's host and bring it to the driver host; what is there already stays.

        `captured` is `Captured` as a mapping where a window was opened: that is the interval then.
        """
        recording = plan.recording
        folder = self.kept.path(recording) if self._is_one_host else f"{self._own_folder}/{recording}"
        manifest = self.kept.manifest(recording)
        if manifest is not None:
            log.info("recording %s is there already, whole", recording)
        else:
            manifest = self._make(plan, captured, folder)
        if not self._is_one_host:
            self._bring(recording, folder, manifest)
        self.jobs(recording).clean()
        return manifest

    def _bring(self, recording: str, folder: str, manifest: Manifest) -> None:
        """Have the recording on the driver host, and nothing of it on the source's any more."""
        try:
            if self.kept.manifest(recording) is None:
                log.info("%s bytes go to the driver host", f"{manifest.bytes:,}")
                self.kept.receive(recording, self.source.session, folder, manifest)
        except ConnectionFault:
            raise
        except MachineryFault:  # whoever clears the task is to begin anew
            self.jobs(recording).clean(RECORDER)
            self._remove_made(folder)
            raise
        self._remove_made(folder)

    def _remove_made(self, folder: str) -> None:
        self.source.session.run(f"rm -rf -- {quote(folder)}", what=f"removing {folder}", timeout_s=300)

    def _make(self, plan: RecordingPlan, captured: Mapping[str, Any] | None, folder: str) -> Manifest:
        start, end, missing = plan.start, plan.end, []
        if captured is not None:
            missing = [f"the window ended early: {captured['because']}"] if captured["because"] else []
            start, end = (datetime.fromtimestamp(captured[at], UTC).isoformat() for at in ("on_s", "off_s"))
        origin = {
            "source": self.definition.source, "dbms": self.source.target.dbms, "database": self.definition.database,
            "start": start, "end": end, "method": plan.method, "share": plan.share,
        }  # fmt: skip
        settings = {
            "reader": self.capture.READER, "log": self._log(plan), "origin": origin, "folder": folder,
            "max_bytes": self.definition.max_size, "keep_free_bytes": KEEP_FREE_BYTES, "missing": missing,
        }  # fmt: skip
        files: dict[str, str | bytes] = {
            "recorder.zip": recorder_archive(self.capture.ROOMS),
            "settings.json": json.dumps(settings),
        }
        script = "exec nice -n 19 python3 recorder.zip settings.json\n"  # the source has users
        jobs = self.jobs(plan.recording)
        done = jobs.run(RECORDER, JobScript(script, files, LONGEST_S, results=(MANIFEST_FILE,)))
        if not done.end.ok:
            jobs.clean(RECORDER)
            raise MachineryFault(f"the recorder on {self.source.session.host} {done.end}:\n{done.end.log_tail}")
        return read_manifest(done.results[MANIFEST_FILE])

    def _log(self, plan: RecordingPlan) -> dict[str, Any]:
        """How the log is read, with the whole paths of its files."""
        if not self.capture.OWN_LOG:
            return plan.log
        folder = self.jobs(plan.recording).folder(CAPTURE)
        return plan.log | {"patterns": [f"{folder}/{name}" for name in plan.log["patterns"]]}

    def _remove_logs(self) -> None:
        """Remove what windows of this file have logged of which no recording was made, two days after they began."""
        if not self.capture.OWN_LOG:
            return
        jobs = quote(f"{self.source.target.work_dir.rstrip('/')}/jobs")
        name = quote(f"record.{self.definition.name}-*.{CAPTURE}")
        command = f"""if [ -d {jobs} ]; then
  find {jobs} -maxdepth 1 -type d -name {name} -mmin +2880 -exec rm -rf -- {{}} +
fi"""
        self.source.session.run(command, what="removing what was not recorded", timeout_s=300, check=False)

    def _capture_job(self, plan: RecordingPlan) -> JobScript:
        end = datetime.fromisoformat(plan.end)
        budget = self.definition.budget
        return self.capture.capture_job(
            self.source.target, self._maintenance_access, plan.settings, plan.log["patterns"],
            recording=plan.recording, end=datetime.fromtimestamp(end.timestamp() + plan.clock_ahead_s, UTC),
            longest_s=self.definition.length.total_seconds(), max_log_bytes=budget.log_size,
            keep_free_bytes=KEEP_FREE_BYTES,
        )  # fmt: skip

    @property
    def _maintenance_access(self) -> Any:
        """The server as its own host sees it, in another database than the one that is recorded."""
        client = dbms_named(self.source.target.dbms).client
        return self.source.local_access.to(client.MAINTENANCE_DATABASE)

    @property
    def _own_folder(self) -> str:
        return f"{self.source.target.work_dir.rstrip('/')}/recordings"

    @property
    def _is_one_host(self) -> bool:
        """Whether source and driver host are one account of one machine."""
        target = self.replay.target
        return (target.driver_ssh_conn_id or target.ssh_conn_id) == self.source.target.ssh_conn_id
