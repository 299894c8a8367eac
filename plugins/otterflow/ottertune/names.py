"""Settings of PostgreSQL 9.x to 11 that the knob catalog (12 and newer) knows otherwise, or not at all.

Sources: the release notes of 9.3, 9.4, 9.5, 9.6, 10, 11, 12 and 13 (section "Migration"), and `guc.c` of the branches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from otterflow.dbms.postgresql import secrets
from otterflow.knobs.space import Value

DBMS = "postgresql"
"""The DBMS whose files are read and written here."""

WAL_SEGMENT_MB = 16
"""The size of a WAL segment that was built in until 10, and is `initdb`'s default since 11."""


@dataclass(frozen=True)
class Successor:
    """What has taken a setting's place: its `name`, how its value follows from the old one, and by what rule.

    `unit` is the old setting's own, in which `convert` takes its value; the result is in the successor's.
    """

    name: str
    unit: str | None
    convert: Callable[[int], int]
    rule: str


RENAMED = {
    "min_parallel_relation_size": Successor("min_parallel_table_scan_size", "8kB", int, "renamed in 10"),
    "checkpoint_segments": Successor(
        "max_wal_size",
        None,
        lambda segments: 3 * segments * WAL_SEGMENT_MB,
        "replaced in 9.5; its release notes give max_wal_size = 3 * checkpoint_segments * 16MB",
    ),
}
"""Old settings that became a knob of the catalog, all of them integers."""

REMOVED = {
    "add_missing_from": "removed in 9.0",
    "custom_variable_classes": "removed in 9.2",
    "default_with_oids": "removed in 12: no table has OIDs any more",
    "krb_srvname": "removed in 9.4 with Kerberos 5 authentication; GSSAPI has it per connection",
    "max_fsm_pages": "removed in 8.4",
    "max_fsm_relations": "removed in 8.4",
    "regex_flavor": "removed in 9.0",
    "replacement_sort_tuples": "removed in 11 with replacement selection sort",
    "replication_timeout": "replaced in 9.3 by wal_sender_timeout, which is not tuned",
    "silent_mode": "removed in 9.2",
    "sql_inheritance": "removed in 10: queries always include child tables",
    "ssl_renegotiation_limit": "removed in 9.5: sessions renegotiate no more",
    "stats_reset_on_server_start": "removed in 8.4",
    "unix_socket_directory": "replaced in 9.3 by unix_socket_directories, which is not tuned",
    "wal_sender_delay": "removed in 9.2",
}
"""Old settings without a successor that could be tuned, and why."""

BARE_COUNTS = {"max_wal_size": WAL_SEGMENT_MB, "min_wal_size": WAL_SEGMENT_MB}
"""What a bare number of these counted until 9.6, in the catalog's unit (MB): segments, as `pg_settings.setting` has it.

Texts of `SHOW` carry their unit.
"""

OLD_VALUES: dict[str, dict[str, Value]] = {
    "wal_level": {"archive": "replica", "hot_standby": "replica"},
}
"""Values that were merged into another one: wal_level in 9.6."""

ENUM_VALUES = {
    "constraint_exclusion": ("partition", "on", "off"),
    "huge_pages": ("off", "on", "try"),
    "plan_cache_mode": ("auto", "force_generic_plan", "force_custom_plan"),
    "synchronous_commit": ("local", "remote_write", "remote_apply", "on", "off"),
    "wal_compression": ("pglz", "lz4", "zstd", "on", "off"),
    "wal_level": ("minimal", "replica", "logical"),
    "wal_sync_method": ("fsync", "fdatasync", "open_sync", "open_datasync", "fsync_writethrough"),
}
"""All values that a server takes, where the catalog lists those worth trying."""

MAY_HOLD_SECRETS = frozenset(secrets.MAY_HOLD_SECRETS)
"""Settings that hold passwords on some servers. They are neither exported nor kept of an import."""
