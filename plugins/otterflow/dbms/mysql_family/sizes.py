"""Which settings of the family count bytes, and in what blocks.

Neither product says the unit of a setting. A number of bytes that is no multiple of the block is rounded by the server
without a word, so that it could not be read back; MariaDB tells the blocks of its own settings, MySQL tells none, and
InnoDB's are told by neither. The tests ask the servers.
"""

from __future__ import annotations

UNIT = "B"
"""The unit of a setting that counts bytes, as `LiveSetting.unit` and the catalogs have it; of all others it is None."""

KIB, MIB = 1024, 1024**2

BLOCKS: dict[str, int] = {
    "aria_block_size": KIB,
    "aria_log_file_size": 8 * KIB,
    "aria_max_sort_file_size": MIB,
    "aria_pagecache_buffer_size": 1,
    "aria_sort_buffer_size": 1,
    "binlog_cache_size": 4 * KIB,
    "binlog_file_cache_size": 4 * KIB,
    "binlog_row_event_max_size": 256,
    "binlog_stmt_cache_size": 4 * KIB,
    "bulk_insert_buffer_size": 1,
    "connection_memory_chunk_size": 1,
    "connection_memory_limit": 1,
    "global_connection_memory_limit": 1,
    "histogram_generation_max_mem_size": 1,
    "innodb_buffer_pool_chunk_size": MIB,
    "innodb_buffer_pool_size": MIB,
    "innodb_buffer_pool_size_auto_min": 8 * MIB,
    "innodb_buffer_pool_size_max": 8 * MIB,
    "innodb_ddl_buffer_size": 1,
    "innodb_fsync_threshold": 16 * KIB,
    "innodb_ft_cache_size": 1,
    "innodb_ft_result_cache_limit": 1,
    "innodb_ft_total_cache_size": 1,
    "innodb_log_buffer_size": 4 * KIB,
    "innodb_log_file_size": MIB,
    "innodb_log_write_ahead_size": 512,
    "innodb_max_undo_log_size": 1,
    "innodb_online_alter_log_max_size": 1,
    "innodb_page_size": 1,
    "innodb_redo_log_capacity": MIB,
    "innodb_sort_buffer_size": 1,
    "join_buffer_size": 128,
    "join_buffer_space_limit": 2 * KIB,
    "key_buffer_size": 4 * KIB,
    "key_cache_block_size": 512,
    "large_page_size": 1,
    "log_tc_size": 4 * KIB,
    "max_allowed_packet": KIB,
    "max_binlog_cache_size": 4 * KIB,
    "max_binlog_size": 4 * KIB,
    "max_binlog_stmt_cache_size": 4 * KIB,
    "max_heap_table_size": KIB,
    "max_relay_log_size": 4 * KIB,
    "max_rowid_filter_size": 1,
    "max_session_mem_used": 1,
    "mrr_buffer_size": 1,
    "myisam_block_size": KIB,
    "myisam_max_sort_file_size": MIB,
    "myisam_mmap_size": 1,
    "myisam_sort_buffer_size": 1,
    "net_buffer_length": KIB,
    "optimizer_trace_max_mem_size": 1,
    "parser_max_mem_size": 1,
    "preload_buffer_size": 1,
    "query_alloc_block_size": KIB,
    "query_cache_limit": 1,
    "query_cache_min_res_unit": 8,
    "query_cache_size": KIB,
    "query_prealloc_size": KIB,
    "range_alloc_block_size": KIB,
    "range_optimizer_max_mem_size": 1,
    "read_buffer_size": 4 * KIB,
    "read_rnd_buffer_size": 1,
    "relay_log_space_limit": 1,
    "rowid_merge_buff_size": 1,
    "rpl_read_size": 8 * KIB,
    "select_into_buffer_size": 4 * KIB,
    "set_operations_buffer_size": KIB,
    "slave_max_allowed_packet": KIB,
    "sort_buffer_size": 1,
    "temptable_max_mmap": 1,
    "temptable_max_ram": 1,
    "thread_stack": KIB,
    "tmp_disk_table_size": 1,
    "tmp_memory_table_size": 16 * KIB,
    "tmp_table_size": 16 * KIB,
    "transaction_alloc_block_size": KIB,
    "transaction_prealloc_size": KIB,
}
"""Setting to block: a value of so many bytes, or a multiple, is one that both products leave as it is."""


def unit_of(name: str) -> str | None:
    """The unit of a setting: bytes, or none."""
    return UNIT if name in BLOCKS else None
