"""How much memory a configuration plans to use, and how it is cut to fit the host.

The worst case (every connection sorts and hashes in every node at once) would forbid any useful work_mem, so the plan
takes what is plausible at a busy moment, or the benchmark's connections where those are more; not where they are fewer,
for a single query may sort and hash in several nodes:

    active sessions  a = min(max_connections, max(8, 4 x cores, the benchmark's connections))
    processes        p = a + min(max_parallel_workers, a x max_parallel_workers_per_gather)
    queries            = p x work_mem x (1 + hash_mem_multiplier)            one sort and one hash in each process
    maintenance        = maintenance_work_mem + autovacuum_max_workers x autovacuum_work_mem
    shared             = shared_buffers + wal_buffers + min_dynamic_shared_memory
    total              = shared + queries + a x temp_buffers + maintenance

and holds the total within `HostFacts.memory_budget_bytes`. The share left over is for the processes themselves, small
shared tables and the operating system. Sources: "Resource Consumption" in the PostgreSQL manual (work_mem and
hash_mem_multiplier are per node, autovacuum_work_mem per worker, maintenance_work_mem is shared by parallel workers).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from otterflow.knobs.facts import HostFacts
from otterflow.knobs.space import Config, KnobSpace, Value

MEBIBYTE = 1024**2

_LEAST: dict[str, int | float] = {
    "shared_buffers": 128,
    "wal_buffers": 8,
    "min_dynamic_shared_memory": 0,
    "work_mem": 64,
    "hash_mem_multiplier": 1.0,
    "temp_buffers": 100,
    "maintenance_work_mem": 1024,
    "autovacuum_work_mem": 1024,
}
"""The memory knobs, and how far each may be cut (canonical unit) where no space says."""


@dataclass(frozen=True)
class MemoryPlan:
    """What each memory knob of a configuration plans to use, in bytes.

    `uses` holds for each knob the bytes that one of its unit stands for and its value; their products and `fixed_bytes`
    make the total.
    """

    uses: dict[str, tuple[float, float]]
    fixed_bytes: float

    @property
    def total_bytes(self) -> int:
        """The planned total."""
        return math.ceil(self.fixed_bytes + sum(per_unit * value for per_unit, value in self.uses.values()))


def memory_plan(config: Mapping[str, Value], live_values: Mapping[str, Value], facts: HostFacts) -> MemoryPlan:
    """What a configuration plans to use on a host; knobs it does not hold count with their live value.

    A setting that the server does not have counts as nothing (hash_mem_multiplier as 1).
    """
    values = {**live_values, **config}

    def number(name: str, otherwise: float = 0.0) -> float:
        value = values.get(name, otherwise)
        return otherwise if isinstance(value, str) else float(value)

    block = number("block_size", 8192.0)
    active = max(facts.plausible_sessions, facts.active_sessions)
    helpers = min(number("max_parallel_workers"), active * number("max_parallel_workers_per_gather"))
    hash_factor = number("hash_mem_multiplier", 1.0)
    vacuums = number("autovacuum_max_workers")
    own_vacuum_memory = number("autovacuum_work_mem", -1.0) >= 0
    queries_kb = (active + helpers) * 1024
    per_unit = {
        "shared_buffers": block,
        "wal_buffers": block,
        "min_dynamic_shared_memory": MEBIBYTE,
        "temp_buffers": active * block,
        "maintenance_work_mem": 1024 * (1 if own_vacuum_memory else 1 + vacuums),
        "autovacuum_work_mem": 1024 * vacuums,
    }
    fixed = 0.0
    if "hash_mem_multiplier" in config and "work_mem" not in config:
        per_unit["hash_mem_multiplier"] = queries_kb * number("work_mem")
        fixed = queries_kb * number("work_mem")
    else:
        per_unit["work_mem"] = queries_kb * (1 + hash_factor)
    if number("wal_buffers") < 0:
        fixed += min(number("shared_buffers") * block / 32, number("wal_segment_size", 16 * MEBIBYTE))
    return MemoryPlan({name: (size, max(0.0, number(name))) for name, size in per_unit.items()}, fixed)


def fit_memory(
    config: Mapping[str, Value], live_values: Mapping[str, Value], facts: HostFacts, space: KnobSpace | None
) -> Config:
    """The memory knobs of a configuration that must be cut to fit the budget, with their new values.

    The biggest consumers are cut first, down to a common level, so that a sensible knob does not pay for an excessive
    one. No knob is cut below its range in `space`; where even that is not enough, hash_mem_multiplier goes to its
    least as well, and what is left over stays.
    """
    if memory_plan(config, live_values, facts).total_bytes <= facts.memory_budget_bytes:
        return {}
    cut = _level(config, live_values, facts, space)
    if memory_plan({**config, **cut}, live_values, facts).total_bytes > facts.memory_budget_bytes:
        least_factor = _least("hash_mem_multiplier", space)
        if float(config.get("hash_mem_multiplier", 0)) > least_factor:
            less_hash = {**config, "hash_mem_multiplier": least_factor}
            cut = {"hash_mem_multiplier": least_factor, **_level(less_hash, live_values, facts, space)}
    return {name: value for name, value in cut.items() if value != config[name]}


def _level(
    config: Mapping[str, Value], live_values: Mapping[str, Value], facts: HostFacts, space: KnobSpace | None
) -> Config:
    """All tuned memory knobs, cut to the highest common level of bytes at which the plan fits the budget."""
    plan = memory_plan(config, live_values, facts)
    tuned = {name: use for name, use in plan.uses.items() if name in config and use[0] * use[1] > 0}
    untuned_bytes = plan.fixed_bytes + sum(a * b for name, (a, b) in plan.uses.items() if name not in tuned)

    def at(level: float) -> Config:
        return {
            name: _cut(name, value, level / per_unit, per_unit, _least(name, space))
            for name, (per_unit, value) in tuned.items()
        }

    def total(level: float) -> float:
        return untuned_bytes + sum(tuned[name][0] * float(value) for name, value in at(level).items())

    low, high = 0.0, float(max((a * b for a, b in tuned.values()), default=0.0))
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if total(middle) <= facts.memory_budget_bytes else (low, middle)
    return at(low)


def _cut(name: str, value: float, limit: float, per_unit: float, least: float) -> Value:
    """The value, at most `limit` and at least `least`; above 16 MB in whole MB, as a person would write it."""
    if name == "hash_mem_multiplier":
        return min(value, max(least, math.floor(limit * 100) / 100))
    if value <= limit:
        return int(value)
    whole = math.floor(limit)
    unit = {"shared_buffers": per_unit, "wal_buffers": per_unit, "min_dynamic_shared_memory": per_unit}.get(name, 1024)
    step = max(1, int(MEBIBYTE // unit))
    tidy = whole // step * step if whole >= 16 * step else whole
    return int(min(value, max(least, tidy)))


def _least(name: str, space: KnobSpace | None) -> int | float:
    return space[name].low if space is not None and name in space else _LEAST[name]
