"""A command's own output, told from what the login shell says around it: greetings of `.bashrc`, farewells of traps.

A line of ours comes before and after the command's standard output, and before its standard error. What stands outside
is the login shell's. Messages are asked for in English, which is what output and logs are read in.
"""

from __future__ import annotations

from otterflow.remote.shell import join

BEGINS = b"@@otterflow begins@@\n"
ENDS = b"@@otterflow ends@@\n"
MAX_GREETING_BYTES = 64 * 2**10
"""How much of what comes before the first line of ours is kept, to be shown where nothing else comes."""

# LC_ALL would win over LC_MESSAGES: what it says of everything else is kept.
ENGLISH = (
    'if [ -n "$LC_ALL" ]; then export LANG="$LC_ALL"; '
    "unset LC_ALL LC_CTYPE LC_COLLATE LC_TIME LC_MONETARY; fi; export LC_MESSAGES=C LC_NUMERIC=C; "
)
"""Shell that asks programs for messages in English and numbers with a point, and leaves sorting and letters alone."""


def framed(command: str, run_by: str) -> str:
    """One command for `sh -c`: `command` under bash, started by the words `run_by`, between our lines.

    The exit code is that of `run_by`.
    """
    begins, ends = (line.decode().strip() for line in (BEGINS, ENDS))
    inner = f"echo '{begins}'; echo '{begins}' >&2; {command}"
    outer = f"{ENGLISH}{run_by} bash -c \"$1\"; code=$?; echo '{ends}'; exit $code"
    return join(["sh", "-c", outer, "sh", inner])


class FramedOutput:
    """Collects standard output as it comes, `max_bytes` of the command's own; the rest is dropped."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._own = bytearray()
        self._outside = bytearray()
        self.begun = False
        """Whether our first line came."""

    def add(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        if not self.begun:
            self._outside += data
            at = self._outside.find(BEGINS)
            if at < 0:
                del self._outside[:-MAX_GREETING_BYTES]
                return
            self.begun = True
            data = bytes(self._outside[at + len(BEGINS) :])
            del self._outside[at:]
        self._own += data[: max(0, self._max_bytes + len(ENDS) - len(self._own))]

    @property
    def shell_ran(self) -> bool:
        """Whether our shell ran at all: its first line came, or its last (bash or `timeout` could not be started)."""
        return self.begun or ENDS in self._outside

    @property
    def outside(self) -> str:
        """What the login shell said before the command, without our lines."""
        return self._outside.replace(ENDS, b"").decode(errors="replace")

    @property
    def text(self) -> str:
        """The command's own output."""
        return self._content()[: self._max_bytes].decode(errors="replace")

    @property
    def truncated(self) -> bool:
        """Whether some of it was dropped."""
        return len(self._content()) > self._max_bytes

    def _content(self) -> bytes:
        at = self._own.rfind(ENDS)
        return bytes(self._own if at < 0 else self._own[:at])


def own_stderr(data: bytes) -> str:
    """Standard error from our line on; all of it where the line scrolled away or never came."""
    _, mark, own = data.partition(BEGINS)
    return (own if mark else data).decode(errors="replace")
