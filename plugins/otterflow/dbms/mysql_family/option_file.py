"""The knobs file that otterflow writes, and reading option files as the servers do.

Grammar: the manuals' "Configuring MariaDB with Option Files" and "Using Option Files". A name may be written with
hyphens or underscores, the last setting of a name wins, and a line counts for the group above it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from otterflow.dbms.mysql_family import spelling
from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Value

GROUP = "mysqld"
"""The group that both products read, whatever they call their server."""

SERVER_GROUPS = re.compile(r"(mysqld|server|mariadb|mariadbd)(-\d+\.\d+)?|client-server|galera")
"""Groups that a server reads, or one of some version does."""

INCLUDES = ("!include", "!includedir")

_GROUP = re.compile(r"\[([^\]]+)\]\s*(?:[#;].*)?")
_NAME = re.compile(r"(?:loose[-_]|maximum[-_])?([A-Za-z][\w.-]*)")
_SWITCHES = {"skip": "OFF", "disable": "OFF", "enable": "ON"}
"""What a prefix of a name makes of a switch that has no value."""


@dataclass(frozen=True)
class Line:
    """One line that says something: a setting in the server's own spelling, or an include directive with its path."""

    number: int
    group: str
    name: str
    value: str
    text: str

    @property
    def is_include(self) -> bool:
        """Whether it names another file, or a folder."""
        return self.name in INCLUDES

    @property
    def is_the_servers(self) -> bool:
        """Whether a server reads it."""
        return not self.is_include and SERVER_GROUPS.fullmatch(self.group) is not None


def render(config: Mapping[str, Value], live: Mapping[str, LiveSetting], *, keep: str = "", header: str) -> str:
    """The knobs file's text for canonical values, one knob a line, by name.

    `keep` is the text of a file (the baseline's, say) whose other lines go in before, in their order. `header` becomes
    the comment on top. Raises InvalidInput for a name that the server does not have, and for a line of `keep` that is
    none of an option file.
    """
    unknown = sorted(name for name in config if name not in live)
    if unknown:
        advice = "the server has no such setting; take it out of the knob set"
        raise InvalidInput([Problem(name, "is unknown to the server", advice) for name in unknown])
    lines = [f"# {line}".rstrip() for line in header.splitlines()]
    lines += _kept(lines_of(keep), config)
    if config:
        lines.append(f"[{GROUP}]")
    lines += [f"{name} = {spelling.render(config[name], live[name])}" for name in sorted(config)]
    return "".join(f"{line}\n" for line in lines)


def lines_of(text: str) -> list[Line]:
    """The lines that say something. Raises InvalidInput that names those no server would take."""
    found, problems = _read(text)
    if problems:
        raise InvalidInput(problems)
    return found


def readable_lines(text: str) -> list[Line]:
    """The same of somebody else's file: lines that no server would take are passed over."""
    return _read(text)[0]


def _read(text: str) -> tuple[list[Line], list[Problem]]:
    found, problems, group = [], [], ""
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.strip()
        if not line or line.startswith(("#", ";")):
            continue
        if header := _GROUP.fullmatch(line):
            group = header[1]
        elif told := _told(line, group):
            found.append(Line(number, group, *told, line))
        else:
            problems.append(Problem(f"line {number}", f"{line!r} is no setting of a group", "write name = value"))
    return found, problems


def settings_of(lines: Sequence[Line]) -> dict[str, str]:
    """Name to value of what the server reads of the lines; the last of a name wins."""
    return {line.name: line.value for line in lines if line.is_the_servers}


def canonical_name(name: str) -> str:
    """The name as the server knows it: in small letters, with underscores, without the prefixes of an option."""
    found = _NAME.fullmatch(name)
    return (found[1] if found else name).lower().replace("-", "_")


def _told(line: str, group: str) -> tuple[str, str] | None:
    """Name and value of a line; None where it says nothing that a server would take."""
    first, _, rest = line.partition(" ")
    if first in INCLUDES:
        return first, rest.strip()
    name, equals, value = _without_comment(line).partition("=")
    if not group or _NAME.fullmatch(name.strip()) is None:
        return None
    known = canonical_name(name.strip())
    if equals:
        return known, spelling.unquoted(value.strip())
    prefix, _, bare = known.partition("_")
    return (bare, _SWITCHES[prefix]) if prefix in _SWITCHES and bare else (known, "ON")


def _without_comment(line: str) -> str:
    """The line up to a `#` that stands outside of quotes."""
    quote = ""
    for at, letter in enumerate(line):
        if letter in "'\"" and (at == 0 or line[at - 1] != "\\"):
            quote = "" if quote == letter else quote or letter
        elif letter == "#" and not quote:
            return line[:at]
    return line


def _kept(lines: Sequence[Line], config: Mapping[str, Value]) -> Iterator[str]:
    """The lines that `config` leaves in force, each under its group; a setting that a later line replaces is out."""
    last = {line.name: line.number for line in lines if line.is_the_servers}
    group = ""
    for line in lines:
        if line.is_the_servers and (line.name in config or last[line.name] != line.number):
            continue
        if line.group != group and not line.is_include:
            group = line.group
            yield f"[{group}]"
        yield line.text
