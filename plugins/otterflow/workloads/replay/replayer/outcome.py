"""A replay's result as JSON. It holds no text of a statement and no value."""

from __future__ import annotations

from typing import Any

from otterflow.workloads.replay.replayer.ran import Ran
from otterflow.workloads.replay.replayer.server_times import ServerTimes
from otterflow.workloads.replay.replayer.settings import FAST, ReplaySettings
from otterflow.workloads.replay.replayer.spool import Spool
from otterflow.workloads.replay.replayer.tally import Tally

FORMAT = 1
MOST_CLASSES = 1000
"""How many classes are told one by one, those with the most time."""


def to_record(
    ran: Ran, spool: Spool, settings: ReplaySettings, server: ServerTimes, *, open_stream: bool
) -> dict[str, object]:
    """What was sent and what not, times in all and by class, errors by SQLSTATE, and whether it is to be believed.

    `open_stream` says that each transaction was sent at its recorded time.
    """
    tally = ran.tally
    why_not = ran.not_driven(None if settings.schedule == FAST else settings.most_own_lateness_ms)
    seconds, classes = ran.seconds or 1e-9, classes_record(tally, server)
    return {
        "format": FORMAT,
        "schedule": settings.schedule,
        "factor": settings.factor,
        "open_stream": open_stream,
        "seconds": round(ran.seconds, 3),
        "connections": ran.connections,
        "statements": {
            "recorded": spool.recorded,
            "left_out": dict(spool.left_out),
            "told": dict(spool.told),
            "to_send": spool.statements,
            "done": tally.done,
            "skipped_after_an_error": tally.skipped,
            "not_sent": tally.not_sent,
        },
        "transactions": tally.transactions.number,
        "ended_by_replayer": tally.ended_by_replayer,
        "errors": dict(tally.errors),
        "statements_per_s": round(tally.done / seconds, 3),
        "transactions_per_s": round(tally.transactions.number / seconds, 3),
        "statement_seconds": round(tally.times.total_ms / 1000, 6),
        "server_times": server.to_record(),
        "latency_ms": tally.times.summary(),
        "transaction_ms": tally.transactions.summary(),
        "lateness_ms": tally.lateness.summary(),
        "replayer": replayer_record(ran),
        "cut": ran.cut,
        "driven": not why_not,
        "not_driven": why_not,
        "classes": classes[:MOST_CLASSES],
        "other_classes": {
            name: sum(each[name] for each in classes[MOST_CLASSES:]) for name in ("calls", "seconds", "rows")
        },
    }


def replayer_record(ran: Ran) -> dict[str, object]:
    """What the replayer itself took, and how late it was."""
    return {
        "cpu_share": round(ran.cpu_share, 3),
        "processes": [
            {
                "cpu_share": round(each.cpu_share, 3),
                "statements": each.statements,
                "own_lateness_p99_ms": round(each.own_lateness_p99_ms, 4),
            }
            for each in ran.processes
        ],
        "own_lateness_ms": ran.tally.own_lateness.summary(),
        "timer_lag_ms": ran.lag.summary(),
    }


def classes_record(tally: Tally, server: ServerTimes) -> list[dict[str, Any]]:
    """The classes with their times at the client, and at the server where it told them."""
    return [{**each, "server": server.record_of(str(each["class"]))} for each in tally.classes_json()]
