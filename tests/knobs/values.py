"""Helpers of these tests: a changed setting, and strategies for configurations and hosts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from otterflow.dbms.postgresql.rows import from_row
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Config, Knob, KnobSpace, Value

GIB = 1024**3
MIB = 1024**2
SHIPPED_CATALOG = Path(__file__).resolve().parents[2] / "include" / "knob_catalogs" / "postgresql.yaml"


def with_fields(original: LiveSetting, /, **fields: Any) -> LiveSetting:
    return from_row({**original.row, **fields})


def values_of(knob: Knob) -> st.SearchStrategy[Value]:
    """Any value of a knob: of its range, or a special one."""
    in_range = st.floats(0, 1).map(knob.from_unit)
    return st.one_of(in_range, st.sampled_from(knob.special)) if knob.special else in_range


def configs_of(space: KnobSpace) -> st.SearchStrategy[Config]:
    return st.fixed_dictionaries({knob.name: values_of(knob) for knob in space})


hosts = st.builds(
    HostFacts,
    ram_bytes=st.integers(256 * MIB, 4096 * GIB),
    cores=st.integers(1, 512),
    disk=st.sampled_from(["ssd", "hdd"]),
    max_connections=st.integers(1, 10_000),
    memory_share=st.floats(0.1, 1.0),
    disk_free_bytes=st.none() | st.integers(0, 4096 * GIB),
)


def demands_not_met(config: Mapping[str, Value], live_values: Mapping[str, Value]) -> list[str]:
    """What the manual of PostgreSQL demands of a configuration and does not find, written apart from `repair`."""
    values: dict[str, Any] = {**live_values, **config}
    segment_mb = values["wal_segment_size"] // MIB
    demands = {
        "min_wal_size of two segments": values["min_wal_size"] >= 2 * segment_mb,
        "max_wal_size of two segments": values["max_wal_size"] >= 2 * segment_mb,
        "min_wal_size <= max_wal_size": values["min_wal_size"] <= values["max_wal_size"],
        "parallel workers": values["max_parallel_workers"] <= values["max_worker_processes"],
        "workers per gather": values["max_parallel_workers_per_gather"] <= values["max_parallel_workers"],
        "maintenance workers": values["max_parallel_maintenance_workers"] <= values["max_parallel_workers"],
        "senders with minimal WAL": values["wal_level"] != "minimal" or values["max_wal_senders"] == 0,
        "archiving with minimal WAL": values["wal_level"] != "minimal" or values["archive_mode"] == "off",
        "reserved connections": values["superuser_reserved_connections"] < values["max_connections"],
    }
    return [demand for demand, met in demands.items() if not met]
