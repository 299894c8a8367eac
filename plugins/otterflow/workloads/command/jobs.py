"""What the drivers of the user's own commands share: the data's name, and jobs that run a command in its own bash."""

from __future__ import annotations

import hashlib

from otterflow.dbms.values import DatabaseAccess
from otterflow.remote.script import JobScript
from otterflow.workloads.command.settings import OwnCommands

LONGEST_LINE = 200
"""How much of a line is shown in the task's log."""


def data_fingerprint(settings: OwnCommands) -> str:
    """The scale, and a hash of the load command and of all files, of which it may use any."""
    digest = hashlib.sha256(settings.load.encode())
    for name, text in sorted(_files(settings).items()):
        digest.update(f"\0{name}\0{text}".encode())
    return f"{settings.scale}-{digest.hexdigest()[:16]}"


def bash(name: str) -> str:
    """A command that runs a file as bash: a step that fails ends it, also in the middle of a pipe; no input."""
    return f"bash -e -o pipefail {name} < /dev/null"


def own_job(
    settings: OwnCommands,
    access: DatabaseAccess,
    bin_dir: str | None,
    *,
    script: str,
    file: str,
    command: str,
    timeout_s: float,
    results: tuple[str, ...] = (),
) -> JobScript:
    """A job whose `script` runs `command`, the user's text, as the file of that name beside the user's files."""
    head = access.prologue(bin_dir) + f"export OTTERFLOW_SCALE={settings.scale}\n"
    text = command if command.endswith("\n") else command + "\n"
    return JobScript(head + script, access.files() | _files(settings) | {file: text}, timeout_s, results)


def load_job(settings: OwnCommands, access: DatabaseAccess, bin_dir: str | None, timeout_s: float) -> JobScript:
    """The user's load command."""
    script, file = bash("load.sh") + "\n", "load.sh"
    return own_job(settings, access, bin_dir, script=script, file=file, command=settings.load, timeout_s=timeout_s)


def said(line: str) -> str | None:
    """A line of the user's own output for the task's log; None for a blank one."""
    return line.strip()[:LONGEST_LINE] or None


def _files(settings: OwnCommands) -> dict[str, str]:
    return {path.name: path.read_text() for path in settings.files}
