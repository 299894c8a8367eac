"""Loads data from SQL files with psql: in the order of their numbers, those of one number at the same time."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path

PSQL = "psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1"

END_IF_ABANDONED = """\
-- A server from version 14 on then ends a query within a second when its client is gone, as after a time limit.
SELECT set_config(name, '1000', false) FROM pg_settings WHERE name = 'client_connection_check_interval' \\g /dev/null
"""

LOAD_FUNCTION = """\
trap 'kill $(jobs -p) 2> /dev/null || true' EXIT
load_together() {
    local word name part pid pids=()
    for word in "$@"; do
        name=${word%%@*} part=${word##*@}
        if [ "$part" = "$word" ]; then part=0; fi
        echo "loading: $word"
        PSQL "${variables[@]}" --set=part="$part" --file=session.sql --file="$name" \\
            --command="\\echo loaded: $word" & pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid"; done
}
""".replace("PSQL", PSQL)
"""A word is a file's name, or `name@part`. Each psql is a job of the script's own shell, so that the trap reaches it
when one of them fails."""

_PARTS = re.compile(r"(?<!:):parts\b")


def load_steps(files: Iterable[Path], variables: Mapping[str, int | float], parts: int = 1) -> str:
    """Bash that runs the files, which lie in the job folder beside `session.sql`, with psql's variables.

    A file whose SQL has `:parts` in it is run that many times at the same time, with `:part` counting from 0.
    """
    together = (list(group) for _, group in groupby(sorted(files), key=lambda path: path.name[:2]))
    steps = ["load_together " + " ".join(word for path in group for word in _words(path, parts)) for group in together]
    return f"{LOAD_FUNCTION}variables=({psql_variables({**variables, 'parts': parts})})\n" + "\n".join(steps) + "\n"


def psql_variables(variables: Mapping[str, int | float]) -> str:
    """The options that set psql's variables, quoted for bash."""
    return " ".join(shlex.quote(f"--set={name}={value}") for name, value in variables.items())


def _words(path: Path, parts: int) -> list[str]:
    in_parts = parts > 1 and _PARTS.search(path.read_text())
    return [shlex.quote(f"{path.name}@{part}" if in_parts else path.name) for part in range(parts if in_parts else 1)]
