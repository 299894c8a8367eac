"""Constraints between knobs: what the servers of the family change or refuse, and the memory budget.

`repair` brings a configuration within them before it is tried, and tells what it changed and why. It changes tuned
knobs alone; all others count with their live value. A number of bytes is also rounded as the server would round it,
without a word: what was asked for is then what is read back. Which constraints hold is seen from the settings that the
server has, so one module serves both products and all versions.
"""

from __future__ import annotations

from collections.abc import Mapping

from otterflow.dbms.mysql_family.draft import RoundingDraft
from otterflow.dbms.mysql_family.memory import POOL, fit_memory, memory_plan
from otterflow.dbms.mysql_family.sizes import BLOCKS, MIB
from otterflow.dbms.values import Repair
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.space import Config, KnobSpace, Value

CHUNK, INSTANCES = "innodb_buffer_pool_chunk_size", "innodb_buffer_pool_instances"
REDO = ("innodb_redo_log_capacity", "innodb_log_file_size")

_AT_MOST = (
    ("innodb_io_capacity", "innodb_io_capacity_max", 1, "the server changes one of them without a word"),
    ("innodb_max_dirty_pages_pct_lwm", "innodb_max_dirty_pages_pct", 1, "writing ahead begins before full rate"),
    ("innodb_page_cleaners", INSTANCES, 1, "a part of the pool has one cleaner at most"),
    ("innodb_doublewrite_files", INSTANCES, 2, "the server makes at most two for each part of the pool"),
    ("join_buffer_size", "join_buffer_space_limit", 1, "a statement's buffers take no more together"),
    ("thread_cache_size", "max_connections", 1, "more threads than connections are never kept"),
    ("innodb_open_files", "open_files_limit", 1, "the server may open no more"),
)
"""Pairs of knobs in the order they are repaired: the first must not exceed so many times the second, and why."""

_DISK_SHARE = 0.25
"""The part of the free disk that the redo may plan to fill."""

_POOL_PARTS_FROM = 1024 * MIB
"""A pool below this has one part, whatever is asked for (MySQL manual, innodb_buffer_pool_instances)."""

_MOST_ROUNDS = 8

_TABLES, _OPEN_FILES, _LEAST_TABLES = "table_open_cache", "open_files_limit", 400
_OTHER_FILES = 64
"""Files that the server opens beside those of tables and connections."""


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
    draft = RoundingDraft(config, live_values)
    for _ in range(_MOST_ROUNDS):
        before = dict(draft.config)
        _bring_within(draft, facts, space)
        if draft.config == before:
            break
    return draft.config, draft.repairs()


def _bring_within(draft: RoundingDraft, facts: HostFacts, space: KnobSpace | None) -> None:
    """Each constraint once; a later one may break an earlier one, as a pool of one whole chunk the memory budget."""
    _whole_blocks(draft, space)
    _query_cache(draft)
    _one_limit_of_temporary_tables(draft)
    _redo_fits_the_disk(draft, facts)
    _log_buffer_below_the_redo(draft)
    _memory(draft, facts, space)
    _parts_of_the_pool(draft)
    for lower, upper, times, why in _AT_MOST:
        _at_most(draft, lower, upper, times, why)
    _open_files(draft)


def _query_cache(draft: RoundingDraft) -> None:
    """A query cache with a size is on, and one without is off, whatever is asked for."""
    kind, size = draft.get("query_cache_type"), draft.number("query_cache_size")
    if kind is None or size is None:
        return
    if draft.tuned("query_cache_size") and kind == "OFF" and size != draft.live_values.get("query_cache_size"):
        draft.set("query_cache_size", 0, "a server with a size for it turns the query cache on")
    elif draft.tuned("query_cache_type") and kind != "OFF" and size == 0:
        draft.set("query_cache_type", "OFF", "there is no query cache without a size")


def _one_limit_of_temporary_tables(draft: RoundingDraft) -> None:
    """Of the two limits the smaller holds; where both are tuned they are one knob."""
    table, heap = "tmp_table_size", "max_heap_table_size"
    if draft.tuned(table) and draft.tuned(heap):
        size = _in_blocks(table, int(draft.number(table) or 0), draft)
        draft.set(heap, max(size, BLOCKS[table]), f"the smaller of it and {table} holds, so they are one knob")


def _redo_fits_the_disk(draft: RoundingDraft, facts: HostFacts) -> None:
    if facts.disk_free_bytes is None:
        return
    for name in REDO:
        files = draft.number("innodb_log_files_in_group") or 1 if name == "innodb_log_file_size" else 1
        most = int(facts.disk_free_bytes * _DISK_SHARE / files) // MIB * MIB
        value = draft.number(name)
        if draft.tuned(name) and value is not None and value > most and value != draft.live_values.get(name):
            draft.set(
                name, max(most, 8 * MIB), f"the redo may plan to fill a quarter of the free disk, {most // MIB} MB"
            )


def _log_buffer_below_the_redo(draft: RoundingDraft) -> None:
    name = "innodb_log_buffer_size"
    redo = next((draft.number(redo) for redo in REDO if draft.number(redo) is not None), None)
    buffer = draft.number(name)
    if redo is not None and buffer is not None and draft.tuned(name) and buffer >= redo:
        draft.set(name, int(redo / 2) // MIB * MIB, f"must be less than the redo, {redo / MIB:.0f} MB")


def _memory(draft: RoundingDraft, facts: HostFacts, space: KnobSpace | None) -> None:
    total = memory_plan(draft.config, draft.live_values, facts).total_bytes
    reason = (
        f"the configuration plans {total / MIB:.0f} MB, and {facts.memory_budget_bytes / MIB:.0f} MB "
        f"({facts.memory_share:.0%} of the server's RAM) may be planned"
    )
    for name, value in fit_memory(draft.config, draft.live_values, facts, space).items():
        draft.set(name, value, reason)


def _whole_blocks(draft: RoundingDraft, space: KnobSpace | None) -> None:
    for name, value in draft.config.items():
        if BLOCKS.get(name, 1) > 1 and isinstance(value, int) and not isinstance(value, bool):
            whole = _in_blocks(name, value, draft)
            below = space is not None and name in space and whole < space[name].low <= value
            draft.round(name, whole + BLOCKS[name] if below else whole)


def _in_blocks(name: str, value: int, draft: RoundingDraft) -> int:
    """The value in whole blocks, at least one; 0 and what is in force stay, for the server has taken them."""
    if value <= 0 or value == draft.live_values.get(name):
        return value
    return max(1, value // BLOCKS[name]) * BLOCKS[name]


def _parts_of_the_pool(draft: RoundingDraft) -> None:
    """MySQL's pool has as many bytes as whole chunks in each of its parts; a small pool has one part."""
    pool, chunk, parts = (draft.number(name) for name in (POOL, CHUNK, INSTANCES))
    if not (pool and chunk and parts):
        return
    if draft.tuned(INSTANCES):
        most = max(1, int(pool // chunk)) if pool >= _POOL_PARTS_FROM else 1
        if parts > most:
            parts = most
            why = f"the pool of {pool / MIB:.0f} MB has no more parts of {chunk / MIB:.0f} MB; below 1 GB it has one"
            draft.set(INSTANCES, most, why)
    step = int(chunk * parts)
    if draft.tuned(POOL) and pool % step and pool != draft.live_values.get(POOL):
        draft.round(POOL, max(1, int(pool // step)) * step)


def _at_most(draft: RoundingDraft, lower: str, upper: str, times: int, why: str) -> None:
    """Lower the first knob of a pair where it is tuned, else raise the second."""
    small, large = draft.number(lower), draft.number(upper)
    if small is None or large is None or small <= large * times:
        return
    of = f"{times} x {upper}" if times > 1 else upper
    if draft.tuned(lower):
        draft.set(lower, large * times, f"must not exceed {of} = {large * times:g}: {why}")
    elif draft.tuned(upper):
        draft.set(upper, -(-int(small) // times), f"{lower} = {small:g} must not exceed {of}: {why}")


def _open_files(draft: RoundingDraft) -> None:
    """Each table may take two files; where the server may open fewer, it lowers the cache itself."""
    tables, files = draft.number(_TABLES), draft.number(_OPEN_FILES)
    if tables is None or not files or not draft.tuned(_TABLES):
        return
    connections = draft.number("max_connections") or 0
    most = max(_LEAST_TABLES, int(files - connections - _OTHER_FILES) // 2, int(draft.live_values.get(_TABLES) or 0))
    if tables > most:
        draft.set(_TABLES, most, f"the server may open {files:.0f} files (open_files_limit), and a table may take two")
