"""The lines of the server's configuration files in the order it reads them, from their text.

`pg_file_settings` says nothing of a knobs file that is not there yet or sets nothing, and not everybody may ask it.
Where the knobs file stands among the other lines is then told from the include directives.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from otterflow.dbms.postgresql.configuration_file import INCLUDES, numbered_settings
from otterflow.remote.shell import quote

DEEPEST = 10
"""How deep the server follows include directives."""


def list_folder_command(path: str) -> str:
    """The names of the files in a folder that `include_dir` reads, one a line; nothing where there is no folder."""
    return (
        f"if [ -e {quote(path)} ]; then cd -- {quote(path)} || exit; for name in *.conf; do\n"
        '  if [ -f "$name" ]; then printf "%s\\n" "$name"; fi\ndone; fi'
    )


def rows_by_text(
    config_file: str, knobs_file: str, read: Callable[[str], str], names: Callable[[str], Sequence[str]]
) -> list[dict[str, Any]]:
    """Rows as `FILE_SETTINGS_SQL` gives them, without `applied` and `error`, of all files but the knobs file.

    Where the knobs file is read, a row without a name stands for it. `read` gives a file's text, empty where there is
    none, and `names` what `list_folder_command` prints of a folder.
    """
    reader = _Reader(posixpath.normpath(knobs_file), read, names)
    reader.walk(config_file, 0)
    return reader.rows


@dataclass
class _Reader:
    knobs_file: str
    read: Callable[[str], str]
    names: Callable[[str], Sequence[str]]
    rows: list[dict[str, Any]] = field(default_factory=list)

    def walk(self, path: str, depth: int) -> None:
        """The lines of one file, and of those it includes where it includes them."""
        for line, name, value in numbered_settings(self.read(path)):
            if name not in INCLUDES:
                self._add(path, line, name, value)
                continue
            for file in self._included(name, posixpath.normpath(posixpath.join(posixpath.dirname(path), value))):
                if file == self.knobs_file:
                    self._add(file, 0, None, None)
                elif depth < DEEPEST:
                    self.walk(file, depth + 1)

    def _included(self, directive: str, named: str) -> list[str]:
        if directive != "include_dir":
            return [named]
        files = {posixpath.join(named, name) for name in self.names(named)}
        if posixpath.dirname(self.knobs_file) == named and _is_read_in_a_folder(self.knobs_file):
            files.add(self.knobs_file)  # it may not be there yet
        return sorted(files)

    def _add(self, path: str, line: int, name: str | None, setting: str | None) -> None:
        row = {"sourcefile": path, "sourceline": line, "seqno": len(self.rows) + 1, "name": name, "setting": setting}
        self.rows.append({**row, "applied": None, "error": None})


def _is_read_in_a_folder(path: str) -> bool:
    name = posixpath.basename(path)
    return name.endswith(".conf") and not name.startswith(".")
