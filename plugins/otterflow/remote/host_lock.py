"""A lock on the host that names its holder, and within it the turn of one task: builders of bash commands.

The lock is a folder in a fixed place of the host, so that two Airflows that know nothing of each other find the same:

    holder     who holds it, one `field: value` a line; the first, `owner`, is what two holders are told apart by
    turn       the task whose turn it is to act; whoever acts next replaces it
    flock      what every command that acts holds until it has ended

A command that acts runs under `flock`. So it waits for the one before it, also for one whose task was killed and whose
connection is gone; and a task that was overtaken finds that the turn is another's, and touches nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from otterflow.remote.shell import quote

LOCKS = "/var/tmp"  # noqa: S108 there on every host, writable for every SSH user, and kept over a reboot
NO_TURN = 95
"""Exit code: another task has acted since, and this one may act no more."""
BUSY = 96
"""Exit code: another command has acted for longer than could be waited for."""
HELD = 97
"""Exit code: another holds the lock; who it is stands on stderr."""


@dataclass(frozen=True)
class HostLock:
    """The lock of one server: its folder on the host, who takes it, and what a person is told of the taker."""

    path: str
    owner: str
    about: Mapping[str, str]

    @property
    def text(self) -> str:
        """The `holder` file, with the time left to the host: a line `since` is added when it is taken."""
        lines = {"owner": self.owner, **self.about}
        return "".join(f"{field}: {' '.join(value.split())}\n" for field, value in lines.items())


def lock_path(name: str) -> str:
    """The lock's folder; `name` is the server's own."""
    return f"{LOCKS}/otterflow-{name}.lock"


def take_command(lock: HostLock, wait_s: int, *, instead_of: str = "") -> str:
    """Take the lock, or find that it is ours already. `instead_of` is an owner that may be replaced.

    Exit code `HELD`, with the holder on stderr, where it is another's, or belongs to another user of the host.
    """
    return f"{_entered(lock, wait_s, instead_of)}\nexit 0\n"


def acting_command(lock: HostLock, turn: str, command: str, wait_s: int, *, first: bool) -> str:
    """`command` under the lock, in its turn. The `first` of a turn takes the lock if it is free, and the turn.

    Exit codes beside the command's own: `HELD`, `NO_TURN` and `BUSY`, each with a sentence on stderr.
    """
    of_turn = f"printf '%s\\n' {quote(turn)} > \"$lock/turn\"" if first else _SAME_TURN
    return f"""{_entered(lock, wait_s, "") if first else _still_held(lock, wait_s)}
turn={quote(turn)}
{of_turn}
(
{command}
) 8>&-
"""


def release_command(lock: HostLock) -> str:
    """Give the lock free; nothing happens if it is another's or free."""
    return f"""lock={quote(lock.path)}
if grep -qxF -- {quote(f"owner: {lock.owner}")} "$lock/holder" 2> /dev/null; then rm -rf -- "$lock"; fi
"""


def owner_of(holder: str) -> str:
    """The owner that a `holder` file names; empty for any other text."""
    return next((line.removeprefix("owner: ") for line in holder.splitlines() if line.startswith("owner: ")), "")


def _entered(lock: HostLock, wait_s: int, instead_of: str) -> str:
    """Bash that holds `flock` and the lock, or ends."""
    owners = " ".join(f"-e {quote(f'owner: {owner}')}" for owner in (lock.owner, instead_of) if owner)
    return f"""mask=$(umask)
umask 022
lock={quote(lock.path)}
mkdir -- "$lock" 2> /dev/null
if [ -L "$lock" ] || [ ! -O "$lock" ]; then
  cat -- "$lock/holder" >&2 || echo "$lock cannot be made, or belongs to another user of this host" >&2
  exit {HELD}
fi
{_under_flock(wait_s)}
if [ -s "$lock/holder" ] && ! grep -qxF {owners} -- "$lock/holder"; then cat -- "$lock/holder" >&2; exit {HELD}; fi
if ! grep -qxF -- {quote(f"owner: {lock.owner}")} "$lock/holder" 2> /dev/null; then
  {{ printf %s {quote(lock.text)}; echo "since: $(date -u +%Y-%m-%dT%H:%M:%SZ)"; }} > "$lock/holder.new" || exit 1
  mv -f -- "$lock/holder.new" "$lock/holder" || exit 1
fi
umask "$mask\""""


def _still_held(lock: HostLock, wait_s: int) -> str:
    return f"""lock={quote(lock.path)}
if ! grep -qxF -- {quote(f"owner: {lock.owner}")} "$lock/holder" 2> /dev/null; then
  cat -- "$lock/holder" >&2 || echo "$lock is gone: somebody has broken it" >&2
  exit {HELD}
fi
{_under_flock(wait_s)}"""


def _under_flock(wait_s: int) -> str:
    return f"""exec 8>> "$lock/flock"
flock -w {wait_s} 8 || {{ echo "another command acts on the server for more than {wait_s} s" >&2; exit {BUSY}; }}"""


# An empty file is a turn that a full disk did not let be written: a server must come up all the same.
_SAME_TURN = f"""if [ -s "$lock/turn" ] && [ "$(cat -- "$lock/turn" 2> /dev/null)" != "$turn" ]; then
  echo "it is the turn of $(cat -- "$lock/turn" 2>&1)" >&2
  exit {NO_TURN}
fi"""
