"""The rule-based configuration: what a good DBA would set from RAM, cores, disk, connections and kind of workload.

It is the first configuration tried after the baseline, and the second baseline that results are compared with. Each
rule names its source; docs/knobs.md lists them. It sets no knob of a locked risk class.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from otterflow.dbms.postgresql.versions import NEWEST, OLDEST
from otterflow.dbms.values import RuleBased
from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Config, Value
from otterflow.language.quantities import Quantity

GIB, MIB, KIB = 1024**3, 1024**2, 1024

PGTUNE = "pgtune"
MANUAL = "PostgreSQL manual"

_TYPICAL_CONNECTIONS = {"oltp": 300, "web": 200, "analytics": 40, "mixed": 100}
_WAL_GIB = {"oltp": (2, 8), "web": (1, 4), "analytics": (4, 16), "mixed": (1, 4)}
_MOST_MAINTENANCE = 2 * GIB
_TIDY_FROM = 16 * MIB


@dataclass
class _Rules:
    """Collects settings. Sizes come in bytes, times in seconds, and are put in the server's own units and limits."""

    facts: HostFacts
    kind: str
    live: Mapping[str, LiveSetting]
    config: Config = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def size(self, name: str, size_bytes: float, rule: str, source: str) -> None:
        """Larger sizes in whole megabytes, as a person would write them."""
        tidy = size_bytes // MIB * MIB if size_bytes >= _TIDY_FROM else size_bytes
        self._number(name, Quantity(tidy, "size"), rule, source)

    def time(self, name: str, seconds: float, rule: str, source: str) -> None:
        self._number(name, Quantity(seconds * 1e6, "time"), rule, source)

    def number(self, name: str, value: float, rule: str, source: str) -> None:
        self._number(name, Quantity(value, "number"), rule, source)

    def word(self, name: str, value: Value, rule: str, source: str) -> None:
        if name in self.live:
            self.config[name], self.reasons[name] = value, f"{rule} ({source})"

    def _number(self, name: str, quantity: Quantity, rule: str, source: str) -> None:
        setting = self.live.get(name)
        if setting is None or setting.minimum is None or setting.maximum is None:
            return
        try:
            wanted = quantity.in_unit(setting.unit)
        except InvalidInput:  # on this server the setting means something else than the rule speaks of
            return
        value = min(setting.maximum, max(setting.minimum, wanted))
        self.config[name] = int(value) if setting.vartype == "integer" else float(value)
        self.reasons[name] = f"{rule} ({source})"


def rule_based(facts: HostFacts, kind: str, live: Mapping[str, LiveSetting], *, server_version: int) -> RuleBased:
    """What the rules set for a server on a host under a kind of workload.

    `server_version` is the major version. Raises InvalidInput for an unknown kind or a version the rules do not know.
    """
    if not OLDEST <= server_version <= NEWEST:
        advice = f"the rules are for {OLDEST} to {NEWEST}"
        raise InvalidInput(Problem("server_version", f"{server_version} is not known", advice))
    if kind not in _TYPICAL_CONNECTIONS:
        advice = f"use one of {', '.join(_TYPICAL_CONNECTIONS)}"
        raise InvalidInput(Problem("kind of workload", f"{kind!r} is unknown", advice))
    rules = _Rules(facts, kind, live)
    for apply in _ALL:
        apply(rules)
    return RuleBased(rules.config, rules.reasons)


def _caches(rules: _Rules) -> None:
    ram = rules.facts.ram_bytes
    rules.size("shared_buffers", ram / 4, "a quarter of the RAM", f"{MANUAL}, shared_buffers; {PGTUNE}")
    rules.size("effective_cache_size", ram * 3 / 4, "three quarters of the RAM", f"{PGTUNE}; PostgreSQL wiki, Tuning")
    wal = min(16 * MIB, ram / 4 * 0.03)
    wal = 16 * MIB if wal > 14 * MIB else max(32 * KIB, wal)
    rules.size("wal_buffers", wal, "3 % of shared_buffers, at most 16 MB", f"{MANUAL}, wal_buffers; {PGTUNE}")


def _query_memory(rules: _Rules) -> None:
    ram, cores = rules.facts.ram_bytes, rules.facts.cores
    sessions = min(rules.facts.max_connections, _TYPICAL_CONNECTIONS[rules.kind])
    workers = cores if cores >= 4 else 8
    work_mem = (ram - ram / 4) / ((sessions + workers) * 3)
    if rules.kind in ("analytics", "mixed"):
        work_mem /= 2
    rule = f"RAM without shared_buffers, over 3 nodes of {sessions} sessions and {workers} workers"
    rules.size(
        "work_mem", max(4 * MIB, work_mem), rule + (", halved" if rules.kind in ("analytics", "mixed") else ""), PGTUNE
    )
    rules.number("hash_mem_multiplier", 2, "hashes may use twice work_mem", "default since 15, release notes")


def _maintenance(rules: _Rules) -> None:
    part = 8 if rules.kind == "analytics" else 16
    size = min(_MOST_MAINTENANCE, rules.facts.ram_bytes / part)
    rules.size("maintenance_work_mem", size, f"1/{part} of the RAM, at most 2 GB", PGTUNE)
    if rules.facts.cores >= 16:
        workers = 5 if rules.facts.cores >= 32 else 4
        rules.number("autovacuum_max_workers", workers, "4 from 16 cores, 5 from 32", PGTUNE)


def _checkpoints(rules: _Rules) -> None:
    low, high = (size * GIB for size in _WAL_GIB[rules.kind])
    rule = f"{high // GIB} GB for {rules.kind}"
    if rules.facts.disk_free_bytes is not None and rules.facts.disk_free_bytes / 4 < high:
        high = max(GIB, rules.facts.disk_free_bytes // 4)
        low, rule = min(low, high // 4), "a quarter of the free disk, at least 1 GB"
    rules.size("min_wal_size", low, f"{low / GIB:g} GB for {rules.kind}", PGTUNE)
    rules.size("max_wal_size", high, rule, PGTUNE)
    rules.time("checkpoint_timeout", 900, "15 min: fewer full page images", f"practice; {MANUAL}, WAL Configuration")
    rules.number("checkpoint_completion_target", 0.9, "spread the writes", f"{MANUAL}, default since 14; {PGTUNE}")


def _wal(rules: _Rules) -> None:
    setting = rules.live.get("wal_compression")
    if setting is None:
        return
    if setting.vartype == "bool":
        rules.word("wal_compression", True, "less WAL for little CPU time", PGTUNE)
    else:
        method = "lz4" if "lz4" in setting.enumvals else "pglz"
        rules.word("wal_compression", method, "less WAL for little CPU time; lz4 where built in", PGTUNE)


def _disk(rules: _Rules) -> None:
    ssd = rules.facts.disk == "ssd"
    cost, depth = (1.1, 200) if ssd else (4.0, 2)
    rules.number("random_page_cost", cost, f"{cost:g} on {rules.facts.disk}", PGTUNE)
    rules.number("effective_io_concurrency", depth, f"{depth} on {rules.facts.disk}", PGTUNE)


def _planner(rules: _Rules) -> None:
    target = 500 if rules.kind == "analytics" else 100
    rules.number("default_statistics_target", target, f"{target} for {rules.kind}", PGTUNE)
    if rules.kind != "analytics":
        rules.word("jit", False, "compiling costs short queries more than it gains", PGTUNE)


def _parallelism(rules: _Rules) -> None:
    cores = rules.facts.cores
    if cores < 4:
        return
    half = math.ceil(cores / 2)
    per_gather = half if rules.kind == "analytics" else min(half, 4)
    rules.number("max_worker_processes", max(8, cores), "one a core, never below the default of 8", PGTUNE)
    rules.number("max_parallel_workers", cores, "one a core", PGTUNE)
    rules.number("max_parallel_workers_per_gather", per_gather, "half the cores, at most 4 unless analytics", PGTUNE)
    rules.number("max_parallel_maintenance_workers", min(half, 4), "half the cores, at most 4", PGTUNE)


_ALL: tuple[Callable[[_Rules], None], ...] = (
    _caches,
    _query_memory,
    _maintenance,
    _checkpoints,
    _wal,
    _disk,
    _planner,
    _parallelism,
)
