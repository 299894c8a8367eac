"""The replayer as one file to ship: an archive of its modules that any python3 from 3.9 on runs as it is."""

from __future__ import annotations

from otterflow.remote.archive import python_archive
from otterflow.workloads.recording.shipping import NOT_SHIPPED

SHIPPED = (
    "errors.py",
    "plain_files.py",
    "dbms/statement.py",
    "dbms/statements",
    "dbms/postgresql/statements",
    "workloads/recording",
    "workloads/replay/replayer",
)
"""Modules and rooms that the replayer is made of, beneath the package `otterflow`."""


def replayer_archive() -> bytes:
    """The archive. Run it with `python3 <file> SETTINGS`."""
    return python_archive("otterflow.workloads.replay.replayer.__main__", SHIPPED, without=NOT_SHIPPED)
