"""Which numbers of the server's status tell a state and not a count since some time: no column of the server says so.

All others are counters. Sources: https://mariadb.com/kb/en/server-status-variables/,
https://dev.mysql.com/doc/refman/8.4/en/server-status-variables.html; what falls on a running server is looked for by
`tests.dbms.mysql_family.test_metrics_integration`. Names in lower case; one that a version does not have does no harm.
"""

from __future__ import annotations

_OF_SESSIONS = {
    "threads_cached", "threads_connected", "threads_running", "threadpool_threads", "threadpool_idle_threads",
    "prepared_stmt_count", "max_used_connections", "delayed_insert_threads", "not_flushed_delayed_rows", "stack_usage",
    "memory_used", "memory_used_initial", "global_connection_memory", "tmp_space_used", "max_tmp_space_used",
    "last_query_cost", "last_query_partial_plans", "slaves_connected", "slaves_running",
}  # fmt: skip
_OF_TABLES = {
    "open_files", "open_streams", "open_tables", "open_table_definitions", "table_open_cache_active_instances",
    "qcache_free_blocks", "qcache_free_memory", "qcache_queries_in_cache", "qcache_total_blocks",
    "tc_log_max_pages_used", "tc_log_page_size", "binlog_snapshot_position",
}  # fmt: skip
_OF_INNODB = {
    "innodb_buffer_pool_pages_data", "innodb_buffer_pool_pages_dirty", "innodb_buffer_pool_pages_free",
    "innodb_buffer_pool_pages_misc", "innodb_buffer_pool_pages_old", "innodb_buffer_pool_pages_total",
    "innodb_buffer_pool_pages_latched", "innodb_buffer_pool_bytes_data", "innodb_buffer_pool_bytes_dirty",
    "innodb_buffer_pool_load_incomplete", "innodb_buffer_pool_resize_status_code",
    "innodb_buffer_pool_resize_status_progress",
    "innodb_checkpoint_age", "innodb_checkpoint_max_age", "innodb_checkpoint_target_age",
    "innodb_data_pending_fsyncs", "innodb_data_pending_reads", "innodb_data_pending_writes",
    "innodb_os_log_pending_fsyncs", "innodb_os_log_pending_writes",
    "innodb_history_list_length", "innodb_ibuf_free_list", "innodb_ibuf_segment_size", "innodb_ibuf_size",
    "innodb_mem_adaptive_hash", "innodb_mem_dictionary", "innodb_page_size", "innodb_num_open_files",
    "innodb_row_lock_current_waits", "innodb_current_row_locks", "innodb_row_lock_time_avg", "innodb_row_lock_time_max",
    "innodb_available_undo_logs", "innodb_undo_tablespaces_total", "innodb_undo_tablespaces_implicit",
    "innodb_undo_tablespaces_explicit", "innodb_undo_tablespaces_active",
    "innodb_redo_log_logical_size", "innodb_redo_log_physical_size", "innodb_redo_log_capacity_resized",
    "innodb_onlineddl_pct_progress", "innodb_onlineddl_rowlog_pct_used", "innodb_encryption_rotation_estimated_iops",
}  # fmt: skip
GAUGES = frozenset(_OF_SESSIONS | _OF_TABLES | _OF_INNODB)
_FAMILIES = (
    "uptime", "acl_", "key_blocks_", "aria_pagecache_blocks_", "slave_", "replica_", "rpl_semi_sync_", "ssl_ctx_",
    "ssl_verify_", "ssl_default_", "ssl_session_cache_size", "ssl_used_session_", "wsrep", "performance_schema_",
)  # fmt: skip
"""What begins so is a gauge, too: sizes, and what no load of a benchmark moves."""

_ENGINES_OWN = "innodb_"
"""How the counters begin that no FLUSH STATUS sets to zero. It zeroes the sessions' own, such as `Com_commit`."""


def is_gauge(name: str) -> bool:
    """Whether the status variable tells a state."""
    lower = name.lower()
    return lower in GAUGES or lower.startswith(_FAMILIES)


def outlives_a_flush(name: str) -> bool:
    """Whether FLUSH STATUS and FLUSH GLOBAL STATUS leave the counter as it is."""
    return name.lower().startswith(_ENGINES_OWN)
