"""A mix's result as JSON. It holds no text of a statement and no value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from otterflow.workloads.replay.replayer.mix.mix_run import MixTally
from otterflow.workloads.replay.replayer.mix.store import Kind, Store
from otterflow.workloads.replay.replayer.outcome import FORMAT, MOST_CLASSES, classes_record, replayer_record
from otterflow.workloads.replay.replayer.ran import Ran
from otterflow.workloads.replay.replayer.server_times import ServerTimes
from otterflow.workloads.replay.replayer.settings import MixSettings


def mix_record(ran: Ran, store: Store, settings: MixSettings, server: ServerTimes) -> dict[str, object]:
    """What was done within the time and how long it took, what the mix covers of the recording, and what it left out.

    Rates are of what ended within `seconds`; times are of all that ended, also in the seconds after.
    """
    tally = ran.tally
    if not isinstance(tally, MixTally):
        raise TypeError("a mix counts in a MixTally")
    why_not = ran.not_driven(None if settings.rate is None else settings.most_own_lateness_ms)
    seconds = min(settings.duration_s, ran.seconds) or 1e-9
    draws = sum(tally.drawn.values())
    return {
        "format": FORMAT,
        "seconds": round(seconds, 3),
        "clients": ran.connections,
        "rate": settings.rate,
        "seed": settings.seed,
        "statements": {
            "done": tally.done,
            "done_in_time": tally.statements_in_time,
            "skipped_after_an_error": tally.skipped,
            "unfinished": tally.unfinished,
            "set_up": tally.set_up,
        },
        "transactions": tally.transactions_in_time,
        "errors": dict(tally.errors),
        "ended_by_replayer": tally.ended_by_replayer,
        "statements_per_s": round(tally.statements_in_time / seconds, 3),
        "transactions_per_s": round(tally.transactions_in_time / seconds, 3),
        "statement_seconds": round(tally.times.total_ms / 1000, 6),
        "server_times": server.to_record(),
        "latency_ms": tally.times.summary(),
        "transaction_ms": tally.transactions.summary(),
        "lateness_ms": tally.lateness.summary(),
        "sample": {
            "kept": store.kept,
            "recorded": sum(kind.units for kind in store.kinds),
            "kinds": len(store.kinds),
            "draws": draws,
            "repeated": tally.repeated,
        },
        "covers": _covers(store, tally),
        "replayer": replayer_record(ran),
        "cut": ran.cut,
        "driven": not why_not,
        "not_driven": why_not,
        "classes": classes_record(tally, server)[:MOST_CLASSES],
    }


def covered(store: Store) -> str:
    """A sentence on what a mix can draw of the recording."""
    covers = _covers(store, MixTally())
    left_out = covers["left_out"]
    reasons = [f"{out['statements']} statements: {reason}" for reason, out in left_out.items()]
    return f"the mix covers {covers['share']:.1%} of the recorded {covers['by']}" + (
        f"; left out: {'; '.join(reasons)}" if reasons else ""
    )


def _covers(store: Store, tally: MixTally) -> dict[str, Any]:
    """The share of the recorded server time that the mix can draw, and that this run has drawn; else of statements."""
    by_time = store.seconds > 0
    whole = (store.seconds if by_time else store.statements) or 1

    set_up = store.settings.seconds if by_time else store.settings.statements

    def share(kinds: Iterable[Kind]) -> float:
        return round((set_up + sum(kind.seconds if by_time else kind.statements for kind in kinds)) / whole, 6)

    left_out = {
        reason: {"statements": out.statements, "share": round((out.seconds if by_time else out.statements) / whole, 6)}
        for reason, out in sorted(store.left_out.items(), key=lambda pair: (-pair[1].seconds, -pair[1].statements))
    }
    return {
        "by": "seconds" if by_time else "statements",
        "share": share(store.kinds),
        "drawn_share": share(store.kinds[number] for number, drawn in tally.drawn.items() if drawn),
        "statements": store.statements,
        "settings": store.settings.statements,
        "left_out": left_out,
    }
