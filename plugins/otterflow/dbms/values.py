"""What passes over the seam for a DBMS: words, values and errors that are of no one DBMS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from otterflow.errors import OtterflowError, Problem

if TYPE_CHECKING:
    from otterflow.knobs.space import Config, Value

Query = Callable[..., list[dict[str, Any]]]
"""`query(sql, parameters=())` runs one statement and returns its rows as dictionaries ([] where it has none).

Raises ConnectionFault where the connection was lost, StatementRefused where the server refuses the statement.
"""


EXISTING = "existing"
"""The fingerprint of data that are the user's: otterflow has not loaded them, and never does."""


class Capability(StrEnum):
    """What not every DBMS can do."""

    reload = "reload"
    """The running server can be brought to use the knobs file: what comes into force so needs no restart."""
    observe = "observe"
    """Its own counters tell throughput and the mean time of a statement: it can be tuned under its users' load."""
    capture = "capture"
    """Its own log tells the statements of its clients: their load can be recorded."""


class WorkloadKind(StrEnum):
    """What sort of load it is; the rule-based configuration depends on it."""

    oltp = "oltp"
    web = "web"
    analytics = "analytics"
    mixed = "mixed"


class StatementRefused(OtterflowError):
    """The server does not run a statement. `code` is its own word for why, such as an SQLSTATE."""

    def __init__(self, code: str | None, message: str) -> None:
        self.code = code
        super().__init__(message)


class NotThere(StatementRefused):
    """The statement speaks of a table, a schema or a function that does not exist."""


class TookTooLong(StatementRefused):
    """The statement ran into its time limit."""


class Answer(StrEnum):
    """What a server answers: it accepts connections, it rejects them (starts, recovers, stops), or nothing."""

    accepts = "accepts"
    rejects = "rejects"
    none = "none"


class StartOutcome(StrEnum):
    """What became of a start: the server is up, it refused its configuration, or it never got the chance."""

    up = "up"
    refused = "refused"
    not_run = "not_run"


@dataclass(frozen=True)
class Started:
    """Which start of a server it is, in seconds of its own clock, and since when it counts.

    `helpers_since_s` is the start of its helper processes, where they may all begin anew under the same first process.
    """

    started_s: float
    counting_since_s: float | None
    helpers_since_s: float | None = None

    SAME_S = 0.001
    """Two times of a start that differ by less are of the same start."""

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Started:
        """From a row that names both."""
        return cls(row["started_s"], row["counting_since_s"], row.get("helpers_since_s"))

    def is_same_start(self, other: Started) -> bool:
        """Whether both are of one and the same start of the server."""
        pairs = [(self.started_s, other.started_s)]
        if self.helpers_since_s is not None and other.helpers_since_s is not None:
            pairs.append((self.helpers_since_s, other.helpers_since_s))
        return all(abs(one - another) < self.SAME_S for one, another in pairs)

    @property
    def after_shutdown(self) -> bool:
        """Whether the server had been shut down in order before this start: then it counts since before it."""
        return self.counting_since_s is not None and self.counting_since_s < self.started_s


@dataclass(frozen=True)
class Version:
    """A server's version: `major` as catalogs and rules know it, `number` as the server compares it, and its text."""

    major: int
    number: int
    text: str


@dataclass(frozen=True)
class Login:
    """How to connect with SQL, as somebody entered it: nothing is filled in yet. `place` is what errors call it."""

    host: str | None
    port: int | None
    user: str | None
    password: str | None = field(repr=False)
    database: str | None
    extra: Mapping[str, object] = field(repr=False)
    place: str


class DatabaseAccess(Protocol):
    """How a command that runs on a host reaches the database, as seen from there. Its password is in no command."""

    @property
    def host(self) -> str:
        """The address, or the folder of the server's socket."""

    @property
    def port(self) -> int:
        """The port."""

    @property
    def user(self) -> str:
        """Who connects."""

    @property
    def database(self) -> str:
        """The benchmark's database."""

    @property
    def parameters(self) -> Mapping[str, str]:
        """What else is said of how to connect, such as certificates, in the DBMS's own words."""

    @property
    def password(self) -> str:
        """For a program that reads no password file; empty where there is none."""

    def to(self, database: str) -> DatabaseAccess:
        """The same access to another database of the server."""

    def environment(self) -> dict[str, str]:
        """The variables that lead the DBMS's client programs to it. Holds no secret."""

    def prologue(self, bin_dir: str | None) -> str:
        """The head of a job's script: strict bash, the way to the database, and the client programs on the PATH."""

    def files(self) -> dict[str, str]:
        """The files that the prologue speaks of, by name: the password's, if there is one."""


@dataclass(frozen=True)
class RuleBased:
    """What a DBA's rules set: canonical values of settings that the server has, and each one's rule with its source."""

    config: Config
    reasons: dict[str, str]


@dataclass(frozen=True)
class Repair:
    """One knob whose wanted value could not be used, what is used in its place, and why."""

    knob: str
    wanted: Value
    used: Value
    reason: str


@dataclass(frozen=True)
class MetricWindow:
    """What happened between two snapshots `seconds` apart.

    `metrics` is `source.column` to a rate per second, or a gauge's last value. `objects` holds the same by column for
    the busiest tables, indexes, statements and the like. `reset` names sources and single counters that were reset in
    the window and are left out; `server` if it was restarted.
    """

    metrics: dict[str, float]
    reset: list[str]
    seconds: float
    objects: dict[str, dict[str, float]] = field(default_factory=dict)
    queries: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DataState:
    """What the benchmark's database holds: `fingerprint` is None where it is absent, broken or not otterflow's.

    A `broken` one was left by a removal that was interrupted, and is otterflow's if `ours`.
    """

    exists: bool = False
    fingerprint: str | None = None
    fresh: bool = False
    ours: bool = False
    broken: bool = False


@dataclass(frozen=True)
class Privileges:
    """What the SQL user may do on the target: problems, and what works less well, for the log."""

    reads_all: bool
    """Whether it sees all settings and counters: without that, nothing else is asked."""
    problems: list[Problem]
    not_owned: list[Problem]
    """Why it could not remove the benchmark's database, where that is otterflow's or empty."""
    limits: list[Problem]


@dataclass(frozen=True)
class Requirements:
    """What a live server lacks: for any observation, and for its statements' latency alone."""

    problems: list[Problem]
    statements: Problem | None


@dataclass(frozen=True)
class CapturePlan:
    """What is set for a window, text by setting, and how the log is read that is then written."""

    settings: dict[str, str]
    log: dict[str, Any]


@dataclass(frozen=True)
class CapturePrice:
    """What telling one statement costs the server, least and most: processor time in us, and bytes of log."""

    cpu_us: tuple[float, float]
    log_bytes: tuple[float, float]


@dataclass(frozen=True)
class CaptureRate:
    """How many a second, and of what by which counter."""

    per_s: float
    counted: str


@dataclass(frozen=True)
class Captured:
    """From when until when a server told its statements, in seconds since 1970 by its host's clock.

    `off_s` is None where that is not known: the job was killed. `because` says why it ended early, if it did.
    """

    on_s: float
    off_s: float | None
    because: str
