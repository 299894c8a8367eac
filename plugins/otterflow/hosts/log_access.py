"""Whether a recording can be made on a host: its python3, its clock, its disk, and who may read the server's log."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from otterflow.errors import Problem
from otterflow.remote.sections import SECTION, sections, texts_of
from otterflow.remote.shell import quote, quote_glob

if TYPE_CHECKING:
    from otterflow.remote.session import Session

LOOK_S = 60.0
OLDEST_PYTHON = (3, 9)


@dataclass(frozen=True)
class LogAccess:
    """What was seen. `clock_ahead_s` is by how much the host's clock is ahead of this machine's."""

    user: str
    python: tuple[int, ...]
    clock_ahead_s: float
    readable: tuple[str, ...]
    closed: tuple[str, ...] = field(default=())

    def problems(self, patterns: Sequence[str]) -> list[Problem]:
        """What keeps the SSH user from reading the log, if it is there before, and from running the recorder."""
        found = []
        if self.python < OLDEST_PYTHON:
            seen = ".".join(map(str, self.python)) or "missing"
            found.append(
                Problem("host", f"its python3 is {seen}", "install python3, 3.9 or newer: the log is read there")
            )
        wanted = " ".join(patterns)
        if self.closed:
            advice = (
                f"let {self.user!r} in, for instance by the group that the files have (usermod -a -G, log_file_mode = "
                f"0640), or by an ACL: setfacl -R -m u:{self.user}:rX {_folder(patterns[0])}"
            )
            found.append(
                Problem("log_file", f"{self.user!r} may not read the server's log ({'; '.join(self.closed)})", advice)
            )
        elif patterns and not self.readable:
            advice = "correct log_file in the target's file, or see where the server writes its log"
            found.append(Problem("log_file", f"no file is at {wanted}", advice))
        return found


def look_at_log(session: Session, patterns: Sequence[str]) -> LogAccess:
    """Look on the host that has the log, in one round trip."""
    begun_s = datetime.now(UTC).timestamp()
    text = session.run(_command(patterns), what="looking for the server's log", timeout_s=LOOK_S).stdout
    said = texts_of(sections(text))
    # The host looked at its clock between the asking and the answer: what lies between is no difference.
    host_s = float(said["clock"])
    return LogAccess(
        said["user"].strip(),
        tuple(int(part) for part in said["python"].split()),
        host_s - begun_s if host_s < begun_s else max(0.0, host_s - datetime.now(UTC).timestamp()),
        tuple(said["readable"].splitlines()),
        tuple(line for line in said["closed"].splitlines() if line),
    )


def _folder(pattern: str) -> str:
    return posixpath.dirname(pattern)


def _command(patterns: Sequence[str]) -> str:
    globs = " ".join(quote_glob(pattern) for pattern in patterns)
    folders = " ".join(sorted({quote(_folder(pattern)) for pattern in patterns}))
    return f"""{SECTION}
section clock; date +%s.%N
section user; id -un
section python; python3 -c 'import sys; print(*sys.version_info[:2])' 2> /dev/null
section readable
closed=()
for log in {globs}; do
  [ -f "$log" ] || continue
  if [ -r "$log" ]; then printf '%s\\n' "$log"; else closed+=("$(stat -c '%n: mode %a, %U:%G' -- "$log")"); fi
done
section closed
for folder in {folders}; do
  [ -f "$folder" ] && continue
  while [ ! -d "$folder" ] && [ "$folder" != / ]; do folder=$(dirname -- "$folder"); done
  if [ ! -x "$folder" ] || [ ! -r "$folder" ]; then stat -c '%n: mode %a, %U:%G' -- "$folder"; fi
done
if [ ${{#closed[@]}} -gt 0 ]; then printf '%s\\n' "${{closed[0]}}"; fi
exit 0
"""
