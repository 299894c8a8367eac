"""A job on the host that outlives the connection and the task that started it, and is never started twice.

Its id is deterministic and comes from the caller. A task that was restarted calls `start_or_attach` again with the same
id and goes on waiting where it was. See `job_commands` for what the host sees.
"""

from __future__ import annotations

import codecs
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType

from otterflow.errors import CommandFailed, CommandTimedOut, ConnectionFault
from otterflow.remote.job_commands import (
    KILL_GRACE_S,
    LOCK_WAIT_S,
    JobPaths,
    JobState,
    Poll,
    cleanup_command,
    fetch_command,
    kill_command,
    parse_fetch,
    parse_poll,
    parse_seconds,
    poll_command,
    seconds_command,
    start_command,
    start_input,
)
from otterflow.remote.session import Session

__all__ = ["JobEnd", "JobPaths", "JobState", "RemoteJob"]

log = logging.getLogger(__name__)

STEP_TIMEOUT_S = 60.0
LOG_TAIL_CHARACTERS = 4000


@dataclass(frozen=True)
class JobEnd:
    """How a job ended. `exit_code` is None unless `state` is finished; `log_tail` is the end of its output."""

    state: JobState
    exit_code: int | None
    log_tail: str

    @property
    def ok(self) -> bool:
        """Finished with exit code 0."""
        return self.state is JobState.finished and self.exit_code == 0

    def __str__(self) -> str:
        """How it ended, as the end of a sentence that begins with the job's name."""
        if self.state is JobState.finished:
            return f"ended with exit code {self.exit_code}"
        if self.state is JobState.lost:
            return (
                "is gone and left no exit code: the host was restarted, its processes were killed, or the disk was full"
            )
        return f"is {self.state}"


class RemoteJob:
    """One job, by its paths. `session_factory` is called when a connection is needed first.

    Use as a context manager, or call `close`; that closes the connection and leaves the job running.
    """

    def __init__(self, session_factory: Callable[[], Session], paths: JobPaths) -> None:
        self._session_factory = session_factory
        self._session: Session | None = None
        self.paths = paths

    def __enter__(self) -> RemoteJob:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection. The job is not touched."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def start_or_attach(self, script: str, files: Mapping[str, str | bytes], timeout_s: float) -> bool:
        """Start `script` (bash, working folder with `files`) under a total limit; True if started, False if it was.

        `files` is file name to content, written with mode 600; secrets belong there and not into the script's words.
        A job of this id that exists, running or over, is attached to; `script` and `files` are then not looked at.
        """
        done = self._run(
            start_command(self.paths, timeout_s), "starting", LOCK_WAIT_S + STEP_TIMEOUT_S, start_input(script, files)
        )
        started = done.strip() == "started"
        log.info("Job %s: %s on %s", self.paths.job_id, done.strip(), self._connected().host)
        return started

    def poll(self, log_offset: int = 0, wait_s: float = 0) -> Poll:
        """State, exit code and new log bytes in one round trip, after the job's end or `wait_s` seconds."""
        command = poll_command(self.paths, log_offset, wait_s)
        return parse_poll(self._run(command, "polling", STEP_TIMEOUT_S + wait_s))

    def wait(
        self,
        on_output: Callable[[str], None],
        *,
        poll_s: float = 0.5,
        max_poll_s: float = 3.0,
        give_up_s: float = 600.0,
        on_look: Callable[[], None] | None = None,
    ) -> JobEnd:
        """Wait for the job's end, handing its output on as it comes, whole lines at a time, from the log's start.

        Output comes after `poll_s` seconds, then ever more slowly up to every `max_poll_s`; the end is seen at once. A
        lost connection is opened again with back-off for `give_up_s` seconds without a success, then ConnectionFault is
        raised; the job runs on meanwhile. Raises AccessRefused at once. A lost or absent job is returned as such.
        `on_look` is called after each look at a running job; what it raises ends the waiting.
        """
        output = _Lines(on_output)
        offset, wait_s, behind = 0, poll_s, False
        while True:
            poll = self._patient_poll(offset, 0 if behind else wait_s, give_up_s)
            offset += len(poll.log)
            output.add(poll.log)
            behind = bool(poll.log) and offset < poll.log_size
            if poll.state is not JobState.running and not behind:
                output.finish()
                return JobEnd(poll.state, poll.exit_code, output.tail)
            if not behind:
                if on_look is not None:
                    on_look()
                wait_s = min(wait_s * 1.3, max_poll_s)

    def seconds(self) -> float | None:
        """How long the ended job took by its host's clock, whoever waited for it; None where that cannot be told."""
        return parse_seconds(self._run(seconds_command(self.paths), "timing", STEP_TIMEOUT_S))

    def fetch(self, names: Sequence[str], *, max_bytes: int = 8 * 2**20) -> dict[str, str]:
        """Texts of the named files in the script's working folder; one that does not exist is left out.

        Raises CommandFailed for a file larger than `max_bytes`, or when the job is absent.
        """
        text = self._run(fetch_command(self.paths, names, max_bytes), "fetching files of", STEP_TIMEOUT_S * 2)
        return parse_fetch(text)

    def kill(self) -> bool:
        """End the job and all processes of its session, TERM then KILL. True if it was running."""
        return self._run(kill_command(self.paths), "killing", LOCK_WAIT_S + KILL_GRACE_S + 30).strip() == "killed"

    def cleanup(self) -> None:
        """Remove the job's folder. Raises CommandFailed while the job is running."""
        self._run(cleanup_command(self.paths), "cleaning up", LOCK_WAIT_S + STEP_TIMEOUT_S)

    def _patient_poll(self, offset: int, wait_s: float, give_up_s: float) -> Poll:
        deadline = time.monotonic() + give_up_s
        pause_s = 1.0
        while True:
            try:
                return self.poll(offset, wait_s)
            except (ConnectionFault, CommandTimedOut) as error:
                if time.monotonic() + pause_s > deadline:
                    raise
                log.warning("Job %s: %s; trying again in %.0f s", self.paths.job_id, error, pause_s)
                time.sleep(pause_s)
                pause_s = min(pause_s * 2, 30.0)

    def _connected(self) -> Session:
        if self._session is None:
            self._session = self._session_factory()
        return self._session

    def _run(self, command: str, verb: str, timeout_s: float, stdin: str | None = None) -> str:
        what = f"{verb} job {self.paths.job_id}"
        done = self._connected().run(command, what=what, timeout_s=timeout_s, stdin=stdin)
        if done.truncated:
            raise CommandFailed(what, 27, "the answer is larger than can be held; ask for fewer or smaller files")
        return done.stdout


class _Lines:
    """Bytes in, whole lines out; keeps the end for error messages."""

    def __init__(self, on_output: Callable[[str], None]) -> None:
        self._on_output = on_output
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._partial = ""
        self.tail = ""

    def add(self, data: bytes) -> None:
        self._take(self._decoder.decode(data))

    def finish(self) -> None:
        self._take(self._decoder.decode(b"", final=True))
        if self._partial:
            self._on_output(self._partial)
            self._partial = ""

    def _take(self, text: str) -> None:
        self.tail = (self.tail + text)[-LOG_TAIL_CHARACTERS:]
        *lines, self._partial = (self._partial + text).split("\n")
        for line in lines:
            self._on_output(line)
