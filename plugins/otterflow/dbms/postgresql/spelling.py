"""Values of settings in PostgreSQL's spelling and back.

A canonical value is what Python code holds: an integer setting as int in the unit that `pg_settings.unit` reports, a
real as float, an enum as str, a boolean as bool. The spelling is what a configuration file holds: `4GB`, `5min`, `on`,
`'lz4'`. Units and rounding follow `guc.c` (`convert_to_base_unit`, `parse_int`) and the manual's section "Parameter
Names and Values".
"""

from __future__ import annotations

import re
from fractions import Fraction

from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.setting import LiveSetting, SettingType
from otterflow.knobs.space import Value
from otterflow.language.quantities import is_known, unit_advice, unit_family

_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z]*)\s*")
_WHOLE = re.compile(r"\s*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]+)\s*([A-Za-z]*)\s*")
_PLAIN_IN_FILE = re.compile(r"[+-]?\d+[A-Za-z]*|[+-]?\d*\.\d+")
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def parse(text: str, live: LiveSetting) -> Value:
    """The canonical value of what a configuration file or a user says, quoted or not, with or without a unit.

    Rounds as the server does. Raises InvalidInput where the server would refuse the spelling; limits are not checked.
    """
    stripped = text.strip()
    quoted = len(stripped) >= 2 and stripped[0] == stripped[-1] == "'"
    return read(_unquote(stripped) if quoted else stripped, live.name, live.vartype, live.unit, live.enumvals)


def render(value: Value, live: LiveSetting) -> str:
    """How a canonical value stands in a configuration file: exact, in the largest unit that leaves a whole number.

    Quoted where the file's grammar needs it: text, enum values, exponents.
    """
    shown = display(value, live)
    if isinstance(value, bool) or (live.vartype in ("integer", "real") and _PLAIN_IN_FILE.fullmatch(shown)):
        return shown
    return quote(shown)


def display(value: Value, live: LiveSetting) -> str:
    """The spelling without quotes, for reports and for `set_config`."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, str):
        return value
    if isinstance(value, int) and is_octal(live):
        return f"0{value:o}"
    if live.unit is None or value <= 0 or not is_known(live.unit):
        return _number_text(value)
    family, base = unit_family(live.unit)
    size = _exact(value) * base
    for name, factor in family.items():
        if size % factor == 0:
            return f"{size // factor}{name}"
    return _number_text(value)  # with a unit the server would round it to whole microseconds or bytes


def is_octal(live: LiveSetting) -> bool:
    """Whether the server shows the setting in octal, as it does file modes."""
    return live.vartype == "integer" and re.fullmatch(r"0[0-7]+", live.text) is not None


def canonical(text: str, live: LiveSetting) -> Value:
    """The canonical value of a text that the server gave for this setting; an enum may show a hidden value."""
    return read(text, live.name, live.vartype, live.unit, (*live.enumvals, text))


def quote(text: str) -> str:
    """A text as a quoted value of a configuration file (`guc-file.l`): quotes doubled, backslash escapes."""
    escaped = text.replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n").replace("\r", "\\r")
    return f"'{escaped}'"


def read(text: str, name: str, vartype: SettingType, unit: str | None, enumvals: tuple[str, ...]) -> Value:
    """The canonical value of unquoted text, by the type and unit of the setting `name`; text if the type is unknown."""
    if vartype == "bool":
        return _read_bool(text, name)
    if vartype == "enum":
        return _read_enum(text, name, enumvals)
    if vartype not in ("integer", "real"):  # a text, or a type that is newer than this module
        return text
    return _read_number(text, name, vartype, unit)


def _read_bool(text: str, name: str) -> bool:
    """A boolean as `parse_bool` takes it: any unambiguous prefix of true, false, yes, no, on, off, 1, 0."""
    word = text.lower()
    if word:
        for spelling, value in (("true", True), ("yes", True), ("false", False), ("no", False)):
            if spelling.startswith(word):
                return value
    if word in ("on", "1"):
        return True
    if word in ("off", "of", "0"):
        return False
    raise InvalidInput(Problem(name, f"{text!r} is not a boolean", "use on or off"))


def _read_enum(text: str, name: str, enumvals: tuple[str, ...]) -> str:
    """An enum value, in any case. Where on and off are values, so are the other spellings of a boolean."""
    by_lower = {v.lower(): v for v in enumvals}
    word = text.lower()
    if word in by_lower:
        return by_lower[word]
    if word in ("true", "yes", "1") and "on" in by_lower:
        return by_lower["on"]
    if word in ("false", "no", "0") and "off" in by_lower:
        return by_lower["off"]
    raise InvalidInput(Problem(name, f"{text!r} is not a value of it", f"use one of {', '.join(enumvals)}"))


def _read_number(text: str, name: str, vartype: SettingType, unit: str | None) -> int | float:
    whole, match = _WHOLE.fullmatch(text), _NUMBER.fullmatch(text)
    if whole and (whole[2][1] in "xX" or vartype == "integer"):
        base = 16 if whole[2][1] in "xX" else 8
        written, given = whole[1] + whole[2], whole[3]
        number = Fraction(int(written, base))
    elif match:
        written, given = match[1], match[2]
        number = Fraction(written)
    else:
        kind = "an integer" if vartype == "integer" else "a number"
        raise InvalidInput(Problem(name, f"{text!r} is not {kind}", "use a number, with a unit if it has one"))
    if given:
        number = _in_base_unit(number, written, given, name, unit)
    return round(number) if vartype == "integer" else float(number)


def _in_base_unit(number: Fraction, written: str, given: str, name: str, unit: str | None) -> Fraction:
    """`number`, which was `written` so, of unit `given` in the setting's unit.

    It is first rounded to whole units of the next smaller one (30.1GB is 30822MB, not 30822.4MB), as the server does.
    """
    if unit is None:
        raise InvalidInput(Problem(name, f"{given!r} stands for a unit, but it takes none", "give a bare number"))
    family, base = unit_family(unit)
    if given not in family:
        found = f"of {written + given!r}, {given!r} is not a unit of it"
        raise InvalidInput(Problem(name, found, unit_advice(written, given, family)))
    names = list(family)
    smaller = names[names.index(given) + 1 :]
    size = number * family[given]
    if smaller:
        step = family[smaller[0]]
        size = Fraction(round(size / step) * step)
    return size / base


def _exact(value: int | float) -> Fraction:
    """The decimal number that `value` is written as: 0.1 is one tenth."""
    return Fraction(value) if isinstance(value, int) else Fraction(repr(value))


def _number_text(value: int | float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _unquote(text: str) -> str:
    """What a quoted value of a configuration file stands for (`GUC_scanstr`)."""

    def replace(match: re.Match[str]) -> str:
        escape = match[0]
        if escape == "''":
            return "'"
        if escape[1] in "01234567":
            return chr(int(escape[1:], 8))
        return _ESCAPES.get(escape[1], escape[1])

    return re.sub(r"''|\\[0-7]{1,3}|\\.", replace, text[1:-1], flags=re.DOTALL)
