"""A look at the driver host before anything is touched: its python3, and the recording that is to be replayed there."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from otterflow.errors import Problem
from otterflow.remote.shell import quote
from otterflow.workloads.replay.replayer import LEAST_PYTHON
from otterflow.workloads.replay.shipping import replayer_archive

TOO_OLD, NO_PYTHON = 3, 4
_LEAST = ".".join(map(str, LEAST_PYTHON))


def look_command(recording: str) -> str:
    """Reads and checks the whole recording, and prints what its manifest says; `look_input` comes in by its stdin.

    The program is put into a file of its own for as long as it runs.
    """
    return f"""set -u
umask 077
command -v python3 > /dev/null || exit {NO_PYTHON}
python3 -c 'import sys; print(sys.version.split()[0]); sys.exit(sys.version_info < {LEAST_PYTHON})' || exit {TOO_OLD}
program=$(mktemp)
trap 'rm -f -- "$program"' EXIT
base64 -d > "$program"
python3 -I "$program" look {quote(recording)}
"""


def look_input(dbms: str) -> str:
    """The program, as text."""
    return base64.b64encode(replayer_archive(dbms)).decode()


def read_look(recording: str, dbms: str, exit_code: int, stdout: str, stderr: str) -> tuple[list[Problem], str]:
    """What is wrong there, and a sentence on the recording where nothing is."""
    if exit_code == NO_PYTHON:
        return [], ""  # it is told among the programs that are missing
    version, _, answer = stdout.partition("\n")
    if exit_code == TOO_OLD:
        found = f"is {version.strip() or 'broken'} on the driver host, and the replayer needs {_LEAST}"
        return [Problem("python3", found, f"put a python3 from {_LEAST} on the SSH user's PATH there")], ""
    if exit_code != 0:
        said = stderr.strip().rpartition("\n")[2].removeprefix("replay: ").removeprefix("recording: ")
        return [Problem("recording", said or f"{recording} cannot be read", "give the folder of a recording")], ""
    told = json.loads(answer)
    if told["dbms"] != dbms:
        found = f"{recording} is of {told['dbms']}, and the target is of {dbms}"
        return [Problem("recording", found, "choose a recording of the same DBMS, or another target")], ""
    return [], _sentence(recording, told)


def _sentence(recording: str, told: Mapping[str, Any]) -> str:
    lacks = f"; it is not complete: {told['missing']}" if told["missing"] else ""
    sampled = told["sampled"]
    drawn = "" if sampled is None else f"; a sample of the transactions, share {sampled:g}, replayed as an open stream"
    return (
        f"recording {recording}: {told['statements']} statements of {told['sessions']} sessions of {told['source']}, "
        f"from {told['start']} to {told['end']}{drawn}{lacks}"
    )
