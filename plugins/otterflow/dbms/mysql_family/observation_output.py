"""Reads the two snapshots of an observation: statements per second, and their mean time where they are counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from otterflow.dbms.live_window import snapshot_of
from otterflow.dbms.mysql_family.observation_sql import AFTER_FILE, BEFORE_FILE
from otterflow.errors import BenchmarkFailed, NothingMeasured
from otterflow.measures.result import BenchmarkResult

NOT_COUNTED = "the server does not time statements, or its user may not read that"
_SLACK_S = 2.0
"""The server tells its uptime in whole seconds."""
_MISSED, _MISSED_SHARE = 20, 0.1
"""By how much the statements that were timed may differ from those that were answered: the two are not read at once."""


@dataclass(frozen=True)
class Timed:
    """The sums over the statements that the performance schema has timed.

    Of one database they are from its digests: `lost` are statements that found no room there, and `first_seen` is when
    the oldest shape was first met, so that a later one says that the table was emptied meanwhile. Of all databases both
    are None.
    """

    calls: int
    total_ns: int
    errors: int
    lost: int | None = None
    first_seen: str | None = None

    @property
    def of_one_database(self) -> bool:
        """Whether these are from the digests."""
        return self.lost is not None


@dataclass(frozen=True)
class Snapshot:
    """A server's counters at `epoch_s`; `own_questions` are the observation's of all its `questions`."""

    epoch_s: float
    uptime_s: float
    since_flush_s: float
    questions: int
    own_questions: int
    rollbacks: int
    timed: Timed | None

    @classmethod
    def read(cls, text: str, name: str) -> Snapshot:
        """The snapshot from the session's line. Raises BenchmarkFailed if it is empty, cut short, or none at all."""
        return snapshot_of(text, name, cls._of)

    @classmethod
    def _of(cls, record: dict[str, Any]) -> Snapshot:
        timed = None
        if "calls" in record:
            named = [column for column in ("calls", "total_ns", "errors", "lost") if column in record]
            timed = Timed(**{column: int(record[column]) for column in named}, first_seen=record.get("first_seen"))
        return cls(
            epoch_s=float(record["epoch_s"]),
            uptime_s=float(record["uptime_s"]),
            since_flush_s=float(record["since_flush_s"]),
            questions=int(record["questions"]),
            own_questions=int(record["own_questions"]),
            rollbacks=int(record["rollbacks"]),
            timed=timed,
        )


def read_result(results: Mapping[str, str], least_statements: int) -> BenchmarkResult:
    """The result of a window: `throughput` and `transactions` are of statements, `latency_ms` has their mean only.

    `errors` are the statements that failed, or the rollbacks where the server does not time statements; `absent` then
    says so. Raises NothingMeasured, with a sentence, for an idle server and for counters that were reset.
    """
    before = Snapshot.read(results.get(BEFORE_FILE, ""), BEFORE_FILE)
    after = Snapshot.read(results.get(AFTER_FILE, ""), AFTER_FILE)
    seconds = after.epoch_s - before.epoch_s
    if seconds <= 0:
        raise NothingMeasured(f"the server's clock went back by {-seconds:.1f} s within the window")
    if after.uptime_s < before.uptime_s or after.uptime_s < seconds - _SLACK_S:
        raise BenchmarkFailed("the server was restarted within the window, and its counters began anew")
    if before.timed is not None and after.timed is not None and after.timed.of_one_database:
        statements, errors, mean_ms, why_not = _of_one_database(before.timed, after.timed)
    else:
        statements, errors, mean_ms, why_not = _of_all(before, after, seconds)
    if statements < least_statements:
        raise NothingMeasured(
            f"{max(0, statements)} statements were answered within {seconds:.0f} s, fewer than least_transactions "
            f"({least_statements}): the server is idle or nearly so; observe for longer, or while there is load"
        )
    return BenchmarkResult(
        throughput=statements / seconds,
        latency_ms={} if mean_ms is None else {"mean": mean_ms},
        errors=errors,
        transactions=statements,
        seconds=seconds,
        absent={} if mean_ms is not None else {"latency_mean": why_not},
    )


Counted = tuple[int, int, float | None, str]
"""Statements, errors, and the statements' mean milliseconds, or why there is none."""


def _of_all(before: Snapshot, after: Snapshot, seconds: float) -> Counted:
    """All clients' statements but the observation's own."""
    flushed = after.since_flush_s < before.since_flush_s or after.since_flush_s < seconds - _SLACK_S
    if flushed or after.questions < before.questions or after.rollbacks < before.rollbacks:
        raise NothingMeasured(
            "the server's counters were reset within the window (FLUSH STATUS): who does that? Let it rest meanwhile"
        )
    own = after.own_questions - before.own_questions
    answered, rollbacks = after.questions - before.questions - own, after.rollbacks - before.rollbacks
    if before.timed is None or after.timed is None:
        return answered, rollbacks, None, NOT_COUNTED
    calls = after.timed.calls - before.timed.calls
    if calls <= 0 or abs(calls - answered) > _MISSED + _MISSED_SHARE * answered:
        return answered, rollbacks, None, (
            f"the performance schema has timed {calls} statements where {answered} were answered: it was emptied "
            "within the window (TRUNCATE TABLE), or some of its instruments statement/% are off"
        )  # fmt: skip
    return answered, after.timed.errors - before.timed.errors, _mean_ms(before.timed, after.timed), ""


def _of_one_database(before: Timed, after: Timed) -> Counted:
    """The statements of the digests."""
    emptied = before.first_seen is not None and before.first_seen != after.first_seen
    if emptied or after.calls < before.calls or after.total_ns < before.total_ns:
        raise NothingMeasured(
            "events_statements_summary_by_digest was emptied within the window (TRUNCATE TABLE): who does that? Let it "
            "rest meanwhile"
        )
    calls, errors = after.calls - before.calls, after.errors - before.errors
    if (after.lost or 0) > (before.lost or 0):
        return calls, errors, None, (
            "statements found no room in events_statements_summary_by_digest within the window; raise "
            "performance_schema_digests_size"
        )  # fmt: skip
    if calls <= 0:
        return calls, errors, None, "no statement was timed in the window"
    return calls, errors, _mean_ms(before, after), ""


def _mean_ms(before: Timed, after: Timed) -> float:
    return (after.total_ns - before.total_ns) / (after.calls - before.calls) / 1e6
