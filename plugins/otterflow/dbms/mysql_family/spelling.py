"""Values of settings in the family's spelling and back.

A canonical value is what Python code holds: an integer setting as int (sizes in bytes), a real one as float, an enum
as str, a boolean as bool. The spelling is what an option file holds: `4G`, `ON`, `O_DIRECT`. A size takes a whole
number with one of the suffixes K, M, G, T, P, E, and nothing else: the servers refuse `1.5G` and `128MB`. A person may
write `128MB` all the same, as catalogs do and PostgreSQL's users are used to; no file and no server is handed that.
"""

from __future__ import annotations

import re

from otterflow.dbms.mysql_family.sizes import UNIT
from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.setting import LiveSetting, SettingType
from otterflow.knobs.space import Value

SUFFIXES: dict[str, int] = {letter: 1024**power for power, letter in enumerate("KMGTPE", start=1)}
"""What may stand behind a whole number, whatever it counts."""

_WHOLE = re.compile(r"([+-]?\d+)([KMGTPE]?)", re.IGNORECASE)
_SIZE_BY_HABIT = re.compile(r"(\d+) ?([KMGTPE]?)B", re.IGNORECASE)
_PLAIN_IN_FILE = re.compile(r"[\w.,:/+=-]*")
_TRUE, _FALSE = ("on", "true", "1"), ("off", "false", "0")


def parse(text: str, live: LiveSetting) -> Value:
    """The canonical value of what a user says, as in an option file, or a size with a `B` behind it: `64MB` is `64M`.

    Raises InvalidInput for any other spelling that the server would refuse; limits are not checked, and nothing is
    rounded.
    """
    by_habit = _SIZE_BY_HABIT.fullmatch(unquoted(text.strip())) if live.unit == UNIT else None
    return in_file("".join(by_habit.groups()) if by_habit else text, live)


def in_file(text: str, live: LiveSetting) -> Value:
    """The canonical value of what an option file says, quoted or not. Raises InvalidInput where the server would."""
    return read(unquoted(text.strip()), live.name, live.vartype, live.enumvals)


def display(value: Value, live: LiveSetting) -> str:
    """How a canonical value reads, for reports: exact, a size in the largest unit that leaves a whole number."""
    if isinstance(value, bool):
        return "ON" if value else "OFF"
    if isinstance(value, str):
        return value
    if live.vartype == "integer" or value == int(value):
        whole = int(value)
        return _size_text(whole) if live.unit == UNIT else str(whole)
    return repr(value)


def render(value: Value, live: LiveSetting) -> str:
    """How a canonical value stands in an option file: quoted where the file's grammar needs it."""
    return quoted(display(value, live), live.name)


def read(text: str, name: str, vartype: SettingType, members: tuple[str, ...]) -> Value:
    """The canonical value of unquoted text, by the type of the setting `name`; a set and a text stay text."""
    if vartype == "bool":
        return _read_bool(text, name)
    if vartype == "enum":
        return _read_enum(text, name, members)
    if vartype == "integer":
        return _read_whole(text, name)
    if vartype == "real":
        return _read_real(text, name)
    return text


def unquoted(text: str) -> str:
    """A value of an option file without the quotes around it, its escapes resolved."""
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1]
    escapes = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "s": " "}
    return re.sub(r"\\(.)", lambda match: escapes.get(match[1], match[1]), text)


def quoted(text: str, name: str) -> str:
    """A text as it stands in an option file. Raises InvalidInput for one that has both kinds of quotes."""
    if _PLAIN_IN_FILE.fullmatch(text):
        return text
    mark = "'" if "'" not in text else '"'
    if mark in text:
        raise InvalidInput(Problem(name, f"{text!r} has both kinds of quotes", "an option file cannot hold that"))
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return f"{mark}{escaped}{mark}"


def _read_bool(text: str, name: str) -> bool:
    word = text.lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise InvalidInput(Problem(name, f"{text!r} is not a boolean", "use ON or OFF"))


def _read_enum(text: str, name: str, members: tuple[str, ...]) -> str:
    """A member in any case, or its place in the list, counted from 0."""
    by_lower = {member.lower(): member for member in members}
    if text.lower() in by_lower:
        return by_lower[text.lower()]
    if text.isdigit() and int(text) < len(members):
        return members[int(text)]
    raise InvalidInput(Problem(name, f"{text!r} is not a value of it", f"use one of {', '.join(members)}"))


def _read_whole(text: str, name: str) -> int:
    match = _WHOLE.fullmatch(text)
    if match is None:
        advice = "give a whole number; K, M, G or T may follow at once"
        raise InvalidInput(Problem(name, f"{text!r} is not an integer", advice))
    factor = SUFFIXES[match[2].upper()] if match[2] else 1
    return int(match[1]) * factor


def _read_real(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidInput(Problem(name, f"{text!r} is not a number", "give a number without a unit")) from None


def _size_text(size: int) -> str:
    for letter, factor in reversed(SUFFIXES.items()):
        if size and size % factor == 0:
            return f"{size // factor}{letter}"
    return str(size)
