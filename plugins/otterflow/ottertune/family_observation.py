"""One set of four files of MySQL or MariaDB as an observation.

OtterTune's collector read `SHOW STATUS` and the `transaction` part of INNODB_METRICS. Without the word GLOBAL the first
gives the session's own numbers where there are such, and they say nothing of the load: they are not read. Throughput is
what OtterTune took for it, the transactions that InnoDB committed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from otterflow.dbms.mysql_family import metrics
from otterflow.dbms.values import MetricWindow
from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.catalog import KnobCatalog
from otterflow.ottertune.counters import Rows
from otterflow.ottertune.family_settings import FamilyVersion, read_settings, version_of
from otterflow.ottertune.files import AFTER, BEFORE, OURS, SUMMARY, FileSet
from otterflow.ottertune.knob_values import flat_settings
from otterflow.ottertune.observation import Observation
from otterflow.ottertune.summary import crash_s, milliseconds, state_of, window_s
from otterflow.ottertune.which import dbms_of_set
from otterflow.repository import JsonObject

TITLES = {"mysql": "MySQL", "mariadb": "MariaDB"}
COMMITS = ("trx_rw_commits", "trx_ro_commits", "trx_nl_ro_commits")
_GAUGES = (
    "trx_active_transactions", "trx_rseg_history_len", "trx_rseg_current_size", "trx_undo_slots_used",
    "trx_undo_slots_cached", "trx_rollback_active",
)  # fmt: skip
_OF_THE_SESSION = (
    "bytes_", "com_", "created_tmp_", "handler_", "last_query_", "opened_table", "questions", "select_",
    "slow_queries", "sort_", "ssl_", "table_open_cache_", "feature_", "rows_", "empty_queries", "access_denied_",
)  # fmt: skip
"""How status variables begin that a session has values of its own for."""

Sources = dict[str, dict[str, metrics.Number]]


@dataclass(frozen=True)
class FamilyObservation(Observation):
    """A set of MySQL or MariaDB. `sources` are the counters before and after, by their source and name."""

    version: FamilyVersion
    sources: tuple[Sources, Sources] = field(default=({}, {}))
    dbms: str = "mysql"

    @property
    def title(self) -> str:
        """The DBMS, for people."""
        return TITLES[self.dbms]

    @property
    def notes(self) -> tuple[str, ...]:
        """What is worth knowing of these files."""
        return ("counters that SHOW STATUS gives for a session are not read: they are of OtterTune's own connection",)

    def commits_by_database(self) -> dict[str, float]:
        """Nothing: InnoDB counts its commits in all databases together."""
        return {}

    def raw_snapshots(self, database: str) -> tuple[JsonObject, JsonObject]:
        """The counters before and after as the server's own snapshots are."""
        first, last = self.sources
        text = self.version_text
        return _snapshot(first, self.start_s, text, database), _snapshot(last, self.end_s, text, database)

    def window(self, database: str) -> MetricWindow:
        """The counters' rates over the window."""
        return metrics.window_between(*self.raw_snapshots(database))


def observe_family(files: FileSet, catalog: KnobCatalog) -> Observation:
    """Read one set of the catalog's DBMS. Raises InvalidInput that lists all that keeps it from being used."""
    summary = files.summary
    problems: list[Problem] = []
    if dbms_of_set(files) != catalog.dbms:
        found = f"{summary.get('database_type')!r} is another DBMS"
        problems.append(Problem(f"{SUMMARY}.database_type", found, f"the other sets are of {TITLES[catalog.dbms]}"))
    state = state_of(summary, problems)
    start_s = milliseconds(summary, "start_time", problems)
    seconds, remarks = window_s(summary, problems) if state == "ok" else (crash_s(summary), [])
    texts, broken = flat_settings(files.knobs)
    if not texts:
        problems += broken or [Problem("knobs.global.global", "holds no settings", "the trial has no configuration")]
    version, text = version_of(summary, texts, catalog, problems)
    before, after = _sources(files.before, BEFORE, remarks), _sources(files.after, AFTER, remarks)
    rate = _rate(before, after, seconds, problems) if state == "ok" else 0.0
    if problems or version is None:
        raise InvalidInput(problems)
    settings = read_settings(texts, catalog, version)
    return FamilyObservation(
        prefix=files.prefix,
        digest=files.digest,
        start_s=start_s,
        seconds=seconds,
        version=version,
        version_text=text,
        workload=str(summary.get("workload_name") or ""),
        state=state,
        settings=settings,
        before=Rows(),
        after=Rows(),
        rate=rate,
        ours=OURS in summary,
        problems=(*remarks, *broken, *settings.problems),
        sources=(before, after),
        dbms=catalog.dbms,
    )


def _sources(content: Mapping[str, Any], file: str, remarks: list[Problem]) -> Sources:
    """The numbers of a metrics file, by our own names of where they come from."""
    known = {"global": metrics.STATUS, "innodb_metrics": metrics.ENGINE}
    sources: Sources = {metrics.STATUS: {}}
    groups = content.get("global")
    for group, numbers in (groups if isinstance(groups, Mapping) else {}).items():
        if group not in known or not isinstance(numbers, Mapping):
            remarks.append(Problem(f"{file}.global.{group}", "is not read", "not a group that is known here"))
            continue
        told = {name.lower(): found for name, value in numbers.items() if (found := _number(value)) is not None}
        sources[known[group]] = {
            name: number
            for name, number in told.items()
            if known[group] != metrics.STATUS or not name.startswith(_OF_THE_SESSION)
        }
    return sources


def _number(value: object) -> metrics.Number | None:
    """A number; None for a word, such as the state of a dump of the buffer pool."""
    try:
        number = float(str(value)) if "." in str(value) else int(str(value))
    except ValueError:
        return None
    return number if abs(number) < 10**30 else None


def _rate(before: Sources, after: Sources, seconds: float, problems: list[Problem]) -> float:
    """Transactions that InnoDB committed per second; a problem where they cannot be counted."""
    first, last = (side.get(metrics.ENGINE, {}) for side in (before, after))
    where = f"{AFTER}.global.innodb_metrics"
    if not all(name in side for name in COMMITS for side in (first, last)):
        advice = "no throughput without them; they are counted with innodb_monitor_enable = module_trx"
        problems.append(Problem(where, f"lacks some of {', '.join(COMMITS)}", advice))
        return 0.0
    counted = [last[name] - first[name] for name in COMMITS]
    if min(counted) < 0:
        problems.append(Problem(where, "went backwards in the window", "no throughput without it"))
        return 0.0
    return sum(counted) / seconds if seconds > 0 else 0.0


def _snapshot(sources: Sources, at: float, version: str, database: str) -> JsonObject:
    return {
        "taken_at": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds"),
        "epoch_s": at,
        "server_version": version,
        "database": database,
        "sources": sources,
        "gauges": list(_GAUGES),
        "objects": {},
        "queries": {},
    }
