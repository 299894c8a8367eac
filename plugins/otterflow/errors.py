"""What can go wrong, as types, so that each task can tell a bad configuration from a fault of the machinery.

A `TrialFault` is the configuration's or the benchmark's doing: it ends the trial with a state and teaches the
tuner. A `MachineryFault` is nobody's lesson: it is retried or shown to the user. `InvalidInput` is the user's to
mend and is raised before anything on a host is touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TEACHES_NOTHING = "teaches_nothing"
"""The key among a failed trial's reasons that keeps the tuner from taking the fault for the configuration's."""


class OtterflowError(Exception):
    """The root of all errors that otterflow raises on purpose."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong: the field it is about, what was found, and what would be right or what to do."""

    field: str
    found: str
    advice: str

    def __str__(self) -> str:
        return f"{self.field}: {self.found}; {self.advice}"


class InvalidInput(OtterflowError):
    """Input that cannot be used. Carries all problems at once; each names its field."""

    def __init__(self, problems: Problem | Sequence[Problem]) -> None:
        self.problems = [problems] if isinstance(problems, Problem) else list(problems)
        super().__init__("\n".join(str(p) for p in self.problems))


class TargetNotReady(InvalidInput):
    """What `check_target` found wrong on a host, all of it."""


class MachineryFault(OtterflowError):
    """A fault of the machinery (network, worker, repository): says nothing about the configuration."""


class ConnectionFault(MachineryFault):
    """The host could not be reached or the connection was lost. Worth a retry with back-off."""


class ServerStopped(ConnectionFault):
    """The server was stopped or restarted on somebody's order while it was measured. Worth another measurement."""


class AccessRefused(MachineryFault):
    """Host key or credentials were not accepted. A retry would not help."""


class CommandFailed(MachineryFault):
    """A remote command ended with a non-zero exit code.

    `exit_code` is the command's, `stderr_tail` the end of what it said.
    """

    def __init__(self, what: str, exit_code: int, stderr_tail: str) -> None:
        self.what, self.exit_code, self.stderr_tail = what, exit_code, stderr_tail
        super().__init__(f"{what} failed with exit code {exit_code}: {stderr_tail.strip() or '(no message)'}")


class CommandTimedOut(MachineryFault):
    """A remote command ran past its total time limit, and was ended on the host as well."""

    def __init__(self, what: str, timeout_s: float, output_tail: str = "") -> None:
        self.what, self.timeout_s, self.output_tail = what, timeout_s, output_tail
        tail = f"; it last said: {output_tail.strip()}" if output_tail.strip() else ""
        super().__init__(f"{what} did not end within {timeout_s:g} s{tail}")


class Overtaken(MachineryFault):
    """Another task acts on the server by now; what this one saw is not the configuration's doing."""


class StillRecovering(MachineryFault):
    """The server is recovering from a crash and was left to it: stopping it would only make it begin again."""


class RepositoryUnavailable(MachineryFault):
    """The repository database cannot be reached or is not migrated."""


class MayNotAct(OtterflowError):
    """A task of a run that may not act: the experiment, its target or the trial is another run's, or is history."""


class TargetHeld(MayNotAct):
    """Another experiment holds the target, perhaps by another target file that leads to the same server (`by`)."""

    def __init__(self, target: str, holder: str, by: str = "") -> None:
        self.target, self.holder = target, holder
        other = f", as target {by!r}, which is the same server" if by and by != target else ""
        super().__init__(
            f"target: {target!r} is held by experiment {holder!r}{other}; wait for it to end, or stop it first"
        )


class TrialFault(OtterflowError):
    """Ends the trial with `state`; the loop goes on from the last good configuration.

    `log_tail` is the end of the server's log, where there is one. `said` is for those who may not read logs.
    """

    state = "failed"
    log_tail = ""

    @property
    def said(self) -> str:
        """The message without the log."""
        return str(self)


class ServerCrashed(TrialFault):
    """The server did not start with the configuration, or died under the benchmark.

    `log_tail` is its log's end, and `complaint` one line of it, which those see too who may not read logs.
    """

    state = "crashed"

    def __init__(self, message: str, log_tail: str = "", complaint: str = "") -> None:
        self.log_tail = log_tail
        self._said = f"{message}; its log: {complaint}" if complaint else message
        super().__init__(f"{message}\n{log_tail}" if log_tail else message)

    @property
    def said(self) -> str:
        """The message with the complaint."""
        return self._said


class BenchmarkFailed(TrialFault):
    """The benchmark failed, or its result is not to be believed."""

    state = "failed"


class NothingMeasured(BenchmarkFailed):
    """There was nothing to measure, and the configuration is not to blame: the trial failed and teaches nothing."""


class BenchmarkTimedOut(TrialFault):
    """The benchmark ran past its limit and was killed on the host."""

    state = "timed_out"


class Hopeless(OtterflowError):
    """The trial was ended while it was measured: its value is `at_best` this, far worse than the best. No fault."""

    def __init__(self, message: str, at_best: float) -> None:
        self.at_best = at_best
        super().__init__(message)


class NotApplied(TrialFault):
    """Knobs that are not in force after the restart; the experiment stops, for its numbers would be noise."""

    state = "not_applied"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(str(p) for p in problems))
