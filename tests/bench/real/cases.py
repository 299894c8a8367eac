"""What is tuned on real servers: shipped benchmarks, each on a server whose memory is short for its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MB = 10**6


@dataclass(frozen=True)
class Case:
    """A shipped benchmark, what is otherwise of its workload, and the memory of the server, in bytes."""

    benchmark: str
    memory: int
    workload: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the benchmark's workload."""
    form: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the form."""
    dbms: str = "postgresql"
    told: str = field(default="", kw_only=True)
    """What differs from the benchmark as it ships, in words."""


CASES: Mapping[str, Case] = {
    "analytics": Case("analytics", 512 * MB, form={"restore_every": 0}),
    "analytics_beyond_memory": Case(
        "analytics_large", 512 * MB, {"scale": 24}, {"restore_every": 0}, told="0.8 GB instead of 3.4"
    ),
    "tpcc": Case("tpcc", 768 * MB, {}, {"warmup_s": 10, "duration_s": 30}, told="30 s instead of 60"),
    "pgbench_tpcb": Case("pgbench_tpcb", 512 * MB, {}, {"warmup_s": 10, "duration_s": 30}, told="30 s instead of 60"),
    "ycsb_e": Case("ycsb_e", 512 * MB, {}, {"warmup_s": 10, "duration_s": 20}, told="20 s instead of 60"),
    "mariadb_read_only": Case(
        "sysbench_uniform_read_only", 1024 * MB, {}, {"restore_every": 0, "warmup_s": 10, "duration_s": 15},
        "mariadb", told="15 s instead of 60",
    ),
}  # fmt: skip
"""By name. They were chosen before any was measured, and all are in the table."""
