"""Constraints between knobs: what PostgreSQL 12 to 18 demands, or refuses to start with, and the memory budget.

`repair` brings a configuration within them before it is tried, and tells what it changed and why. It changes tuned
knobs alone; all others count with their live value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from otterflow.dbms.draft import Draft
from otterflow.dbms.postgresql.memory import MEBIBYTE, fit_memory, memory_plan
from otterflow.dbms.values import Repair
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.space import Config, KnobSpace, Value

_AT_MOST = (
    ("max_parallel_workers", "max_worker_processes", "parallel workers are taken from the worker processes"),
    ("max_parallel_workers_per_gather", "max_parallel_workers", "a Gather node cannot get more workers than there are"),
    ("max_parallel_maintenance_workers", "max_parallel_workers", "maintenance cannot get more workers than there are"),
    ("min_wal_size", "max_wal_size", "WAL kept for reuse cannot exceed what forces a checkpoint"),
    ("autovacuum_max_workers", "autovacuum_worker_slots", "autovacuum workers need a slot each (since 18)"),
    ("io_combine_limit", "io_max_combine_limit", "the server caps it there without a word (since 18)"),
)
"""Pairs of knobs in the order they are repaired: the first must not exceed the second, for the reason given."""

_BANKED = ("transaction_buffers", "subtransaction_buffers", "multixact_member_buffers", "multixact_offset_buffers")
_BANK = 16
"""Caches that the server takes in multiples of 16 pages alone (`check_slru_buffers` in slru.c, since 17)."""

_DISK_SHARE = 0.5
"""The part of the free disk that max_wal_size may plan to fill."""


def repair(
    config: Mapping[str, Value],
    live_values: Mapping[str, Value],
    facts: HostFacts,
    *,
    space: KnobSpace | None = None,
) -> tuple[Config, list[Repair]]:
    """Bring a configuration within all constraints; also say what was changed.

    `config` and `live_values` hold canonical values, `live_values` those of the whole server. With `space`, memory
    knobs are not cut below their range. Idempotent: repairing the result changes nothing.
    """
    draft = Draft(config, live_values)
    _wal_segments(draft)
    _wal_fits_the_disk(draft, facts)
    for lower, upper, why in _AT_MOST:
        _at_most(draft, lower, upper, why)
    _whole_banks(draft)
    _minimal_wal(draft)
    _reserved_connections(draft)
    _memory(draft, facts, space)
    return draft.config, draft.repairs()


def _wal_segments(draft: Draft) -> None:
    """Both WAL sizes must be at least two segments, or the server does not start (`check_wal_size` in xlog.c)."""
    segment_mb = math.ceil((draft.number("wal_segment_size") or 16 * MEBIBYTE) / MEBIBYTE)
    for name in ("min_wal_size", "max_wal_size"):
        if draft.tuned(name) and (draft.number(name) or 0) < 2 * segment_mb:
            draft.set(name, 2 * segment_mb, f"must be at least two WAL segments of {segment_mb} MB")


def _wal_fits_the_disk(draft: Draft, facts: HostFacts) -> None:
    if facts.disk_free_bytes is None:
        return
    most = int(facts.disk_free_bytes * _DISK_SHARE / MEBIBYTE)
    segment_mb = math.ceil((draft.number("wal_segment_size") or 16 * MEBIBYTE) / MEBIBYTE)
    for name in ("min_wal_size", "max_wal_size"):
        if draft.tuned(name) and (draft.number(name) or 0) > most:
            reason = f"WAL may plan to fill half of the free disk, {most} MB"
            draft.set(name, max(most, 2 * segment_mb), reason)


def _at_most(draft: Draft, lower: str, upper: str, why: str) -> None:
    """Lower the first knob of a pair where it is tuned, else raise the second."""
    small, large = draft.number(lower), draft.number(upper)
    if small is None or large is None or small <= large:
        return
    if draft.tuned(lower):
        draft.set(lower, large, f"must not exceed {upper} = {large}: {why}")
    elif draft.tuned(upper):
        draft.set(upper, small, f"must not be less than {lower} = {small}: {why}")


def _whole_banks(draft: Draft) -> None:
    for name in _BANKED:
        value = draft.number(name)
        if draft.tuned(name) and value and value % _BANK:
            draft.set(
                name, max(_BANK, int(value) // _BANK * _BANK), f"the server takes multiples of {_BANK} pages alone"
            )


def _minimal_wal(draft: Draft) -> None:
    """wal_level minimal goes with neither WAL senders, archiving nor WAL summaries (`PostmasterMain`)."""
    if draft.get("wal_level") != "minimal":
        return
    blockers = [n for n in ("archive_mode", "summarize_wal") if draft.get(n) not in (None, "off", False)]
    senders = draft.number("max_wal_senders")
    if senders and not (draft.tuned("max_wal_senders") and not blockers):
        blockers.append("max_wal_senders")
    if blockers and draft.tuned("wal_level"):
        reason = f"minimal does not go with {', '.join(blockers)} in force; the server would not start"
        draft.set("wal_level", "replica", reason)
    elif senders and draft.tuned("max_wal_senders"):
        draft.set("max_wal_senders", 0, "must be 0 with wal_level minimal; the server would not start")


def _reserved_connections(draft: Draft) -> None:
    """Reserved connections must be fewer than all of them, or the server does not start."""
    total = draft.number("max_connections")
    reserved = {name: draft.number(name) or 0 for name in ("superuser_reserved_connections", "reserved_connections")}
    if total is None or sum(reserved.values()) < total:
        return
    why = "reserved connections must be fewer than max_connections; the server would not start"
    if draft.tuned("max_connections"):
        draft.set("max_connections", int(sum(reserved.values())) + 1, why)
        return
    for name in reversed(reserved):
        if draft.tuned(name):
            others = sum(value for other, value in reserved.items() if other != name)
            reserved[name] = max(0, min(reserved[name], total - 1 - others))
            draft.set(name, int(reserved[name]), why)


def _memory(draft: Draft, facts: HostFacts, space: KnobSpace | None) -> None:
    total = memory_plan(draft.config, draft.live_values, facts).total_bytes
    for name, value in fit_memory(draft.config, draft.live_values, facts, space).items():
        draft.set(name, value, _memory_reason(total, facts))


def _memory_reason(total_bytes: int, facts: HostFacts) -> str:
    return (
        f"the configuration plans {total_bytes / MEBIBYTE:.0f} MB, and {facts.memory_budget_bytes / MEBIBYTE:.0f} MB "
        f"({facts.memory_share:.0%} of the server's RAM) may be planned"
    )
