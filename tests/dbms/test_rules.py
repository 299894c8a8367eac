from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otterflow.dbms.postgresql.constraints import repair
from otterflow.dbms.postgresql.rules import rule_based
from otterflow.dbms.postgresql.spelling import display
from otterflow.dbms.values import WorkloadKind
from otterflow.errors import InvalidInput
from otterflow.knobs.catalog import KnobCatalog
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.select import build_space, restrict
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Config, Knob, KnobSpace, Value
from tests.knobs.values import GIB, hosts, with_fields


def shown(config: Config, live: dict[str, LiveSetting]) -> dict[str, str]:
    return {name: display(value, live[name]) for name, value in config.items()}


def test_analytics_on_16_gb_and_8_cores(live: dict[str, LiveSetting]) -> None:
    host = HostFacts(16 * GIB, 8, "ssd", 100)
    rules = rule_based(host, "analytics", live, server_version=15)
    assert shown(rules.config, live) == {
        "shared_buffers": "4GB",
        "effective_cache_size": "12GB",
        "wal_buffers": "16MB",
        "work_mem": "42MB",  # 12 GB / ((40 + 8) * 3) / 2
        "hash_mem_multiplier": "2",
        "maintenance_work_mem": "2GB",
        "min_wal_size": "4GB",
        "max_wal_size": "16GB",
        "checkpoint_timeout": "15min",
        "checkpoint_completion_target": "0.9",
        "wal_compression": "lz4",
        "random_page_cost": "1.1",
        "effective_io_concurrency": "200",
        "default_statistics_target": "500",
        "max_worker_processes": "8",
        "max_parallel_workers": "8",
        "max_parallel_workers_per_gather": "4",
        "max_parallel_maintenance_workers": "4",
    }


def test_oltp_on_8_gb_2_cores_and_a_spinning_disk(live: dict[str, LiveSetting]) -> None:
    host = HostFacts(8 * GIB, 2, "hdd", 200)
    config = rule_based(host, "oltp", live, server_version=15).config
    expected = {"work_mem": "10082kB", "maintenance_work_mem": "512MB", "max_wal_size": "8GB", "jit": "off"}
    expected |= {"random_page_cost": "4", "effective_io_concurrency": "2", "default_statistics_target": "100"}
    assert {name: shown(config, live)[name] for name in expected} == expected
    assert "max_parallel_workers" not in config


@pytest.mark.parametrize(("cores", "workers"), [(8, None), (16, 4), (32, 5)])
def test_autovacuum_workers_grow_with_the_cores(live: dict[str, LiveSetting], cores: int, workers: int | None) -> None:
    config = rule_based(HostFacts(64 * GIB, cores, "ssd", 100), "web", live, server_version=15).config
    assert config.get("autovacuum_max_workers") == workers


def test_parallelism_is_capped_unless_for_analytics(live: dict[str, LiveSetting]) -> None:
    host = HostFacts(64 * GIB, 32, "ssd", 100)
    mixed = rule_based(host, "mixed", live, server_version=15).config
    analytics = rule_based(host, "analytics", live, server_version=15).config
    assert (mixed["max_parallel_workers_per_gather"], analytics["max_parallel_workers_per_gather"]) == (4, 16)
    assert mixed["max_worker_processes"] == 32


def test_a_small_disk_limits_the_wal(live: dict[str, LiveSetting]) -> None:
    host = HostFacts(16 * GIB, 4, "ssd", 100, disk_free_bytes=20 * GIB)
    rules = rule_based(host, "analytics", live, server_version=15)
    assert (rules.config["max_wal_size"], rules.config["min_wal_size"]) == (5 * 1024, 1280)
    assert "free disk" in rules.reasons["max_wal_size"]


def test_an_older_server_gets_only_what_it_has(live: dict[str, LiveSetting]) -> None:
    boolean = with_fields(live["wal_compression"], vartype="bool", enumvals=())
    older = {n: s for n, s in live.items() if n != "hash_mem_multiplier"} | {"wal_compression": boolean}
    config = rule_based(HostFacts(16 * GIB, 4, "ssd", 100), "web", older, server_version=12).config
    assert "hash_mem_multiplier" not in config
    assert config["wal_compression"] is True
    without_lz4 = {**live, "wal_compression": with_fields(live["wal_compression"], enumvals=("pglz", "on", "off"))}
    config = rule_based(HostFacts(16 * GIB, 4, "ssd", 100), "web", without_lz4, server_version=15).config
    assert config["wal_compression"] == "pglz"


def test_every_rule_has_a_reason_with_its_source(live: dict[str, LiveSetting], facts: HostFacts) -> None:
    rules = rule_based(facts, "oltp", live, server_version=15)
    assert set(rules.reasons) == set(rules.config)
    assert rules.reasons["shared_buffers"] == "a quarter of the RAM (PostgreSQL manual, shared_buffers; pgtune)"


@pytest.mark.parametrize(("kind", "version"), [("batch", 15), ("oltp", 11)])
def test_what_the_rules_do_not_know_is_refused(
    live: dict[str, LiveSetting], facts: HostFacts, kind: Any, version: int
) -> None:
    with pytest.raises(
        InvalidInput, match=r"'batch' is unknown; use one of oltp|11 is not known; the rules are for 12"
    ):
        rule_based(facts, kind, live, server_version=version)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(facts=hosts, kind=st.sampled_from(list(WorkloadKind)))
def test_on_any_host_the_rules_fit_the_space_and_lock_nothing_open(
    catalog: KnobCatalog, live: dict[str, LiveSetting], live_values: dict[str, Value], facts: HostFacts, kind: Any
) -> None:
    rules = rule_based(facts, kind, live, server_version=15)
    tunable = catalog.tunable(15)
    for name, value in rules.config.items():
        assert tunable[name].risk is None
        if live[name].minimum is not None:
            assert live[name].minimum <= value <= live[name].maximum  # type: ignore[operator]
    space = build_space(catalog, live, facts, server_version=15, knob_set="all")
    config = restrict(rules.config, space)
    space.validate(config)
    space.validate(repair(config, live_values, dataclasses.replace(facts, disk_free_bytes=None), space=space)[0])


@pytest.mark.parametrize("kind", list(WorkloadKind))
def test_on_an_ordinary_host_the_rules_fit_the_memory_budget_or_nearly_so(
    catalog: KnobCatalog, live: dict[str, LiveSetting], live_values: dict[str, Value], kind: Any
) -> None:
    for cores, ram in ((2, 4), (2, 24), (8, 32), (32, 256)):
        facts = HostFacts(ram * GIB, cores, "ssd", 100)
        space = build_space(catalog, live, facts, server_version=15, knob_set="all")
        rules = rule_based(facts, kind, live, server_version=15)
        for change in repair(restrict(rules.config, space), live_values, facts)[1]:
            assert change.knob in ("work_mem", "maintenance_work_mem"), (cores, ram)
            assert change.used > 0.6 * change.wanted, (cores, ram)  # type: ignore[operator]


def test_restricting_fills_drops_and_clips() -> None:
    space = KnobSpace(
        [
            Knob("work_mem", "integer", 4096, low=64, high=8192),
            Knob("wal_compression", "enum", "off", values=("off", "pglz")),
            Knob("autovacuum_work_mem", "integer", -1, low=1024, high=4096, special=(-1,)),
            Knob("jit", "boolean", True, values=(False, True)),
        ]
    )
    config: Config = {"work_mem": 99999, "wal_compression": "lz4", "jit": False, "shared_buffers": 1}
    assert restrict(config, space) == {
        "work_mem": 8192,
        "wal_compression": "off",
        "autovacuum_work_mem": -1,
        "jit": False,
    }
