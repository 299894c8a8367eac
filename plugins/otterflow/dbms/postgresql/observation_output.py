"""Reads the two snapshots of an observation: transactions per second, and the mean time of a statement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from otterflow.dbms.live_window import snapshot_of
from otterflow.dbms.postgresql.observation_sql import AFTER_FILE, BEFORE_FILE
from otterflow.errors import BenchmarkFailed, NothingMeasured
from otterflow.measures.result import BenchmarkResult

NOT_INSTALLED = "pg_stat_statements is not installed in the target's database"


@dataclass(frozen=True)
class Snapshot:
    """A server's counters at `epoch_s`.

    `databases` is name to commits, rollbacks and when the counters were last reset; `statements` is a statement's key
    to its calls and their total milliseconds, None without pg_stat_statements. `evictions` is how often the view has
    thrown out its rarest rows; None before PostgreSQL 14, as is `statements_reset`. `own_transactions` is how many of
    a window's commits are the observation's own.
    """

    epoch_s: float
    server_started_at: str
    own_transactions: int
    databases: dict[str, tuple[int, int, str | None]]
    statements: dict[str, tuple[int, float]] | None
    evictions: int | None
    statements_reset: str | None

    @classmethod
    def read(cls, text: str, name: str) -> Snapshot:
        """The snapshot from psql's output. Raises BenchmarkFailed if it is empty, cut short, or none at all."""
        return snapshot_of(text, name, cls._of)

    @classmethod
    def _of(cls, record: dict[str, Any]) -> Snapshot:
        statements = _statements(record["statements"]) if record["has_statements"] else None
        evictions = record["evictions"]
        return cls(
            epoch_s=float(record["epoch_s"]),
            server_started_at=str(record["server_started_at"]),
            own_transactions=int(record["own_transactions"]),
            databases={
                str(database): (int(of["commits"]), int(of["rollbacks"]), of["stats_reset"])
                for database, of in record["databases"].items()
            },
            statements=statements,
            evictions=None if evictions is None else int(evictions),
            statements_reset=record["statements_reset"],
        )


def _statements(record: Mapping[str, Any] | None) -> dict[str, tuple[int, float]]:
    """Calls and total milliseconds by key; the server gives null where no statement was called yet."""
    return {key: (int(calls), float(total_ms)) for key, (calls, total_ms) in (record or {}).items()}


def read_result(results: Mapping[str, str], least_transactions: int) -> BenchmarkResult:
    """The result of a window. `latency_ms` has the mean only, of statements that ended in the window.

    `errors` are the transactions that were rolled back. Raises NothingMeasured, with a sentence, for an idle server and
    for counters that were reset; where only pg_stat_statements is not to be believed, `absent` says why.
    """
    before = Snapshot.read(results.get(BEFORE_FILE, ""), BEFORE_FILE)
    after = Snapshot.read(results.get(AFTER_FILE, ""), AFTER_FILE)
    seconds = after.epoch_s - before.epoch_s
    if seconds <= 0:
        raise NothingMeasured(f"the server's clock went back by {-seconds:.1f} s within the window")
    if before.server_started_at != after.server_started_at:
        raise BenchmarkFailed("the server was restarted within the window, and its counters began anew")
    commits, rollbacks = _transactions(before, after)
    commits -= after.own_transactions
    if commits < least_transactions:
        raise NothingMeasured(
            f"{max(0, commits)} transactions were committed within {seconds:.0f} s, fewer than least_transactions "
            f"({least_transactions}): the server is idle or nearly so; observe for longer, or while there is load"
        )
    mean_ms, why_not = _mean_ms(before, after)
    return BenchmarkResult(
        throughput=commits / seconds,
        latency_ms={} if mean_ms is None else {"mean": mean_ms},
        errors=rollbacks,
        transactions=commits,
        seconds=seconds,
        absent={} if why_not is None else {"latency_mean": why_not},
    )


def _transactions(before: Snapshot, after: Snapshot) -> tuple[int, int]:
    """Commits and rollbacks in the window; a database made within it counts from zero."""
    commits = rollbacks = 0
    for name, (committed, rolled_back, reset) in after.databases.items():
        first = before.databases.get(name, (0, 0, reset))
        if first[2] != reset or committed < first[0] or rolled_back < first[1]:
            raise NothingMeasured(
                f"the statistics of database {name!r} were reset within the window (pg_stat_reset): who does that? "
                "Let it rest while the experiment runs"
            )
        commits += committed - first[0]
        rollbacks += rolled_back - first[1]
    return commits, rollbacks


def _mean_ms(before: Snapshot, after: Snapshot) -> tuple[float | None, str | None]:
    """The mean milliseconds of a call over all statements called in the window, or why there is none."""
    if before.statements is None or after.statements is None:
        return None, NOT_INSTALLED
    gone = before.statements.keys() - after.statements.keys()
    fewer = [key for key, (calls, _) in after.statements.items() if calls < before.statements.get(key, (0, 0.0))[0]]
    if before.statements_reset != after.statements_reset or fewer:
        return None, "pg_stat_statements was reset within the window; let it rest while the experiment runs"
    if before.evictions != after.evictions or gone:
        return None, (
            "pg_stat_statements threw out statements within the window, for there are more than it has room for; "
            "raise pg_stat_statements.max"
        )
    calls, total_ms = 0, 0.0
    for key, (called, spent_ms) in after.statements.items():
        first = before.statements.get(key, (0, 0.0))
        calls += called - first[0]
        total_ms += spent_ms - first[1]
    if calls <= 0 or total_ms <= 0:
        return None, (
            "pg_stat_statements counted no statement in the window; is pg_stat_statements.track none, or "
            "compute_query_id off?"
        )
    return total_ms / calls, None
