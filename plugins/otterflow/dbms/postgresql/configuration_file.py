"""The knobs file that otterflow writes, and reading configuration files as the server does.

Grammar: `guc-file.l` and the manual's "Parameter Interaction via the Configuration File". Names are compared without
regard to case, the last setting of a name wins, and values stay in PostgreSQL's spelling here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from otterflow.dbms.postgresql import spelling
from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Value

INCLUDES = ("include", "include_if_exists", "include_dir")

_LINE = re.compile(
    r"""\s* (?P<name>[A-Za-z_][\w.$]*) \s* (=\s*)?
        (?P<value> '(?:[^'\\\n]|\\.|'')*' | [^\s'#=]+ )?
        \s* (?:\#.*)? """,
    re.VERBOSE,
)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def render(config: Mapping[str, Value], live: Mapping[str, LiveSetting], *, keep: str = "", header: str) -> str:
    """The knobs file's text for canonical values, one knob a line, by name.

    `keep` is the text of a file (the baseline's, say) whose other settings and include directives go in before, in
    their order, so that a knob of `config` wins over one of the same name and over what an included file sets.
    `header` becomes the comment on top. Raises InvalidInput for a name that the server does not have, and for a line
    of `keep` that is no setting.
    """
    unknown = sorted(name for name in config if name not in live)
    if unknown:
        advice = "the server has no such setting; take it out of the knob set"
        raise InvalidInput([Problem(name, "is unknown to the server", advice) for name in unknown])
    comment = "".join(f"# {line}".rstrip() + "\n" for line in header.splitlines())
    kept = "".join(
        f"{name} {text}\n" if name in INCLUDES else f"{name} = {text}\n" for name, text in _kept(keep, config)
    )
    return (
        comment + kept + "".join(f"{name} = {spelling.render(config[name], live[name])}\n" for name in sorted(config))
    )


def _kept(text: str, config: Mapping[str, Value]) -> Iterator[tuple[str, str]]:
    """The settings and include directives of `text` that `config` leaves in force, each value quoted.

    A setting that a later line of the file replaces is left out.
    """
    settings = [(name, value) for name, value in _settings(text) if name not in config]
    last = {name: position for position, (name, _) in enumerate(settings)}
    for position, (name, value) in enumerate(settings):
        if name in INCLUDES or last[name] == position:
            yield name, spelling.quote(value)


def parse(text: str) -> dict[str, str]:
    """Name (lower case) to value (unquoted) of each setting; include directives are left out.

    Raises InvalidInput that names the lines the server would refuse.
    """
    return {name: value for name, value in _settings(text) if name not in INCLUDES}


def numbered_settings(text: str) -> list[tuple[int, str, str]]:
    """Line number, name and value of each setting and include directive, in order; other lines are passed over."""
    found = []
    for number, line in enumerate(text.split("\n"), start=1):
        setting = _setting(line)
        if setting is not None:
            found.append((number, *setting))
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
