"""Stands for an SSH session: runs the commands here, as any user of this machine."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

from otterflow.errors import CommandFailed, ConnectionFault
from otterflow.remote.session import Completed, Session
from stack.users import ServerUser


class ThisMachine(Session):
    """`fails` is asked ahead of each command whether the connection is lost then."""

    def __init__(self, user: ServerUser | None = None, fails: Callable[[str], bool] = lambda command: False) -> None:
        super().__init__(lambda: None, host="here")  # type: ignore[arg-type,return-value]
        self._user, self._fails = user, fails

    def run(self, command: str, *, what: str = "", stdin: str | None = None, check: bool = True, **_: Any) -> Completed:
        if self._fails(command):
            raise ConnectionFault("the connection was lost")
        argv: list[str] = self._user.command("bash", "-c", command) if self._user else ["bash", "-c", command]
        done = subprocess.run(argv, input=stdin or "", capture_output=True, text=True, timeout=60, cwd="/")
        if check and done.returncode != 0:
            raise CommandFailed(what, done.returncode, done.stderr)
        return Completed(done.returncode, done.stdout, done.stderr)
