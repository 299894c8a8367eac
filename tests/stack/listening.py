"""Where the processes of a stack listen."""

from __future__ import annotations

from pathlib import Path

import psutil

from stack.processes import belonging_to


def listening(folder: Path) -> set[tuple[str, int]]:
    """Address and port of every TCP socket that a process of the stack in `folder` listens on."""
    return {
        (socket.laddr.ip, socket.laddr.port)
        for process in belonging_to(folder)
        for socket in process.net_connections(kind="tcp")
        if socket.status == psutil.CONN_LISTEN
    }
