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

MIB = 1024**2
LEAST_BYTES = 16 * MIB
"""What is left over below this is written in a moment."""
LARGE_SHARE = 0.5
"""Of the changes that a run has made: where more than this is put off, its end says little of what comes after."""


def of_window(before: Mapping[str, Number] | None, after: Mapping[str, Number], seconds: float) -> dict[str, float]:
    """`redo_bytes` and `dirty_bytes` at the window's end, how many more each second, and the redo written each second.

    All from the status. Without `before`, as after a restart, there is no growth to tell.
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
    end, begin = _written(after), None if before is None else _written(before)
    if end is not None and begin is not None:
        found[f"{SOURCE}.redo_bytes_written"] = float(end - begin) / seconds
    return found


def remark(metrics: Mapping[str, float]) -> str | None:
    """That the run of these metrics has put off most of its writing; None where it has not, or nothing tells."""
    left, growth, written = (
        metrics.get(f"{SOURCE}.{name}", 0.0) for name in ("redo_bytes", "redo_bytes_growth", "redo_bytes_written")
    )
    if left < LEAST_BYTES or growth <= LARGE_SHARE * written:
        return None
    return (
        f"the run ended before the server had to write most of what it changed: of {written / MIB:.3g} MB of redo a "
        f"second {growth / MIB:.3g} MB are left to be paid ({left / MIB:.0f} MB in all). A longer run pays for that: "
        "measure longer before you believe a gain by a larger redo log"
    )


def _redo_bytes(status: Mapping[str, Number]) -> Number | None:
    for written, checkpoint in _REDO:
        if written in status and checkpoint in status:
            return status[written] - status[checkpoint]
    return None


def _written(status: Mapping[str, Number]) -> Number | None:
    return next((status[written] for written, _ in _REDO if written in status), None)


def _dirty_bytes(status: Mapping[str, Number]) -> Number | None:
    return status.get(_DIRTY)
