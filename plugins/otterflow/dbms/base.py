"""The seam for a DBMS: what the rest of otterflow may ask of one, and nothing of any one of them.

A DBMS is a folder `dbms/<name>/` with an object `DBMS` of type `Dbms` in its `dbms.py`. Its parts have the same file
names in each folder, and most are the modules themselves: a module has the shape of a protocol here if it has the
functions. What a DBMS cannot do is declared in `capabilities`, and asked for with `has`, never found out by an error.
`registry.py` alone lists what there is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from otterflow.dbms.values import (
    Answer,
    Capability,
    Captured,
    CapturePlan,
    CapturePrice,
    CaptureRate,
    DatabaseAccess,
    DataState,
    Login,
    MetricWindow,
    Privileges,
    Query,
    Repair,
    Requirements,
    RuleBased,
    Started,
    StartOutcome,
    Version,
)
from otterflow.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from otterflow.dbms.bundle.values import Bundle, Order
    from otterflow.dbms.target import Target
    from otterflow.knobs.facts import HostFacts
    from otterflow.knobs.setting import LiveSetting
    from otterflow.knobs.space import Config, KnobSpace, Value
    from otterflow.measures.result import BenchmarkResult
    from otterflow.remote.host_facts import HostReport
    from otterflow.remote.script import JobScript
    from otterflow.remote.session import Session


class Settings(Protocol):
    """What the server says of its settings, the knobs file, and whether what was written is in force."""

    def version(self, query: Query) -> Version:
        """The server's version."""

    def identity(self, query: Query) -> tuple[str, str]:
        """Which server it is: a name that only a copy of its files shares, and its data directory."""

    def live_settings(self, query: Query) -> dict[str, LiveSetting]:
        """Every setting that holds no secret, by name."""

    def from_row(self, row: Mapping[str, Any]) -> LiveSetting:
        """A setting from what its `as_row` gave."""

    def major(self, live: Mapping[str, LiveSetting]) -> int:
        """The server's major version."""

    def connections(self, live: Mapping[str, LiveSetting]) -> int:
        """How many connections the server takes."""

    def directories(self, query: Query) -> dict[str, Any]:
        """`data_directory` and `config_file`, the server's own and its main configuration file."""

    def file_problems(self, query: Query, knobs_file: str) -> tuple[list[Problem], list[Problem]] | None:
        """What it would refuse of the knobs file as it is now, and of its other configuration files.

        None where that cannot be asked, or not by this user: the next start then shows it.
        """

    def knobs_file_problems(self, text: str, knobs_file: str) -> list[Problem]:
        """What is wrong with a knobs file that was found: lines that are no settings, settings that hold secrets."""

    def render(
        self, config: Mapping[str, Value], live: Mapping[str, LiveSetting], *, keep: str = "", header: str
    ) -> str:
        """The knobs file for a configuration; what the text `keep` sets besides goes in before."""

    def as_measured(self, text: str) -> str:
        """The knobs file while its configuration is measured: the text, and what keeps one trial from warming the next.

        Where the server is left with the configuration, it is given the text alone.
        """

    def read_back(self, wanted: Mapping[str, Value], live: Mapping[str, LiveSetting], knobs_file: str) -> list[Problem]:
        """Knobs whose value in force is not the wanted one, each with what overrode it."""

    def overrides(
        self, query: Query, session: Session, target: Target, live: Mapping[str, LiveSetting],
        tuned: Collection[str], knobs_text: str, *, restarts: bool,
    ) -> list[Problem]:  # fmt: skip
        """Whether the knobs file, which holds `knobs_text`, is read, and what would win over it for the tuned knobs.

        Where the server `restarts` for its configurations, also what it would lose by that.
        """

    def own_values(self, query: Query, tuned: Collection[str], database: str) -> list[tuple[str, str]]:
        """Other roles, and the tuned knob each has a value of its own for, whatever the knobs file says."""


class Spelling(Protocol):
    """Values as the DBMS's users write them."""

    def parse(self, text: str, live: LiveSetting) -> Value:
        """The canonical value of what a user says, as in a configuration file. Raises InvalidInput."""

    def display(self, value: Value, live: LiveSetting) -> str:
        """How a canonical value reads."""


class Rules(Protocol):
    """The configuration that a DBA would set."""

    def rule_based(
        self, facts: HostFacts, kind: str, live: Mapping[str, LiveSetting], *, server_version: int
    ) -> RuleBased:
        """What the rules set for a server of a major version, on a host, under a kind of workload."""


class Constraints(Protocol):
    """What the server demands of knobs together, and the memory that a configuration may plan to use."""

    def repair(
        self, config: Mapping[str, Value], live_values: Mapping[str, Value], facts: HostFacts, *,
        space: KnobSpace | None = None,
    ) -> tuple[Config, list[Repair]]:  # fmt: skip
        """The configuration within them, and what was changed for it."""


class Service(Protocol):
    """Start, stop and restart as commands for the target's host, and what their end means."""

    def start_command(self, target: Target, access: DatabaseAccess | None = None) -> str:
        """Start the server and wait until it accepts connections."""

    def restart_command(self, target: Target, access: DatabaseAccess | None = None) -> str:
        """Stop, then start."""

    def restart_limit_s(self, target: Target) -> float:
        """The longest that a restart may take."""

    def classify_start(self, exit_code: int, stderr: str) -> StartOutcome:
        """What became of a start or a restart."""

    def is_up_command(self, target: Target, access: DatabaseAccess) -> str:
        """Ask whether the server accepts connections; `answer` reads the exit code."""

    def answer(self, exit_code: int) -> Answer:
        """The answer behind the exit code of `is_up_command`."""

    def log_tail_command(self, target: Target, max_bytes: int) -> str:
        """Print the end of the server's newest log."""

    def is_of_the_server(self, line: str) -> bool:
        """Whether a line of its log is the server's own, in which no statement and no value of a client stands.

        A line that is not known counts as a client's.
        """

    def is_complaint(self, line: str) -> bool:
        """Whether a line of its log says why the server has ended, or has not started."""

    def reload(self, query: Query, wanted: Mapping[str, Value]) -> None:
        """Have the running server use its knobs file, which has the values `wanted` (`Capability.reload`).

        Returns once it does. Raises ServerCrashed for a value that it refuses, MachineryFault when it takes too long.
        """

    def started(self, query: Query) -> Started:
        """Which start of the server it is."""

    def control_state_command(self, target: Target) -> str:
        """Print what the data directory says of a server that gives no answer; an exit code where nobody can see."""

    def is_shut_down(self, state: str) -> bool:
        """Whether that is a server which was shut down in order."""

    def is_on_its_way(self, state: str) -> bool:
        """Whether that is a server which is being shut down."""


class Client(Protocol):
    """SQL from here, and the way to the database for programs on a host."""

    def open_query(
        self, login: Login, target: Target, *, database: str | None = None, tunnel_port: int | None = None,
        tunnel_fault: Callable[[], Exception | None] = lambda: None,
    ) -> AbstractContextManager[Query]:  # fmt: skip
        """SQL, each statement committed by itself.

        Leads to `database`, else to the login's own, else to one that is always there: never by itself to the
        benchmark's, which is dropped and made. Behind a tunnel its local end is at `tunnel_port`, and `tunnel_fault`
        says what keeps it from leading to the server. Raises ConnectionFault when the server cannot be reached,
        AccessRefused when it refuses the credentials, and what `tunnel_fault` gives.
        """

    @property
    def MAINTENANCE_DATABASE(self) -> str:
        """A database that is always there."""

    def address(self, login: Login) -> tuple[str, int]:
        """Host and port of the login, with the DBMS's own where none is given."""

    def access(self, login: Login, database: str, host: str | None = None) -> DatabaseAccess:
        """How a command reaches the database, at `host` if given. Raises InvalidInput for what no program can take."""

    def user(self, login: Login) -> str:
        """Who connects."""

    def first_rows(self, query: Query, sql: str, *, most: int, timeout_s: float) -> list[dict[str, Any]]:
        """At most `most` rows of a user's own SELECT, in a transaction that writes nothing.

        Raises StatementRefused, NotThere and TookTooLong among them.
        """


class Metrics(Protocol):
    """The server's own counters. A snapshot is a record that JSON takes."""

    def counters(self, query: Query, *, texts: bool = True) -> dict[str, Any]:
        """All counters now; without `texts`, no statement's text."""

    def seconds_between(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> float:
        """How long after the one snapshot the other was taken."""

    def window_between(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> MetricWindow:
        """Metrics of the time between two snapshots. Raises ValueError if no time passed."""

    def remarks(self, metrics: Mapping[str, float]) -> list[str]:
        """Sentences on what in a run's metrics speaks against its numbers; none where nothing does."""


class Data(Protocol):
    """The benchmark's database: whose it is, how its place is taken, how its data are kept and put back."""

    def state(self, query: Query, database: str) -> DataState:
        """What otterflow's mark on the database says."""

    def mark(self, query: Query, database: str, fingerprint: str, *, fresh: bool) -> None:
        """Say what otterflow has loaded into the database, and whether a benchmark has run on it since."""

    def unmark(self, query: Query, database: str) -> None:
        """Take otterflow's mark off the database, which stays."""

    def size_bytes(self, query: Query, database: str) -> int:
        """What the database takes on the server's disk; 0 where there is none."""

    def foreign(self, query: Query) -> str | None:
        """What the database that is connected to holds of somebody's, in words; None where it is empty."""

    def removal_advice(self, database: str) -> str:
        """The statement by which a person removes a database."""

    def set_aside(self, query: Query, database: str) -> None:
        """An empty database of the name, marked as loading; what had the name waits, whole, to be removed later."""

    def keep_loaded(self, query: Query, database: str, fingerprint: str) -> None:
        """The load is whole: mark it, and remove what waited."""

    def put_back(self, query: Query, database: str) -> None:
        """After a load that failed: the former database again, or none where there was none."""

    def beside_data(self, query: Query, target: Target) -> list[str]:
        """What else the server holds, which a restore by a copy of the data directory would put back as it was."""

    def fingerprint(self, data: Mapping[str, object], server_version: int, method: str) -> str:
        """What a snapshot holds, as a short text."""

    def look_at_dump_command(self, path: str, target: Target) -> str:
        """Print the size in bytes of a user's dump on the target; fail, with a reason, where it cannot be restored."""

    def load_dump(self, target: Target, access: DatabaseAccess, path: str) -> JobScript:
        """Restore a user's dump into the database, which is empty."""

    def take_snapshot(self, target: Target, access: DatabaseAccess, mark: str) -> JobScript:
        """Keep the data under the fingerprint `mark`."""

    def restore_snapshot(self, target: Target, access: DatabaseAccess, mark: str) -> JobScript:
        """Put the data back."""

    def snapshot_fingerprint(self, session: Session, target: Target) -> str | None:
        """Of the whole snapshot on the target; None where there is none."""

    def changed_since_copy(self, query: Query, session: Session, target: Target) -> list[str]:
        """What of the server is not as it was when the copy was taken."""

    def space_needed(
        self, target: Target, *, database_bytes: int, data_dir_bytes: int, loaded: bool, restores: bool
    ) -> dict[str, int]:
        """Folder to bytes that a load, a snapshot and a restore write there."""

    def data_dir_size_command(self, target: Target) -> str:
        """Print the data directory's size in bytes."""

    def remove_databases(self, query: Query, database: str) -> list[str]:
        """Remove the databases that otterflow has loaded; their names. A user's own copy stays, without the mark."""

    def remove_snapshots_command(self, target: Target) -> str:
        """Remove the target's snapshots and print their folders."""

    def remove_work_dir_command(self, target: Target) -> str:
        """Remove the folders of jobs once they are empty, and print the folder if it is gone."""

    def left_on_host_command(self, target: Target) -> str:
        """Print what a restore that was cut off has left beside the data."""

    def left_in_server(self, query: Query) -> list[str]:
        """What a person has granted, as the statements that take it back."""

    def left_by_hand(self, query: Query, target: Target, user: str) -> list[str]:
        """What a person has written or made on the host, and how it is taken away."""


class Checks(Protocol):
    """What is wrong with a target, each problem with what to do."""

    def may_ask(self, query: Query, target: Target, *, live: bool) -> Privileges:
        """What the SQL user may do, and what it lacks."""

    def look_at_host(
        self, session: Session, target: Target, *, live: bool, data_directory: str | None, version: int | None
    ) -> list[Problem]:
        """Programs, folders, log, service: what the target file says against what is on the host."""

    def look_from_host(
        self, session: Session, target: Target, access: DatabaseAccess, *, own_programs: bool, field: str, host: str
    ) -> Problem | None:
        """Whether commands on a host reach the server, the target's own programs or those on the PATH."""

    def host_facts_command(self, target: Target) -> str:
        """What `remote.host_facts` reads, of this server's process and the folders that otterflow writes to."""

    def space_problems(self, report: HostReport, target: Target, sizes: Mapping[str, int]) -> list[Problem]:
        """File systems with too little room."""


class Observation(Protocol):
    """A server watched under its own users' load (`Capability.observe`)."""

    def requirements(self, query: Query) -> Requirements:
        """What the server lacks to be observed, asked in the target's database."""

    def programs(self) -> tuple[str, ...]:
        """The programs that the script needs on the driver host."""

    def observe(self, access: DatabaseAccess, bin_dir: str | None, *, scope: str, duration_s: float) -> JobScript:
        """Watch for `duration_s` seconds, and print the load now and then.

        `scope` is `database` or `server`: whose transactions count.
        """

    def progress(self, line: str) -> str | None:
        """A line of that script's output as a sentence; None if it says nothing of the load."""

    def read_result(self, results: Mapping[str, str], least_transactions: int) -> BenchmarkResult:
        """The result from the files that the script left.

        Raises NothingMeasured for an idle server and for counters that were reset; where only the statements' latency
        is not to be had, the result's `absent` says why.
        """


class Capture(Protocol):
    """What its clients send, as its own log tells it (`Capability.capture`). A setting's texts are the DBMS's own."""

    @property
    def READER(self) -> str:
        """The module that reads the log on the server's host; it has `open_reading` and `Classes`."""

    @property
    def ROOMS(self) -> tuple[str, ...]:
        """What of this DBMS is shipped there with the recorder."""

    @property
    def PROGRAMS(self) -> tuple[str, ...]:
        """What a window's job needs on the server's host."""

    @property
    def PRICE(self) -> CapturePrice:
        """What telling a statement costs."""

    @property
    def OWN_LOG(self) -> bool:
        """Whether a window's log is made by its job: `patterns` are then files of the job's folder.

        Else it is the server's own, which is there before.
        """

    @property
    def SAMPLES(self) -> bool:
        """Whether the server can draw whole transactions."""

    @property
    def BY_HAND(self) -> str:
        """What a person does to take back what a window has set, as the end of a sentence."""

    def facts(self, query: Query) -> dict[str, Any]:
        """What the server says of its log, and of who asks."""

    def access_problems(self, found: Mapping[str, Any], *, reloads: bool) -> list[Problem]:
        """What the SQL user lacks."""

    def log_problems(self, found: Mapping[str, Any]) -> list[Problem]:
        """Why the log, as it is written now, holds no load that can be replayed."""

    def limits(self, found: Mapping[str, Any]) -> list[Problem]:
        """What a recording will lack, but can be made without."""

    def window_problems(self, found: Mapping[str, Any], *, sampled: bool) -> list[Problem]:
        """What keeps the server from telling its load for a window."""

    def window_plan(self, found: Mapping[str, Any], target: Target, share: float | None) -> CapturePlan:
        """What is set for a window, of all transactions or of a drawn `share`."""

    def log_of(self, found: Mapping[str, Any], target: Target) -> dict[str, Any]:
        """How the log is read, as it is written now; `patterns` are its files, which may be globs."""

    def rate(self, query: Query) -> CaptureRate:
        """The server's statements per second now, by its own counters; takes some seconds."""

    def capture_job(
        self, target: Target, access: DatabaseAccess, settings: Mapping[str, str], patterns: Sequence[str], *,
        recording: str, end: datetime, longest_s: float, max_log_bytes: int, keep_free_bytes: int,
    ) -> JobScript:  # fmt: skip
        """Put the settings in force until `end`, and take them back whatever happens."""

    def read_capture(self, results: Mapping[str, str]) -> Captured | None:
        """What that job has left: when the settings were in force; None where they never were."""

    def put_back_job(self, target: Target, access: DatabaseAccess, recording: str) -> JobScript:
        """Take back what a recording's job has left that was killed."""

    def left_on(self, knobs_text: str, knobs_file: str) -> Problem | None:
        """That a recording's settings are in the knobs file."""


class Exporting(Protocol):
    """A configuration as the files of other tools."""

    def bundle(self, order: Order) -> Bundle:
        """All files for the knobs of the order, and what a service does not take of them."""


@dataclass(frozen=True)
class Dbms:
    """One DBMS: its name in files and in the repository, its name for people, and its parts."""

    name: str
    title: str
    versions: tuple[int, int]
    """The oldest and the newest major version that catalog and rules speak of."""
    capabilities: frozenset[Capability]
    settings: Settings
    spelling: Spelling
    rules: Rules
    constraints: Constraints
    service: Service
    client: Client
    metrics: Metrics
    data: Data
    checks: Checks
    target: type[Target]
    server_programs: tuple[str, ...]
    """What the server's process may be called on its host, as /proc tells it."""
    observing: Observation | None = None
    """None where it cannot (`Capability.observe`); else `observation` gives it."""
    capturing: Capture | None = None
    """None where it cannot (`Capability.capture`); else `capture` gives it."""
    exporting: Exporting | None = None
    """None where nobody has said how yet; else `export` gives it."""

    def has(self, capability: Capability) -> bool:
        """Whether it can do that."""
        return capability in self.capabilities

    @property
    def observation(self) -> Observation:
        """How it is watched. Raises InvalidInput where it cannot be."""
        if self.observing is None:
            raise InvalidInput(Problem("dbms", f"{self.title} cannot be watched yet", "use a benchmark with a load"))
        return self.observing

    @property
    def capture(self) -> Capture:
        """How its clients' load is recorded. Raises InvalidInput where it cannot be."""
        if self.capturing is None:
            raise InvalidInput(Problem("dbms", f"the load of {self.title} cannot be recorded yet", "replay another"))
        return self.capturing

    @property
    def export(self) -> Exporting:
        """How a configuration is exported. Raises InvalidInput where it cannot be."""
        if self.exporting is None:
            raise InvalidInput(Problem("dbms", f"{self.title} has no export yet", "take the values from result.json"))
        return self.exporting
