"""In which order the server reads its configuration files, and whether the knobs file is among them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from otterflow.dbms.postgresql import configuration_file, include_order, overriding
from otterflow.errors import CommandFailed, Problem
from otterflow.remote.files import read_if_there_command

if TYPE_CHECKING:
    from otterflow.remote.session import Session

LOOK_S = 60.0

Rows = list[dict[str, Any]]


def lines(
    session: Session, knobs_file: str, knobs_text: str, file_rows: Rows, config_file: str
) -> tuple[Rows, Problem | None]:
    """The lines of all configuration files in the order they are read, and a problem where the knobs file is not.

    `file_rows` is the answer to `settings.FILE_SETTINGS_SQL`, empty where the SQL user may not ask. An absent or empty
    knobs file leaves no trace in it: then the files' text is read, and a row without a name stands for the knobs file.
    """
    if overriding.is_read(file_rows, knobs_file):
        return file_rows, None
    set_and_not_seen = bool(file_rows and configuration_file.parse(knobs_text))
    try:
        rows = include_order.rows_by_text(config_file, knobs_file, partial(text_of, session), partial(_names, session))
    except CommandFailed as error:
        if set_and_not_seen:
            return file_rows, overriding.include_problem(file_rows, knobs_file, config_file)
        found = f"whether {config_file} includes it cannot be seen: {error.stderr_tail.strip()}"
        advice = f"let the SSH user read it, or put any setting into {knobs_file}"
        return file_rows, Problem("knobs_file", found, advice)
    problem = overriding.include_problem(rows, knobs_file, config_file)
    if problem is None and set_and_not_seen:
        problem = overriding.closed_problem(knobs_file)
    altered = [row for row in file_rows if str(row["sourcefile"]).endswith("/postgresql.auto.conf")]
    return rows + altered, problem


def text_of(session: Session, path: str) -> str:
    """The text of a file on the target; empty where there is none. Raises CommandFailed where it cannot be read."""
    return session.run(read_if_there_command(path), what=f"reading {path}", timeout_s=LOOK_S).stdout


def _names(session: Session, folder: str) -> list[str]:
    command = include_order.list_folder_command(folder)
    return session.run(command, what=f"listing {folder}", timeout_s=LOOK_S).stdout.splitlines()
