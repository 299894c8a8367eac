"""Which option files the server reads, in which order, and whether the knobs file is among them: from their text.

The servers tell from which file a value in force comes, but nothing of a file that sets nothing yet, and nothing of the
lines that a later one overrides.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from otterflow.dbms.mysql_family.option_file import Line, readable_lines
from otterflow.remote.files import read_if_there_command
from otterflow.remote.shell import quote

if TYPE_CHECKING:
    from otterflow.remote.session import Session

LOOK_S = 60.0
DEEPEST = 10
"""How deep include directives are followed. The servers know no limit, and a circle would keep them from starting."""


@dataclass(frozen=True)
class Reading:
    """What is read, in order: each line with its file. `knobs_at` is the knobs file's place, None if it has none."""

    lines: list[tuple[str, Line]]
    knobs_at: int | None

    def at_start(self, knobs_text: str) -> dict[str, str]:
        """What a start would read of each setting, with `knobs_text` in the knobs file."""
        at = len(self.lines) if self.knobs_at is None else self.knobs_at
        own = [] if self.knobs_at is None else readable_lines(knobs_text)
        lines = [line for _, line in self.lines[:at]] + own + [line for _, line in self.lines[at:]]
        return {line.name: line.value for line in lines if line.is_the_servers}

    @property
    def after_knobs(self) -> list[tuple[str, Line]]:
        """The lines that win over the knobs file."""
        return [] if self.knobs_at is None else self.lines[self.knobs_at :]


def read_all(session: Session, files: Sequence[str], knobs_file: str) -> Reading:
    """What a server reads that begins with `files`. Raises CommandFailed for one that the SSH user may not read."""
    reader = _Reader(posixpath.normpath(knobs_file), partial(_text, session), partial(_names, session))
    for path in files:
        reader.walk(path, 0)
    return Reading(reader.lines, reader.knobs_at)


def list_folder_command(path: str) -> str:
    """The names of the files in a folder that `!includedir` reads, one a line; nothing where there is no folder."""
    return (
        f"if [ -e {quote(path)} ]; then cd -- {quote(path)} || exit; for name in *.cnf; do\n"
        '  if [ -f "$name" ]; then printf "%s\\n" "$name"; fi\ndone; fi'
    )


def _text(session: Session, path: str) -> str:
    return session.run(read_if_there_command(path), what=f"reading {path}", timeout_s=LOOK_S).stdout


def _names(session: Session, folder: str) -> list[str]:
    command = list_folder_command(folder)
    return session.run(command, what=f"listing {folder}", timeout_s=LOOK_S).stdout.splitlines()


@dataclass
class _Reader:
    knobs_file: str
    read: Callable[[str], str]
    names: Callable[[str], Sequence[str]]
    lines: list[tuple[str, Line]] = field(default_factory=list)
    knobs_at: int | None = None

    def walk(self, path: str, depth: int) -> None:
        """The lines of one file, and of those it includes where it includes them."""
        if posixpath.normpath(path) == self.knobs_file:
            self.knobs_at = len(self.lines)  # its own lines are otterflow's; read twice, the second time counts
            return
        for line in readable_lines(self.read(path)):
            if not line.is_include:
                self.lines.append((path, line))
            elif depth < DEEPEST:
                for file in self._included(line):
                    self.walk(file, depth + 1)

    def _included(self, line: Line) -> list[str]:
        if line.name == "!include":
            return [line.value]
        folder = posixpath.normpath(line.value)
        files = {posixpath.join(folder, name) for name in self.names(folder)}
        if posixpath.dirname(self.knobs_file) == folder:
            files.add(self.knobs_file)  # it may not be there yet
        return sorted(files)
