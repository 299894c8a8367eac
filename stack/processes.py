"""Starting servers in a session of their own, and ending them so that nothing is left.

A process counts as ours when its environment holds the stack's marker, when it works inside the stack's folder, when it
is an sshd with its configuration there, or when it descends from such a process. One mark is not enough: PostgreSQL,
sshd and Airflow write their process title over the environment that /proc shows, sshd works in /, and a command over
SSH may work anywhere.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import psutil

MARKER = "OTTERFLOW_STACK"
"""The environment variable that marks the processes of a stack; its value is a folder of that stack."""


class StackError(Exception):
    """A private server did not do what was asked of it. The message ends with the tail of its log."""


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(argv: Sequence[str], *, log: Path, cwd: Path, env: Mapping[str, str] | None = None) -> psutil.Process:
    """Start a server in its own session, its output appended to `log`. It outlives the caller."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=cwd, env=env, start_new_session=True
        )
    return psutil.Process(child.pid)


def wait_until(ready: Callable[[], bool], *, timeout_s: float, what: str, log: Path, poll_s: float = 0.05) -> None:
    """Poll until `ready()`. Raises StackError with the end of `log` after `timeout_s` seconds."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if time.monotonic() > deadline:
            raise StackError(f"{what} within {timeout_s:g} s: it did not happen\n{tail(log)}")
        time.sleep(poll_s)


def tail(log: Path, lines: int = 20) -> str:
    """The last lines of a log file, or an empty text where there is none."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def belonging_to(folder: Path) -> list[psutil.Process]:
    """All running processes of the stack in `folder`, never the caller or its ancestors."""
    folder = folder.resolve()
    caller = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        if process.pid not in caller and _is_marked(process, folder):
            for member in [process, *_descendants(process)]:
                if member.pid not in caller:
                    found[member.pid] = member
    return [process for process in found.values() if is_alive(process)]


def running_as(uid: int) -> list[psutil.Process]:
    """All processes whose real or effective user is `uid`."""
    found = []
    for process in psutil.process_iter():
        try:
            uids = process.uids()
        except psutil.Error:
            continue
        if uid in (uids.real, uids.effective) and is_alive(process):
            found.append(process)
    return found


def end_all(processes: Iterable[psutil.Process], grace_s: float = 10.0) -> None:
    """End the processes with TERM, and after `grace_s` seconds those that are left with KILL."""
    processes = list(processes)
    for process in processes:
        _signal(process.terminate)
    _, stubborn = psutil.wait_procs(processes, timeout=grace_s)
    for process in stubborn:
        _signal(process.kill)
    psutil.wait_procs(stubborn, timeout=grace_s)


def describe(processes: Iterable[psutil.Process]) -> str:
    """One line a process, for an error message."""
    lines = []
    for process in processes:
        try:
            lines.append(f"{process.pid} {' '.join(process.cmdline())[:160]}")
        except psutil.Error:
            continue
    return "\n".join(lines)


def _is_marked(process: psutil.Process, folder: Path) -> bool:
    try:
        if Path(process.cwd()).is_relative_to(folder):
            return True
        if process.name() == "sshd":
            return str(folder) in " ".join(process.cmdline())
        marker = process.environ().get(MARKER)
        return bool(marker) and Path(marker).is_relative_to(folder)
    except (psutil.Error, OSError):
        return False


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.Error:
        return []


def is_alive(process: psutil.Process) -> bool:
    """Whether the process runs still; one that only waits for its parent to take notice does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _signal(send: Callable[[], None]) -> None:
    try:
        send()
    except psutil.NoSuchProcess:
        return
