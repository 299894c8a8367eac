"""Loads data from SQL files with the client: in the order of their numbers, those of one number at the same time.

The client has no variables of its own, so what a file may use are the session's: `@scale`, `@part` and `@parts`, and
those of the benchmark file.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path

SESSION_FILE = "session.sql"
"""SQL that every session of a load and of a check starts with."""

LOAD_FUNCTION = """\
trap 'kill $(jobs -p) 2> /dev/null || true' EXIT
load_together() {
    local word name part pid pids=()
    for word in "$@"; do
        name=${word%%@*} part=${word##*@}
        if [ "$part" = "$word" ]; then part=0; fi
        echo "loading: $word"
        (
            { echo "SET @part = $part;"; cat variables.sql session.sql "$name"; } | sql_client
            echo "loaded: $word"
        ) & pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid"; done
}
"""
"""A word is a file's name, or `name@part`; `sql_client` is of the job's prologue."""

_PARTS = re.compile(r"@parts\b")


def load_steps(files: Iterable[Path], parts: int = 1) -> str:
    """Bash that runs the files, which lie in the job folder beside `session.sql` and `variables.sql`.

    A file whose SQL has `@parts` in it is run that many times at the same time, with `@part` counting from 0.
    """
    together = (list(group) for _, group in groupby(sorted(files), key=lambda path: path.name[:2]))
    steps = ["load_together " + " ".join(word for path in group for word in _words(path, parts)) for group in together]
    return LOAD_FUNCTION + "\n".join(steps) + "\n"


def session_files(
    variables: Mapping[str, int | float], session_sql: str, *, limit_s: float, parts: int = 1
) -> dict[str, str]:
    """The files that every session starts with: the variables' values, and the user's own.

    A server does not notice that a statement's client is gone, so MariaDB is told how long one may run.
    """
    values = ", ".join(f"@{name} = {value!r}" for name, value in {**variables, "parts": parts}.items())
    limit = f"/*M!100100 , SESSION max_statement_time = {limit_s:.0f} */"
    return {"variables.sql": f"SET {values} {limit};\n", SESSION_FILE: f"{session_sql}\n"}


def _words(path: Path, parts: int) -> list[str]:
    in_parts = parts > 1 and _PARTS.search(path.read_text())
    return [shlex.quote(f"{path.name}@{part}" if in_parts else path.name) for part in range(parts if in_parts else 1)]
