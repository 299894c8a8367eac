"""The rule-based configuration: what a good DBA would set from RAM, cores, disk, connections and kind of workload.

It is the first configuration tried after the baseline, and the second baseline that results are compared with. Each
rule names its source; docs/knobs.md lists them. It sets no knob of a locked risk class, durability least of all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from otterflow.dbms.mysql_family.product import Product
from otterflow.dbms.mysql_family.sizes import KIB, MIB
from otterflow.dbms.mysql_family.versions import shown
from otterflow.dbms.values import RuleBased
from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Config, Value

GIB = 1024**3

MANUAL = "MySQL manual"
TUNER = "MySQLTuner"
PRACTICE = "common practice"
KB = "MariaDB documentation"
MEASURED = "measured: docs/measurements/benchmarks.md"

_POOL_SHARE = {"oltp": 0.7, "web": 0.6, "analytics": 0.6, "mixed": 0.65}
_LOG_BUFFER_MIB = {"oltp": 64, "web": 32, "analytics": 64, "mixed": 64}
_TABLES = {"oltp": 4000, "web": 4000, "analytics": 2000, "mixed": 4000}
_TEMPORARY_MIB = {"oltp": 32, "web": 64, "analytics": 256, "mixed": 64}
_TEMPORARY_PART = {"oltp": 32, "web": 16, "analytics": 8, "mixed": 16}
"""On a small server: one part of so many of the RAM, for the temporary tables of all sessions at work."""
_LOG_BUFFER_PART = 64
SMALL = 4 * GIB
_SORT_KIB = {"oltp": 1024, "web": 1024, "analytics": 8192, "mixed": 2048}
_JOIN_KIB = {"oltp": 1024, "web": 1024, "analytics": 16384, "mixed": 2048}
_THREADS = {"oltp": 100, "web": None, "analytics": 16, "mixed": 64}
_POOLED_FROM = 200
"""Connections from which a thread pool pays."""


@dataclass
class _Rules:
    """Collects settings that the server has, within its limits. Sizes come in bytes."""

    facts: HostFacts
    kind: str
    live: Mapping[str, LiveSetting]
    config: Config = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def number(self, name: str, wanted: float, rule: str, source: str) -> None:
        setting = self.live.get(name)
        if setting is None or setting.minimum is None or setting.maximum is None:
            return
        value = min(setting.maximum, max(setting.minimum, wanted))
        self.config[name] = int(value) if setting.vartype == "integer" else float(value)
        self.reasons[name] = f"{rule} ({source})"

    def cut(self, name: str, wanted: int, part: int, source: str) -> None:
        """A number of bytes for the kind; on a small server at most one of so many parts of the RAM."""
        most = max(MIB, self.facts.ram_bytes // part // MIB * MIB)
        if self.facts.ram_bytes >= SMALL or wanted <= most:
            self.number(name, wanted, f"for {self.kind}", source)
        else:
            self.number(name, most, f"one of {part} parts of the RAM: a small server needs it for its pool", MEASURED)

    def word(self, name: str, value: Value, rule: str, source: str) -> None:
        setting = self.live.get(name)
        if setting is None or (isinstance(value, str) and setting.enumvals and value not in setting.enumvals):
            return
        self.config[name], self.reasons[name] = value, f"{rule} ({source})"


def rule_based(
    product: Product, facts: HostFacts, kind: str, live: Mapping[str, LiveSetting], *, server_version: int
) -> RuleBased:
    """What the rules set for a server of the product on a host under a kind of workload.

    Raises InvalidInput for an unknown kind or a version the rules do not know.
    """
    oldest, newest = product.versions
    if not oldest <= server_version <= newest:
        found = f"{product.title} {shown(server_version)} is not known"
        raise InvalidInput(Problem("server_version", found, f"the rules are for {product.version_range}"))
    if kind not in _POOL_SHARE:
        advice = f"use one of {', '.join(_POOL_SHARE)}"
        raise InvalidInput(Problem("kind of workload", f"{kind!r} is unknown", advice))
    rules = _Rules(facts, kind, live)
    for apply in _ALL:
        apply(rules)
    return RuleBased(rules.config, rules.reasons)


def pool_bytes(facts: HostFacts, kind: str) -> int:
    """The buffer pool that the rules give a host, in whole MB."""
    share = 0.5 if facts.ram_bytes < SMALL else _POOL_SHARE[kind]
    return max(8, int(facts.ram_bytes * share) // MIB) * MIB


def _pool(rules: _Rules) -> None:
    size = pool_bytes(rules.facts, rules.kind)
    rule = f"{size / rules.facts.ram_bytes:.0%} of the RAM for {rules.kind}, half below 4 GB"
    rules.number("innodb_buffer_pool_size", size, rule, f"{MANUAL}, innodb_dedicated_server; {PRACTICE}")
    parts = max(1, min(size // GIB, rules.facts.cores, 64))
    rules.number("innodb_buffer_pool_instances", parts, "one a GB, at most one a core", f"{TUNER}; {MANUAL}")
    rules.number("innodb_page_cleaners", parts, "one for each part of the pool", f"{MANUAL}, innodb_page_cleaners")


def _redo(rules: _Rules) -> None:
    size, rule = pool_bytes(rules.facts, rules.kind) // 4, "a quarter of the buffer pool, 256 MB to 16 GB"
    size = min(16 * GIB, max(256 * MIB, size))
    free = rules.facts.disk_free_bytes
    if free is not None and free / 4 < size:
        size, rule = max(96 * MIB, free // 4), "a quarter of the free disk"
    size = size // MIB * MIB
    if "innodb_redo_log_capacity" in rules.live:
        rules.number("innodb_redo_log_capacity", size, rule, TUNER)
        return
    group = rules.live.get("innodb_log_files_in_group")
    files = int(group.value) if group is not None else 1
    rules.number("innodb_log_file_size", size // files // MIB * MIB, rule, TUNER)


def _writing(rules: _Rules) -> None:
    ssd = rules.facts.disk == "ssd"
    rules.cut("innodb_log_buffer_size", _LOG_BUFFER_MIB[rules.kind] * MIB, _LOG_BUFFER_PART, f"{MANUAL}; {TUNER}")
    rules.word("innodb_flush_method", "O_DIRECT", "no page is held twice", f"{TUNER}; {KB}, default since 10.6")
    rules.word("innodb_data_file_buffering", False, "no page is held twice", f"{KB}, innodb_data_file_buffering")
    rules.number("innodb_flush_neighbors", 0 if ssd else 1, f"for {rules.facts.disk}", f"{MANUAL}, default since 8.0")
    usual, most = (2000, 4000) if ssd else (200, 400)
    rules.number("innodb_io_capacity", usual, f"{usual} on {rules.facts.disk}", TUNER)
    rules.number("innodb_io_capacity_max", most, "twice innodb_io_capacity", f"{MANUAL}, innodb_io_capacity_max")


def _tables(rules: _Rules) -> None:
    rules.number(
        "table_open_cache", _TABLES[rules.kind], f"for {rules.kind}, as files may be opened", f"{MANUAL}; {TUNER}"
    )
    rules.word(
        "innodb_adaptive_hash_index", False, "its latches cost more than it gains", f"{MANUAL}, default since 8.4"
    )
    rules.number("key_buffer_size", 16 * MIB, "MyISAM serves little more than system tables", TUNER)
    rules.word("query_cache_type", "OFF", "one lock for all sessions", f"{KB}, query cache; {TUNER}")
    rules.number("query_cache_size", 0, "no query cache", f"{KB}, query cache; {TUNER}")


def _sessions(rules: _Rules) -> None:
    kind, connections = rules.kind, rules.facts.max_connections
    part = _TEMPORARY_PART[kind] * rules.facts.active_sessions if "temptable_max_ram" not in rules.live else 1
    for name in ("tmp_table_size", "max_heap_table_size"):
        rules.cut(name, _TEMPORARY_MIB[kind] * MIB, part, TUNER)
    rules.number("sort_buffer_size", _SORT_KIB[kind] * KIB, f"for {kind}", f"{PRACTICE}; {MANUAL}, sort_buffer_size")
    rules.number("join_buffer_size", _JOIN_KIB[kind] * KIB, f"for {kind}", f"{PRACTICE}; {MANUAL}, join_buffer_size")
    rules.number("join_buffer_space_limit", 8 * _JOIN_KIB[kind] * KIB, "eight join buffers", f"{KB}, block-based joins")
    threads = _THREADS[kind] or connections
    rules.number("thread_cache_size", threads, f"for {kind}", f"{MANUAL}, thread_cache_size")
    if connections > _POOLED_FROM and kind in ("oltp", "web"):
        rule = f"more than {_POOLED_FROM} short sessions"
        rules.word("thread_handling", "pool-of-threads", rule, f"{KB}, thread pool")


_ALL: tuple[Callable[[_Rules], None], ...] = (_pool, _redo, _writing, _tables, _sessions)
