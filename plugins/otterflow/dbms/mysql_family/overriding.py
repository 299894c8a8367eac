"""What would win over the knobs file for the tuned knobs, and how each is mended."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from otterflow.dbms.mysql_family import spelling
from otterflow.dbms.mysql_family.origins import Origins
from otterflow.dbms.mysql_family.read_back import is_equal, is_rounded, later_line_advice, persisted_advice
from otterflow.dbms.mysql_family.reading_order import Reading
from otterflow.dbms.mysql_family.secrets import is_withheld
from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.setting import LiveSetting


def overriding_settings(
    live: Mapping[str, LiveSetting], tuned: Collection[str], origins: Origins, persisted: Iterable[Mapping[str, Any]]
) -> list[Problem]:
    """What the server itself tells. `persisted` are rows with `name` and `value` of what it keeps over its files."""
    kept = {row["name"]: row["value"] for row in persisted}
    problems = []
    for name in sorted(set(tuned) & live.keys()):
        if live[name].source in origins.command_line:
            found, advice = "is set on the server's command line", f"remove {name} there, or exclude the knob"
        elif name in kept:
            found, advice = f"is persisted as {kept[name]!r}, which wins over every option file", persisted_advice(name)
        else:
            continue
        problems.append(Problem(name, found, advice))
    return problems


def lost_at_a_start(
    live: Mapping[str, LiveSetting], tuned: Collection[str], origins: Origins, at_start: Mapping[str, str]
) -> list[Problem]:
    """Values that a statement has set, and that a start would not bring back by the files or the server's default."""
    advice = "write the value into an option file before the line that includes the knobs file, and restart"
    return [
        Problem(
            name, "was set by SET GLOBAL since the server was started, and is lost when it is started again", advice
        )
        for name in sorted(set(tuned) & live.keys())
        if live[name].source in origins.by_hand and not _comes_back(live[name], at_start)
    ]


def _comes_back(setting: LiveSetting, at_start: Mapping[str, str]) -> bool:
    text = at_start.get(setting.name, setting.row["default_value"])
    try:
        value = None if text is None else spelling.in_file(text, setting)
    except InvalidInput:
        return False
    return value is not None and (is_equal(value, setting) or is_rounded(value, setting))


def overriding_lines(reading: Reading, tuned: Collection[str], knobs_file: str) -> list[Problem]:
    """Lines of other files that are read after the knobs file."""
    return [
        Problem(
            line.name,
            f"is set to {_shown(line.name, line.value)} in {path} line {line.number}, read after {knobs_file}",
            later_line_advice(knobs_file),
        )
        for path, line in reading.after_knobs
        if line.is_the_servers and line.name in tuned
    ]


def not_read_problem(knobs_file: str, files: Collection[str]) -> Problem:
    """No option file of the server includes the knobs file."""
    folder = knobs_file.rpartition("/")[0]
    found = f"{knobs_file} is not read by the server, which begins with {', '.join(files)}"
    return Problem("knobs_file", found, f"add this line at the end of the last of them: !includedir {folder}")


def _shown(name: str, value: str) -> str:
    return "(not shown)" if is_withheld(name) else repr(value)
