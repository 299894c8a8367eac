"""One set of four files as an observation: when, of which server, with which settings, and the counters around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from otterflow.dbms.postgresql import metrics
from otterflow.dbms.postgresql.metrics import MetricSnapshot
from otterflow.dbms.values import MetricWindow
from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.catalog import KnobCatalog
from otterflow.ottertune.counters import ALL_DATABASES, DATABASES, Rows, read_metrics, snapshots, total
from otterflow.ottertune.files import AFTER, BEFORE, OURS, SUMMARY, FileSet
from otterflow.ottertune.knob_values import KnobValues, ServerVersion, flat_settings, read_settings
from otterflow.ottertune.names import DBMS
from otterflow.ottertune.summary import crash_s, milliseconds, state_of, window_s
from otterflow.repository import JsonObject

COMMITS = "xact_commit"


@dataclass(frozen=True)
class Observation:
    """A set that can be used. Times are seconds since the epoch; `seconds` is the measured window's length.

    `state` is ok, or what a set with an `error` tells of (crashed, failed, timed_out): it has no counters then. `rate`
    is the committed transactions per second over all databases, 0 in a set without counters. `ours` says that the set
    was exported from here, not written by OtterTune.
    """

    prefix: str
    digest: str
    start_s: float
    seconds: float
    version: ServerVersion
    version_text: str
    workload: str
    state: str
    settings: KnobValues
    before: Rows
    after: Rows
    rate: float
    ours: bool
    problems: tuple[Problem, ...]
    dbms: str = DBMS

    @property
    def end_s(self) -> float:
        """When the window ended."""
        return self.start_s + self.seconds

    def commits_by_database(self) -> dict[str, float]:
        """How many transactions each database committed in the window."""
        first = self.before.numbers.get(DATABASES, {})
        return {
            name: row.get(COMMITS, 0) - first.get(name, {}).get(COMMITS, 0)
            for name, row in self.after.numbers.get(DATABASES, {}).items()
        }

    @property
    def title(self) -> str:
        """The DBMS, for people."""
        return "PostgreSQL"

    @property
    def notes(self) -> tuple[str, ...]:
        """What is worth knowing of these files."""
        return ()

    def raw_snapshots(self, database: str) -> tuple[JsonObject, JsonObject]:
        """The counters before and after as the server's own snapshots are kept."""
        before, after = self.snapshots(database)
        return before.as_dict(), after.as_dict()

    def snapshots(self, database: str) -> tuple[MetricSnapshot, MetricSnapshot]:
        """The counters before and after as our own snapshots; `database` is the benchmark's."""
        return snapshots(
            self.before,
            self.after,
            start_s=self.start_s,
            seconds=self.seconds,
            version=self.version.number,
            database=database,
        )

    def window(self, database: str) -> MetricWindow:
        """The counters' rates over the window."""
        return metrics.window(*self.snapshots(database))


def observe(files: FileSet, catalog: KnobCatalog) -> Observation:
    """Read one set. Raises InvalidInput that lists all that keeps it from being used."""
    summary = files.summary
    problems: list[Problem] = []
    _check_database_type(summary, problems)
    state = state_of(summary, problems)
    start_s = milliseconds(summary, "start_time", problems)
    seconds, remarks = window_s(summary, problems) if state == "ok" else (crash_s(summary), [])
    texts, broken = flat_settings(files.knobs)
    if not texts:
        problems += broken or [Problem("knobs.global.global", "holds no settings", "the trial has no configuration")]
    version, text = _version(summary, texts, problems, remarks)
    before, after = read_metrics(files.before, BEFORE), read_metrics(files.after, AFTER)
    rate = _rate(before, after, seconds, problems) if state == "ok" else 0.0
    if problems or version is None:
        raise InvalidInput(problems)
    settings = read_settings(texts, catalog, version)
    return Observation(
        prefix=files.prefix,
        digest=files.digest,
        start_s=start_s,
        seconds=seconds,
        version=version,
        version_text=text,
        workload=str(summary.get("workload_name") or ""),
        state=state,
        settings=settings,
        before=before,
        after=after,
        rate=rate,
        ours=OURS in summary,
        problems=(*remarks, *broken, *settings.problems, *before.problems, *after.problems),
    )


def _check_database_type(summary: Mapping[str, Any], problems: list[Problem]) -> None:
    kind = summary.get("database_type")
    if str(kind).lower() not in ("postgres", "postgresql"):
        found = "is missing" if kind is None else f"{kind!r} is another DBMS"
        problems.append(Problem(f"{SUMMARY}.database_type", found, "only sets of PostgreSQL ('postgres') are read"))


def _version(
    summary: Mapping[str, Any], texts: Mapping[str, str], problems: list[Problem], remarks: list[Problem]
) -> tuple[ServerVersion | None, str]:
    """The server's version: what the server itself says in its settings, else the summary's.

    Users told OtterTune another one, where it did not know theirs.
    """
    said, own = str(summary.get("database_version", "")), texts.get("server_version", "")
    try:
        version = ServerVersion.parse(own or said)
    except InvalidInput as error:
        where = "knobs" if own else SUMMARY
        problems += [Problem(f"{where}.{p.field}", p.found, p.advice) for p in error.problems]
        return None, own or said
    try:
        differs = bool(own) and ServerVersion.parse(said).major != version.major
    except InvalidInput:
        differs = True
    if differs:
        found = f"{said!r}, but the server's own server_version is {own!r}"
        remarks.append(Problem(f"{SUMMARY}.database_version", found, "the server's own is believed"))
    return version, (own or said).split()[0]


def _rate(before: Rows, after: Rows, seconds: float, problems: list[Problem]) -> float:
    """Committed transactions per second over all databases; a problem where they cannot be counted."""
    absent = [
        Problem(f"{part}.local.database.{DATABASES}", f"no {COMMITS} in any database", "no throughput without it")
        for part, rows in ((BEFORE, before), (AFTER, after))
        if total(rows, DATABASES, COMMITS) is None
    ]
    there = after.numbers.get(DATABASES, {})
    absent = absent or [
        Problem(
            f"{AFTER}.local.database.{DATABASES}.{name}", "was dropped in the window", "the sum fell by its commits"
        )
        for name, row in before.numbers.get(DATABASES, {}).items()
        if row.get(COMMITS) and name not in there
    ]
    problems += absent
    if absent or seconds <= 0:
        return 0.0
    window = metrics.window(*snapshots(before, after, start_s=0.0, seconds=seconds, version=0, database=""))
    rate = window.metrics.get(f"{ALL_DATABASES}.{COMMITS}")
    if rate is None:
        where = f"{AFTER}.local.database.{DATABASES}.{COMMITS}"
        problems.append(Problem(where, "was reset in the window", "no throughput without it"))
    return rate or 0.0
