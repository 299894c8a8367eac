"""The knobs file that otterflow writes, and reading configuration files as the server does.

Grammar: `guc-file.l` and the manual's "Parameter Interaction via the Configuration File". Names are compared without
regard to case, the last setting of a name wins, and values stay in PostgreSQL's spelling here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from otterflow.errors import InvalidInput, Problem
from otterflow.knobs import units
from otterflow.knobs.live import LiveSetting
from otterflow.knobs.space import Value

INCLUDES = ("include", "include_if_exists", "include_dir")

_LINE = re.compile(
    r"""\s* (?P<name>[A-Za-z_][\w.$]*) \s* (=\s*)?
        (?P<value> '(?:[^'\\\n]|\\.|'')*' | [^\s'#=]+ )?
        \s* (?:\#.*)? """,
    re.VERBOSE,
)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True)
class Include:
    """An include directive: which of the three, and the path it names."""

    directive: str
    path: str


def render(
    config: Mapping[str, Value], live: Mapping[str, LiveSetting], *, keep: Mapping[str, str] | None = None, header: str
) -> str:
    """The knobs file's text for canonical values, one knob a line, by name.

    `keep` holds settings that go in as they are, spelled as `parse` gave them (the baseline's, say); a knob of `config`
    wins over one of the same name. `header` becomes the comment on top. Raises InvalidInput for a name that the server
    does not have.
    """
    unknown = sorted(name for name in config if name not in live)
    if unknown:
        advice = "the server has no such setting; take it out of the knob set"
        raise InvalidInput([Problem(name, "is unknown to the server", advice) for name in unknown])
    lines = {name: units.render(value, live[name]) for name, value in config.items()}
    lines = {name: units.quote(text) for name, text in (keep or {}).items()} | lines
    comment = "".join(f"# {line}".rstrip() + "\n" for line in header.splitlines())
    return comment + "".join(f"{name} = {lines[name]}\n" for name in sorted(lines))


def parse(text: str) -> dict[str, str]:
    """Name (lower case) to value (unquoted) of each setting; include directives are left out.

    Raises InvalidInput that names the lines the server would refuse.
    """
    return {name: value for name, value in _settings(text) if name not in INCLUDES}


def includes(text: str) -> list[Include]:
    """The include directives of a configuration file, in order. Lines that are no settings are passed over."""
    found = []
    for line in text.split("\n"):
        setting = _setting(line)
        if setting is not None and setting[0] in INCLUDES:
            found.append(Include(*setting))
    return found


def _settings(text: str) -> list[tuple[str, str]]:
    found, problems = [], []
    for number, line in enumerate(text.split("\n"), start=1):
        setting = _setting(line)
        if setting is not None:
            found.append(setting)
        elif line.strip() and not line.lstrip().startswith("#"):
            problems.append(Problem(f"line {number}", f"{line.strip()!r} is no setting", "write name = 'value'"))
    if problems:
        raise InvalidInput(problems)
    return found


def _setting(line: str) -> tuple[str, str] | None:
    match = _LINE.fullmatch(line)
    if match is None or match["value"] is None:
        return None
    raw = match["value"]
    return match["name"].lower(), _unquote(raw) if raw.startswith("'") else raw


def _unquote(quoted: str) -> str:
    def meaning(match: re.Match[str]) -> str:
        escape = match[0]
        if escape == "''":
            return "'"
        return chr(int(escape[1:], 8)) if escape[1] in "01234567" else _ESCAPES.get(escape[1], escape[1])

    return re.sub(r"''|\\[0-7]{1,3}|\\.", meaning, quoted[1:-1])
