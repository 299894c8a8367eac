"""The rules and the catalogs against what three servers said of themselves, captured whole."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otterflow.dbms.base import Rules
from otterflow.dbms.mariadb import rules as mariadb
from otterflow.dbms.mariadb.product import MARIADB
from otterflow.dbms.mysql import rules as mysql
from otterflow.dbms.mysql.product import MYSQL
from otterflow.dbms.mysql_family.constraints import repair
from otterflow.dbms.mysql_family.rows import from_row
from otterflow.dbms.mysql_family.spelling import display
from otterflow.dbms.values import WorkloadKind
from otterflow.errors import InvalidInput
from otterflow.knobs.catalog import KnobCatalog, catalog_gaps, load_catalog
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.select import build_space, restrict
from otterflow.knobs.setting import LiveSetting
from tests.knobs.values import GIB, MIB, SHIPPED_CATALOG, hosts

CAPTURED = Path(__file__).parent / "captured"
"""What a server with its defaults told, as `live_settings` asks it."""
SERVERS: dict[str, tuple[str, int, Rules]] = {
    "mariadb_10_11": ("mariadb", 1011, mariadb),
    "mariadb_11_8": ("mariadb", 1108, mariadb),
    "mysql_9_7": ("mysql", 907, mysql),
}


@cache
def live_of(server: str) -> dict[str, LiveSetting]:
    return {row["name"]: from_row(row) for row in json.loads((CAPTURED / f"{server}.json").read_text())}


@cache
def catalog_of(dbms: str) -> KnobCatalog:
    versions = {"mariadb": MARIADB, "mysql": MYSQL}[dbms].versions
    return load_catalog(SHIPPED_CATALOG.parent / f"{dbms}.yaml", dbms=dbms, versions=versions)


def rules_of(server: str, host: HostFacts, kind: str) -> dict[str, Any]:
    _, version, rules = SERVERS[server]
    return rules.rule_based(host, kind, live_of(server), server_version=version).config


def shown(server: str, config: dict[str, Any]) -> dict[str, str]:
    return {name: display(value, live_of(server)[name]) for name, value in config.items()}


@pytest.mark.parametrize("server", list(SERVERS))
def test_the_catalog_has_an_entry_for_every_setting(server: str) -> None:
    dbms, version, _ = SERVERS[server]
    assert catalog_gaps(catalog_of(dbms), live_of(server), version, tuned=()).unknown == ()
    assert catalog_gaps(catalog_of(dbms), live_of(server), version, tuned=()).differing == ()


@pytest.mark.parametrize("server", list(SERVERS))
def test_a_space_of_core_knobs_can_be_made(server: str) -> None:
    dbms, version, _ = SERVERS[server]
    host = HostFacts(16 * GIB, 8, "ssd", 151)
    space = build_space(catalog_of(dbms), live_of(server), host, server_version=version, knob_set="core")
    assert 12 <= len(space) <= 13
    assert (space["innodb_buffer_pool_size"].low, space["innodb_buffer_pool_size"].high) == (128 * MIB, 12 * GIB)


def test_oltp_on_mariadb_with_16_gb_and_4_cores() -> None:
    config = rules_of("mariadb_10_11", HostFacts(16 * GIB, 4, "ssd", 151), "oltp")
    assert shown("mariadb_10_11", config) == {
        "innodb_buffer_pool_size": "11468M",
        "innodb_log_file_size": "2867M",
        "innodb_log_buffer_size": "64M",
        "innodb_flush_method": "O_DIRECT",
        "innodb_flush_neighbors": "0",
        "innodb_io_capacity": "2000",
        "innodb_io_capacity_max": "4000",
        "table_open_cache": "4000",
        "innodb_adaptive_hash_index": "OFF",
        "key_buffer_size": "16M",
        "query_cache_type": "OFF",
        "query_cache_size": "0",
        "tmp_table_size": "32M",
        "max_heap_table_size": "32M",
        "sort_buffer_size": "1M",
        "join_buffer_size": "1M",
        "join_buffer_space_limit": "8M",
        "thread_cache_size": "100",
    }


def test_mysql_has_parts_of_its_pool_and_another_redo() -> None:
    config = rules_of("mysql_9_7", HostFacts(64 * GIB, 8, "hdd", 500), "analytics")
    expected = {"innodb_redo_log_capacity": "9830M", "innodb_buffer_pool_instances": "8", "innodb_page_cleaners": "8"}
    expected |= {"innodb_flush_neighbors": "1", "innodb_io_capacity": "200", "join_buffer_size": "16M"}
    assert {name: shown("mysql_9_7", config)[name] for name in expected} == expected
    assert not {"innodb_log_file_size", "query_cache_type", "thread_handling"} & set(config)


def test_a_mysql_before_the_redo_had_one_size_has_two_files() -> None:
    live = {name: s for name, s in live_of("mysql_9_7").items() if name != "innodb_redo_log_capacity"}
    row = live["innodb_log_buffer_size"].row
    live["innodb_log_file_size"] = from_row({**row, "name": "innodb_log_file_size", "value": str(48 * MIB)})
    live["innodb_log_files_in_group"] = from_row({**row, "name": "innodb_log_files_in_group", "value": "2"})
    config = mysql.rule_based(HostFacts(16 * GIB, 4, "ssd", 151), "oltp", live, server_version=800).config
    assert config["innodb_log_file_size"] == 1433 * MIB


def test_flush_method_is_another_knob_since_mariadb_11() -> None:
    config = rules_of("mariadb_11_8", HostFacts(16 * GIB, 4, "ssd", 151), "oltp")
    assert config["innodb_data_file_buffering"] is False


def test_on_a_small_server_temporary_tables_leave_the_memory_to_the_pool() -> None:
    host = HostFacts(GIB, 2, "ssd", 151, sessions=8)
    ruled = rules_of("mariadb_10_11", host, "oltp")
    for name, size in {"innodb_log_buffer_size": 16, "tmp_table_size": 4, "max_heap_table_size": 4}.items():
        assert ruled[name] == size * MIB
    live = live_of("mariadb_10_11")
    space = build_space(catalog_of("mariadb"), live, host, server_version=1011, knob_set="core")
    values = {name: setting.value for name, setting in live.items()}
    repaired, _ = repair(restrict(ruled, space), values, host, space=space)
    assert int(repaired["innodb_buffer_pool_size"]) >= 0.38 * GIB, (
        "half as much where they took what oltp may elsewhere"
    )
    assert rules_of("mysql_9_7", host, "oltp")["tmp_table_size"] == 32 * MIB, "which limits all of them together"


def test_a_thread_pool_is_for_many_short_sessions() -> None:
    for connections, kind, handling in ((300, "oltp", "pool-of-threads"), (300, "analytics", None), (151, "web", None)):
        config = rules_of("mariadb_10_11", HostFacts(16 * GIB, 4, "ssd", connections), kind)
        assert config.get("thread_handling") == handling


def test_a_small_disk_limits_the_redo() -> None:
    host = HostFacts(64 * GIB, 4, "ssd", 151, disk_free_bytes=4 * GIB)
    assert rules_of("mariadb_10_11", host, "oltp")["innodb_log_file_size"] == GIB


@pytest.mark.parametrize("server", list(SERVERS))
@pytest.mark.parametrize("kind", list(WorkloadKind))
def test_rules_touch_no_locked_knob_and_stand_as_they_are(server: str, kind: WorkloadKind) -> None:
    dbms, version, _ = SERVERS[server]
    host = HostFacts(32 * GIB, 8, "ssd", 151, disk_free_bytes=200 * GIB)
    ruled = rules_of(server, host, kind.value)
    tunable = catalog_of(dbms).tunable(version)
    assert [name for name in ruled if name in tunable and tunable[name].risk is not None] == []
    live_values = {name: setting.value for name, setting in live_of(server).items()}
    space = build_space(catalog_of(dbms), live_of(server), host, server_version=version, knob_set="all")
    _, repairs = repair(restrict(ruled, space), live_values, host, space=space)
    # On MariaDB each session has temporary tables of its own: those of many analytical ones take from the pool.
    expected = ["innodb_buffer_pool_size"] if (dbms, kind) == ("mariadb", WorkloadKind.analytics) else []
    assert [change.knob for change in repairs] == expected


@pytest.mark.slow
@settings(max_examples=30)
@given(host=hosts, kind=st.sampled_from(list(WorkloadKind)), server=st.sampled_from(list(SERVERS)))
def test_rules_are_within_the_servers_limits_on_every_host(host: HostFacts, kind: WorkloadKind, server: str) -> None:
    for name, value in rules_of(server, host, kind.value).items():
        setting = live_of(server)[name]
        if isinstance(value, int | float) and not isinstance(value, bool):
            assert setting.minimum <= value <= setting.maximum, name  # type: ignore[operator]


def test_what_the_rules_do_not_know_is_refused() -> None:
    host = HostFacts(16 * GIB, 4, "ssd", 151)
    with pytest.raises(InvalidInput, match=r"MariaDB 10\.5 is not known; the rules are for 10\.6 to 11\.8"):
        mariadb.rule_based(host, "oltp", live_of("mariadb_10_11"), server_version=1005)
    with pytest.raises(InvalidInput, match="'batch' is unknown; use one of oltp"):
        mariadb.rule_based(host, "batch", live_of("mariadb_10_11"), server_version=1011)
