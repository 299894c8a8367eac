"""The values of enums that a server does not tell: MySQL tells none, and calls those of InnoDB plain texts.

Only settings that are tuned are here. The tests try each value on a server, and one that is none of them.
"""

from __future__ import annotations

MEMBERS: dict[str, tuple[str, ...]] = {
    "binlog_row_image": ("MINIMAL", "NOBLOB", "FULL"),
    "innodb_change_buffering": ("none", "inserts", "deletes", "changes", "purges", "all"),
    "innodb_doublewrite": ("OFF", "ON", "DETECT_ONLY", "DETECT_AND_RECOVER"),
    "innodb_flush_method": ("fsync", "O_DSYNC", "littlesync", "nosync", "O_DIRECT", "O_DIRECT_NO_FSYNC"),
    "innodb_log_writer_threads": ("OFF", "ON"),
    "internal_tmp_mem_storage_engine": ("MEMORY", "TempTable"),
}
"""Setting to its values, as the server spells them."""
