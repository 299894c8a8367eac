"""What the engine has yet to write to its tables: a short run under a large redo log leaves the bill to later.

The redo log that no checkpoint has reached yet is what a crash recovery would read, and what the server will have to
write out; where it grows through a window, the window's throughput is better than the server can keep up.
"""

from __future__ import annotations

from collections.abc import Mapping

Number = int | float

SOURCE = "write_debt"
_REDO = (
    ("innodb_lsn_current", "innodb_lsn_last_checkpoint"),
    ("innodb_redo_log_current_lsn", "innodb_redo_log_checkpoint_lsn"),
)
"""How far the log is written, and up to where a checkpoint has taken it: MariaDB's names, and MySQL's from 8.0.30."""
_DIRTY = "innodb_buffer_pool_bytes_dirty"


def of_window(before: Mapping[str, Number] | None, after: Mapping[str, Number], seconds: float) -> dict[str, float]:
    """`redo_bytes` and `dirty_bytes` at the window's end, and how many more each second; both from the status.

    Without `before`, as after a restart, there is no growth to tell.
    """
    found = {}
    for name, read in (("redo", _redo_bytes), ("dirty", _dirty_bytes)):
        now = read(after)
        if now is None:
            continue
        found[f"{SOURCE}.{name}_bytes"] = float(now)
        then = None if before is None else read(before)
        if then is not None:
            found[f"{SOURCE}.{name}_bytes_growth"] = float(now - then) / seconds
    return found


def _redo_bytes(status: Mapping[str, Number]) -> Number | None:
    for written, checkpoint in _REDO:
        if written in status and checkpoint in status:
            return status[written] - status[checkpoint]
    return None


def _dirty_bytes(status: Mapping[str, Number]) -> Number | None:
    return status.get(_DIRTY)
