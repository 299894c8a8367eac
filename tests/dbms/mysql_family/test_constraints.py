from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otterflow.dbms.mysql_family.constraints import repair
from otterflow.dbms.mysql_family.memory import memory_plan
from otterflow.dbms.mysql_family.sizes import BLOCKS
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.space import Config, Value
from tests.knobs.values import GIB, MIB, hosts

HOST = HostFacts(ram_bytes=16 * GIB, cores=4, disk="ssd", max_connections=151)

MARIADB: dict[str, Value] = {
    "innodb_buffer_pool_size": 128 * MIB, "innodb_buffer_pool_chunk_size": 0, "innodb_log_file_size": 96 * MIB,
    "innodb_log_buffer_size": 16 * MIB, "innodb_io_capacity": 200, "innodb_io_capacity_max": 2000,
    "innodb_max_dirty_pages_pct": 90.0, "innodb_max_dirty_pages_pct_lwm": 0.0, "tmp_table_size": 16 * MIB,
    "max_heap_table_size": 16 * MIB, "sort_buffer_size": 2 * MIB, "join_buffer_size": 256 * 1024,
    "join_buffer_space_limit": 2 * MIB, "read_buffer_size": 128 * 1024, "read_rnd_buffer_size": 256 * 1024,
    "mrr_buffer_size": 256 * 1024, "binlog_cache_size": 32 * 1024, "net_buffer_length": 16 * 1024,
    "thread_stack": 299008, "key_buffer_size": 128 * MIB, "aria_pagecache_buffer_size": 128 * MIB,
    "query_cache_type": "OFF", "query_cache_size": MIB, "table_open_cache": 2000, "max_connections": 151,
    "open_files_limit": 32184,
}  # fmt: skip
"""What MariaDB 10.11 has in force by itself."""

MYSQL: dict[str, Value] = {
    "innodb_buffer_pool_size": 128 * MIB, "innodb_buffer_pool_chunk_size": 128 * MIB,
    "innodb_buffer_pool_instances": 1, "innodb_page_cleaners": 1, "innodb_doublewrite_files": 2,
    "innodb_redo_log_capacity": 100 * MIB, "innodb_log_buffer_size": 64 * MIB, "innodb_io_capacity": 10000,
    "innodb_io_capacity_max": 20000, "tmp_table_size": 16 * MIB, "max_heap_table_size": 16 * MIB,
    "temptable_max_ram": GIB, "internal_tmp_mem_storage_engine": "TempTable", "sort_buffer_size": 256 * 1024,
    "join_buffer_size": 256 * 1024, "thread_stack": MIB, "table_open_cache": 4000, "max_connections": 151,
    "open_files_limit": 10000,
}  # fmt: skip
"""What MySQL 9.7 has in force by itself."""


def repaired(config: Config, live: dict[str, Value] = MARIADB, host: HostFacts = HOST) -> Config:
    return repair(config, live, host)[0]


def test_what_the_server_chose_stays() -> None:
    for live in (MARIADB, MYSQL):
        assert repair(live, live, HOST) == (live, [])


def test_a_size_is_rounded_as_the_server_would_and_nobody_is_told() -> None:
    config, repairs = repair({"join_buffer_size": 300_001, "innodb_buffer_pool_size": 3 * GIB + 5}, MARIADB, HOST)
    assert config == {"join_buffer_size": 299_904, "innodb_buffer_pool_size": 3 * GIB}
    assert repairs == []


def test_a_size_of_nothing_stays_nothing_and_a_small_one_is_a_block() -> None:
    assert repaired({"query_cache_size": 0, "read_buffer_size": 5}) == {"query_cache_size": 0, "read_buffer_size": 4096}


def test_the_io_capacity_is_lowered_to_its_maximum_or_raises_one_that_alone_is_tuned() -> None:
    both: Config = {"innodb_io_capacity": 5000, "innodb_io_capacity_max": 1000}
    config, (change,) = repair(both, MARIADB, HOST)
    assert config == {"innodb_io_capacity": 1000, "innodb_io_capacity_max": 1000}
    assert "must not exceed innodb_io_capacity_max = 1000" in change.reason
    assert repaired({"innodb_io_capacity_max": 150}) == {"innodb_io_capacity_max": 200}


def test_the_two_limits_of_temporary_tables_are_one_knob() -> None:
    assert repaired({"tmp_table_size": 32 * MIB, "max_heap_table_size": 64 * MIB})["max_heap_table_size"] == 32 * MIB
    assert repaired({"tmp_table_size": 32 * MIB}) == {"tmp_table_size": 32 * MIB}


def test_the_redo_leaves_three_quarters_of_the_disk() -> None:
    full = HostFacts(ram_bytes=16 * GIB, cores=4, disk="ssd", max_connections=151, disk_free_bytes=2 * GIB)
    assert repaired({"innodb_log_file_size": GIB}, host=full) == {"innodb_log_file_size": 512 * MIB}
    two_files = {**MYSQL, "innodb_log_files_in_group": 2, "innodb_log_file_size": 48 * MIB}
    del two_files["innodb_redo_log_capacity"]
    assert repaired({"innodb_log_file_size": GIB}, two_files, full) == {"innodb_log_file_size": 256 * MIB}


def test_the_log_buffer_is_less_than_the_redo() -> None:
    assert repaired({"innodb_log_buffer_size": 256 * MIB}) == {"innodb_log_buffer_size": 48 * MIB}


def test_mysqls_pool_has_whole_chunks_in_each_part() -> None:
    config = repaired({"innodb_buffer_pool_size": 5 * GIB + 300 * MIB, "innodb_buffer_pool_instances": 4}, MYSQL)
    assert config == {"innodb_buffer_pool_size": 5 * GIB, "innodb_buffer_pool_instances": 4}
    assert repaired({"innodb_buffer_pool_size": 300 * MIB}, MYSQL) == {"innodb_buffer_pool_size": 256 * MIB}


def test_a_pool_below_a_gigabyte_has_one_part_with_one_cleaner() -> None:
    wanted: Config = {
        "innodb_buffer_pool_size": 512 * MIB, "innodb_buffer_pool_instances": 8, "innodb_page_cleaners": 8,
        "innodb_doublewrite_files": 16,
    }  # fmt: skip
    config = repaired(wanted, MYSQL)
    assert [config[name] for name in list(wanted)[1:]] == [1, 1, 2]


def test_the_cache_of_tables_leaves_files_to_connections() -> None:
    assert repaired({"table_open_cache": 16000}, MYSQL) == {"table_open_cache": (10000 - 151 - 64) // 2}
    assert repaired({"table_open_cache": 4000}, {**MYSQL, "open_files_limit": 1024}) == {"table_open_cache": 4000}


def test_a_session_counts_once_for_each_that_may_be_active() -> None:
    plan = memory_plan({}, MARIADB, HOST)
    session = 299008 + 16 * 1024 + 2 * MIB + 2 * 256 * 1024 + 128 * 1024 + 256 * 1024 + 32 * 1024 + 16 * MIB
    shared = 1.08 * 128 * MIB + 16 * MIB + 2 * 128 * MIB
    assert abs(plan.total_bytes - shared - 16 * session) < 2


def test_a_session_counts_once_for_each_connection_of_the_load_where_that_is_known() -> None:
    one = memory_plan({}, MARIADB, replace(HOST, sessions=1)).total_bytes
    each = memory_plan({}, MARIADB, replace(HOST, sessions=2)).total_bytes - one
    assert memory_plan({}, MARIADB, replace(HOST, sessions=64)).total_bytes == pytest.approx(one + 63 * each, abs=64)
    assert memory_plan({}, MARIADB, replace(HOST, sessions=151)) == memory_plan(
        {}, MARIADB, replace(HOST, sessions=999)
    )


def test_temporary_tables_of_mysql_share_their_memory() -> None:
    small = memory_plan({"tmp_table_size": 16 * MIB}, MYSQL, HOST).total_bytes
    assert memory_plan({"tmp_table_size": GIB}, MYSQL, HOST).total_bytes == small
    assert memory_plan({"temptable_max_ram": 2 * GIB}, MYSQL, HOST).total_bytes == small + GIB
    each: Config = {
        "internal_tmp_mem_storage_engine": "MEMORY", "tmp_table_size": 64 * MIB, "max_heap_table_size": 64 * MIB,
    }  # fmt: skip
    assert memory_plan(each, MYSQL, HOST).total_bytes == small + 16 * 64 * MIB


def test_a_query_cache_counts_where_it_is_on() -> None:
    off = memory_plan({"query_cache_size": 256 * MIB}, MARIADB, HOST).total_bytes
    on = memory_plan({"query_cache_size": 256 * MIB, "query_cache_type": "ON"}, MARIADB, HOST).total_bytes
    assert on - off == 256 * MIB


def test_a_query_cache_has_a_size_where_it_is_on_and_none_where_it_is_off() -> None:
    assert repaired({"query_cache_size": 8 * MIB}) == {"query_cache_size": 0}
    on: Config = {"query_cache_size": 8 * MIB, "query_cache_type": "ON"}
    assert repaired(on) == on
    assert repaired({**on, "query_cache_size": 0}) == {"query_cache_size": 0, "query_cache_type": "OFF"}


def test_the_excessive_knob_pays_and_the_sensible_one_does_not() -> None:
    config, repairs = repair({"innodb_buffer_pool_size": 15 * GIB, "sort_buffer_size": 4 * MIB}, MARIADB, HOST)
    assert config["sort_buffer_size"] == 4 * MIB
    assert 11 * GIB < int(config["innodb_buffer_pool_size"]) < 12 * GIB
    assert [change.knob for change in repairs] == ["innodb_buffer_pool_size"]
    assert "(80% of the server's RAM) may be planned" in repairs[0].reason


KNOBS = sorted(name for name in {*MARIADB, *MYSQL} if name not in ("max_connections", "open_files_limit"))
numbers = st.one_of(st.integers(1, 10**6), st.integers(MIB, 64 * GIB))
configs = st.dictionaries(
    st.sampled_from([name for name in KNOBS if name not in ("query_cache_type", "internal_tmp_mem_storage_engine")]),
    numbers,
)


@pytest.mark.slow
@given(wanted=configs, host=hosts, live=st.sampled_from([MARIADB, MYSQL]))
def test_a_repaired_configuration_needs_no_repair(wanted: Config, host: HostFacts, live: dict[str, Value]) -> None:
    config = {name: value for name, value in wanted.items() if name in live}
    once, changes = repair(config, live, host)
    assert repair(once, live, host) == (once, [])
    assert once.keys() == config.keys()
    for name in once.keys() & BLOCKS.keys():
        assert once[name] == live[name] or int(once[name]) % BLOCKS[name] == 0, name
    told = {change.knob for change in changes}
    quietly = {name for name in once if once[name] != config[name]} - told
    assert quietly <= BLOCKS.keys()
