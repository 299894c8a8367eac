"""The recorder as one file to ship: it makes a recording where the server's log is."""

from __future__ import annotations

from collections.abc import Sequence

from otterflow.remote.archive import python_archive

_OURS = ("__main__", "cost", "definition", "retention", "shipping")
_NOT_SHIPPED = frozenset(f"workloads/recording/{name}.py" for name in _OURS)
"""Modules beside those that hosts get, which need what hosts do not have."""
SHIPPED = ("errors.py", "plain_files.py", "dbms/statement.py", "workloads/recording")


def recorder_archive(rooms: Sequence[str]) -> bytes:
    """The recorder with a DBMS's own `rooms`, which read its log. Run it with `python3 <file> SETTINGS`."""
    return python_archive("otterflow.workloads.recording.recorder", [*SHIPPED, *rooms], without=_NOT_SHIPPED)
