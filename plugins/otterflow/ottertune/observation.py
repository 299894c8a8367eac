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
from otterflow.ottertune.files import AFTER, BEFORE, ERRORS, OURS, SUMMARY, FileSet
from otterflow.ottertune.knob_values import KnobValues, ServerVersion, flat_settings, read_settings

COMMITS = "xact_commit"
_STATE_OF_ERROR = {error: state for state, error in ERRORS.items()}
_SHORTEST_S, _LONGEST_S = 0.001, 366 * 86400.0
_NO_TIME = 1e18
_CLOCK_S = 1.0
"""How far observation_time may lie from end_time - start_time: OtterTune cut it to whole seconds."""


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
    state = _state(summary, problems)
    start_s = _milliseconds(summary, "start_time", problems)
    seconds, remarks = _window_s(summary, problems) if state == "ok" else (_crash_s(summary), [])
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


def _state(summary: Mapping[str, Any], problems: list[Problem]) -> str:
    error = summary.get("error")
    if not error:
        return "ok"
    state = _STATE_OF_ERROR.get(str(error))
    if state is None:
        known = ", ".join(_STATE_OF_ERROR)
        problems.append(Problem(f"{SUMMARY}.error", repr(error), f"what it says of the trial is unknown; {known} are"))
    return state or "failed"


def _number(summary: Mapping[str, Any], field: str) -> float | None:
    value = summary.get(field)
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < _NO_TIME else None  # of NaN as well


def _milliseconds(summary: Mapping[str, Any], field: str, problems: list[Problem]) -> float:
    """A time of the summary in seconds since the epoch; a problem where it is no time from 1970 to 2100."""
    value = _number(summary, field)
    if value is None or not 0 < value < 4_102_444_800_000:
        found = "is missing" if field not in summary else f"{summary[field]!r} is no time"
        problems.append(Problem(f"{SUMMARY}.{field}", found, "milliseconds since 1970 are expected"))
        return 0.0
    return value / 1000


def _window_s(summary: Mapping[str, Any], problems: list[Problem]) -> tuple[float, list[Problem]]:
    """The window's length, `observation_time`; a remark where the two times say otherwise by more than a second."""
    field = f"{SUMMARY}.observation_time"
    observed = _number(summary, "observation_time")
    if observed is None or not _SHORTEST_S <= observed <= _LONGEST_S:
        found = "is missing" if "observation_time" not in summary else f"{summary['observation_time']!r}"
        problems.append(Problem(field, found, "seconds, from 0.001 to a year, are expected: no rate without them"))
        return 0.0, []
    start, end = _number(summary, "start_time"), _number(summary, "end_time")
    if start is None or end is None:
        found = "is missing" if "end_time" not in summary else f"{summary['end_time']!r} is no time"
        return observed, [
            Problem(f"{SUMMARY}.end_time", found, "start_time and observation_time are used in its place")
        ]
    span = (end - start) / 1000
    if abs(span - observed) <= _CLOCK_S:
        return observed, []
    found = f"{observed:g} s, but end_time - start_time is {span:g} s"
    return observed, [Problem(field, found, "the rates are over observation_time")]


def _crash_s(summary: Mapping[str, Any]) -> float:
    """How long a set without counters took, as far as it says."""
    return min(_LONGEST_S, max(0.0, _number(summary, "observation_time") or 0.0))


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
