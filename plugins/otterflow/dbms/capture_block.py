"""The block in a server's knobs file that says a recording's window is open, whatever the DBMS: who, and until when.

The block is what outlives a killed job and a rebooted host: `put_back` finds by it what there is to put back, the next
window that this one is open, and a check of the target that capture was left on. What lies between its first and its
last line is the DBMS's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from otterflow.dbms.target import Target
from otterflow.dbms.values import Captured
from otterflow.errors import Problem
from otterflow.remote.shell import quote

BEGIN, END = "# otterflow capture: begin", "# otterflow capture: end"
CAPTURED_FILE = "captured"
OVERLAPS = 5
"""The exit code of a job whose window would lie over another's."""


def first_line(recording: str, end: datetime) -> str:
    """The block's first line."""
    return f"{_begin(recording)}, until {end:%Y-%m-%dT%H:%M:%SZ}"


def _begin(recording: str) -> str:
    return f"{BEGIN}; recording {recording}"


def block_functions(target: Target, recording: str) -> str:
    """Bash functions: `write` replaces the knobs file, `without_block MARK` prints it without blocks that begin so.

    `take_out` makes it shorter, on a full disk too.
    `take_turn` and `end_turn` keep two recordings from writing it at once. `stop_if_other` ends the script where
    another window is open. `unblock` takes the recording's own block out, and the file where that was all of a new one.
    A file that is gone stays so.
    """
    return f"""knobs=$(readlink -f -- {quote(target.knobs_file)})
own={quote(f"{_begin(recording)},")}
take_turn() {{ exec 9< "$(dirname -- "$knobs")"; flock -w 30 9; }}
end_turn() {{ exec 9<&-; }}
without_block() {{ if [ -e "$knobs" ]; then sed "/^$1/,/^"{quote(END)}"/d" -- "$knobs"; fi; }}
write() {{
  local part
  part=$(mktemp -- "$knobs.XXXXXXXX")
  if cat > "$part" && chmod 644 -- "$part" && sync -- "$part" && mv -fT -- "$part" "$knobs"; then return 0; fi
  rm -f -- "$part"
  return 1
}}
take_out() {{  # where the disk is full, over the file itself: what is left of it is no longer than it is
  if printf %s "$1" | write 2> /dev/null; then return 0; fi
  local LC_ALL=C
  local size=${{#1}}
  [ "$size" -le "$(stat -c %s -- "$knobs")" ] && printf %s "$1" 1<> "$knobs" && truncate -s "$size" -- "$knobs"
}}
stop_if_other() {{
  local other until
  other=$(if [ -e "$knobs" ]; then sed -n {quote(f"s/^{BEGIN}; recording //p")} -- "$knobs"; fi | head -n 1)
  until=${{other#*, until }}
  if [ -n "$other" ] && [ "$(date -d "${{until%%;*}}" +%s)" -gt "$(date +%s)" ]; then
    echo "recording $other has the server log its statements; two windows of one server must not overlap"
    exit {OVERLAPS}
  fi
}}
unblock() {{
  local text
  take_turn
  if [ ! -e "$knobs" ]; then end_turn; return 0; fi
  if grep -q -- "^$own.*; a new file$" "$knobs" && [ -z "$(without_block "$own")" ]; then
    rm -f -- "$knobs" || return 1
  else
    text=$(without_block "$own" && echo .) && take_out "${{text%.}}" || return 1
  fi
  end_turn
}}
"""


def read_captured(results: Mapping[str, str], why: Mapping[str, str]) -> Captured | None:
    """What a window's job has left in `CAPTURED_FILE`; None where the window was never open.

    `why` has in words what it ended early for.
    """
    found = re.search(r"on ([\d.]+)(?:\noff ([\d.]+) (\w+))?", results.get(CAPTURED_FILE, ""))
    if found is None:
        return None
    return Captured(float(found[1]), float(found[2]) if found[2] else None, why.get(found[3] or "", ""))


def left_on(knobs_text: str, knobs_file: str, by_hand: str) -> Problem | None:
    """That the knobs file has the block of a recording, in which it stays only while that is made."""
    found = re.search(rf"^{BEGIN}; recording (\S+), until (\S+)", knobs_text, re.MULTILINE)
    if found is None:
        return None
    return Problem(
        "knobs_file", f"{knobs_file} has the server log every statement for recording {found[1]}, until {found[2]}",
        f"wait for that; if it is over, they were left on: clear the task `put_back` of that recording's run, or "
        f"{by_hand}",
    )  # fmt: skip
