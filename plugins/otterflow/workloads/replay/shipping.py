"""The replayer as one file to ship: an archive of its modules that any python3 from 3.9 on runs as it is."""

from __future__ import annotations

from collections.abc import Iterator

from otterflow.dbms.statements.dialect import ROOMS
from otterflow.remote.archive import ROOT, python_archive

SHIPPED = (
    "errors.py",
    "plain_files.py",
    "dbms/statement.py",
    "dbms/statements",
    *(f"workloads/recording/{name}.py" for name in ("lines", "manifest", "ordering", "reading")),
    "workloads/replay/replayer",
)
"""Modules and rooms that the replayer of every DBMS is made of, beneath the package `otterflow`."""


def replayer_archive(dbms: str) -> bytes:
    """The archive for recordings of a DBMS. Run it with `python3 <file> SETTINGS`."""
    room = ROOMS[dbms]
    others = {each for other in ROOMS.values() if other != room for each in _modules(other)}
    rooms = (*SHIPPED, f"dbms/{room}/statements")
    return python_archive("otterflow.workloads.replay.replayer.__main__", rooms, without=others)


def _modules(room: str) -> Iterator[str]:
    for path in (ROOT / "workloads/replay/replayer" / room).rglob("*.py"):
        yield str(path.relative_to(ROOT))
