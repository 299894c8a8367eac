"""How much memory a configuration of the family plans to use, and how it is cut to fit the host.

The worst case (every connection takes every buffer at once) would forbid any useful value, so the plan takes the
connections that the load has at work, or what is plausible at a busy moment of a load that is not known:

    active sessions  a = min(max_connections, the benchmark's connections, else max(8, 4 x cores))
    shared             = 1.08 x innodb_buffer_pool_size + innodb_log_buffer_size + key_buffer_size
                         + aria_pagecache_buffer_size + query_cache_size where it is on + temptable_max_ram
    a session          = thread_stack + net_buffer_length + sort_buffer_size + join_buffer_size + read_buffer_size
                         + read_rnd_buffer_size + mrr_buffer_size + binlog_cache_size
                         + the smaller of tmp_table_size and max_heap_table_size, where temporary tables are its own
    total              = shared + a x session

and holds the total within `HostFacts.memory_budget_bytes`. 8 % is what InnoDB takes beside the pages for their
descriptors, latches and hash tables (5 to 10 %, MySQL manual, "Configuring InnoDB Buffer Pool Size"). The sum over
sessions is MySQLTuner's, with the sessions that may be active in place of max_connections. Every buffer is in bytes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from otterflow.dbms.mysql_family.sizes import BLOCKS, MIB
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.space import Config, KnobSpace, Value

POOL = "innodb_buffer_pool_size"
POOL_OVERHEAD = 1.08
_SHARED = ("innodb_log_buffer_size", "key_buffer_size", "aria_pagecache_buffer_size", "temptable_max_ram")
_OF_A_SESSION = (
    "thread_stack", "net_buffer_length", "sort_buffer_size", "join_buffer_size", "read_buffer_size",
    "read_rnd_buffer_size", "mrr_buffer_size", "binlog_cache_size",
)  # fmt: skip
_LEAST = {POOL: 8 * MIB, "innodb_log_buffer_size": 2 * MIB, "aria_pagecache_buffer_size": MIB}
"""How far a knob may be cut where no space says; all others to 16 kB."""


@dataclass(frozen=True)
class MemoryPlan:
    """What a configuration plans to use, in bytes.

    `uses` holds for each knob how often its bytes are taken, and its value.
    """

    uses: dict[str, tuple[float, float]]

    @property
    def total_bytes(self) -> int:
        """The planned total."""
        return math.ceil(sum(times * value for times, value in self.uses.values()))


def memory_plan(config: Mapping[str, Value], live_values: Mapping[str, Value], facts: HostFacts) -> MemoryPlan:
    """What a configuration plans to use on a host; knobs it does not hold count with their live value.

    A setting that the server does not have counts as nothing.
    """
    values = {**live_values, **config}
    active = facts.active_sessions
    times: dict[str, float] = {
        POOL: POOL_OVERHEAD,
        **dict.fromkeys(_SHARED, 1.0),
        **dict.fromkeys(_OF_A_SESSION, active),
    }
    if values.get("query_cache_type", "OFF") not in ("OFF", False):
        times["query_cache_size"] = 1.0
    if "temptable_max_ram" not in values or values.get("internal_tmp_mem_storage_engine") == "MEMORY":
        times[_temporary_table(config, values)] = active
    return MemoryPlan({name: (often, _number(values.get(name))) for name, often in times.items()})


def _temporary_table(config: Mapping[str, Value], values: Mapping[str, Value]) -> str:
    """Which of the two limits of a temporary table counts: the smaller, of two equal ones that which is tuned."""
    table, heap = "tmp_table_size", "max_heap_table_size"
    if _number(values.get(table)) == _number(values.get(heap)):
        return table if table in config or heap not in config else heap
    return min(table, heap, key=lambda name: _number(values.get(name)))


def fit_memory(
    config: Mapping[str, Value], live_values: Mapping[str, Value], facts: HostFacts, space: KnobSpace | None
) -> Config:
    """The memory knobs of a configuration that must be cut to fit the budget, with their new values.

    The biggest consumers are cut first, down to a common level, so that a sensible knob does not pay for an excessive
    one. No knob is cut below its range in `space`; where even that is not enough, what is left over stays.
    """
    plan = memory_plan(config, live_values, facts)
    if plan.total_bytes <= facts.memory_budget_bytes:
        return {}
    tuned = {name: use for name, use in plan.uses.items() if name in config and use[0] * use[1] > 0}
    others = sum(often * value for name, (often, value) in plan.uses.items() if name not in tuned)

    def at(level: float) -> Config:
        return {name: _cut(name, value, level / often, _least(name, space)) for name, (often, value) in tuned.items()}

    def total(level: float) -> float:
        return others + sum(tuned[name][0] * float(value) for name, value in at(level).items())

    low, high = 0.0, max((often * value for often, value in tuned.values()), default=0.0)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if total(middle) <= facts.memory_budget_bytes else (low, middle)
    return {name: value for name, value in at(low).items() if value != config[name]}


def _cut(name: str, value: float, limit: float, least: float) -> int:
    """The value, at most `limit` and at least `least`; above 16 MB in whole MB, as a person would write it."""
    if value <= limit:
        return int(value)
    step = MIB if limit >= 16 * MIB else BLOCKS.get(name, 1)
    return int(min(value, max(least, limit // step * step)))


def _least(name: str, space: KnobSpace | None) -> int | float:
    return space[name].low if space is not None and name in space else _LEAST.get(name, 16 * 1024)


def _number(value: Value | None) -> float:
    return 0.0 if value is None or isinstance(value, str) else max(0.0, float(value))
