"""Settings as `SHOW ALL` spells them, of PostgreSQL 9.x and newer, to the knob catalog's canonical values.

The catalog speaks of 12 and newer; of an older server its entries for 12 are used, with what `names` says of settings
that were renamed, removed or counted in another unit since.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from otterflow.dbms.postgresql import spelling
from otterflow.dbms.postgresql.versions import NEWEST, OLDEST
from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.catalog import KnobCatalog, TunableKnob
from otterflow.knobs.setting import SettingType
from otterflow.knobs.space import Value
from otterflow.ottertune.names import BARE_COUNTS, ENUM_VALUES, OLD_VALUES, REMOVED, RENAMED

OLDEST_READ = 9
LARGEST_SETTING = 2**31 - 1
"""What an integer setting of PostgreSQL can hold (`INT_MAX`), in its own unit."""

LARGEST_REAL = 1e300
_ENDLESS = re.compile(r"[eE][+-]?[0-9]{3,}|[0-9]{40,}")
"""Numbers that are exact only at a price: 1e999999999 has a billion digits."""
_VERSION = re.compile(r"(?:PostgreSQL\s+)?([0-9]{1,3})(?:\.([0-9]{1,3}))?(?:\.([0-9]{1,3}))?(?![0-9])")


@dataclass(frozen=True, order=True)
class ServerVersion:
    """A version of PostgreSQL: `family`, `minor` and `patch` of 9.6.24 are 9, 6 and 24, of 12.3 12, 3 and 0."""

    family: int
    minor: int
    patch: int = 0

    @classmethod
    def parse(cls, text: str) -> ServerVersion:
        """The version in a text such as "9.6", "9.6.24", "12.3" or "15.14 (Debian 15.14-0+deb12u1)".

        Raises InvalidInput for what is no version, or one that neither the catalog nor `names` speaks of.
        """
        match = _VERSION.match(text.strip())
        advice = f"the versions 9.0 to {NEWEST} can be read"
        if match is None:
            raise InvalidInput(Problem("database_version", f"{text!r} is not a version of PostgreSQL", advice))
        version = cls(int(match[1]), int(match[2] or 0), int(match[3] or 0))
        if not OLDEST_READ <= version.family <= NEWEST:
            raise InvalidInput(Problem("database_version", f"{text!r} is not known", advice))
        return version

    @property
    def major(self) -> str:
        """The release as people say it: "9.6", "12"."""
        return f"{self.family}.{self.minor}" if self.family < 10 else str(self.family)

    @property
    def release(self) -> int:
        """The release as a record of an experiment has it: 9, 12."""
        return self.family

    @property
    def in_catalog(self) -> int:
        """The major version whose catalog entries are used."""
        return max(self.family, OLDEST)

    @property
    def number(self) -> int:
        """As `server_version_num` counts: 90624, 120003."""
        return self.family * 10000 + self.minor * (100 if self.family < 10 else 1) + self.patch


@dataclass(frozen=True)
class KnobValues:
    """The settings of one observation.

    `values` are the catalog's knobs, canonical; `texts` all other settings, as they were. `renamed` says of which old
    setting a value was made, and how.
    """

    values: dict[str, Value] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)


SEGMENTS_UNTIL = ServerVersion(10, 0)
"""The first version that counts the WAL's size in MB."""


def flat_settings(knobs: Mapping[str, Any]) -> tuple[dict[str, str], list[Problem]]:
    """Name to text of all settings in a `knobs.json`, and what in it is no setting.

    OtterTune wrote `{"global": {"global": {name: text}}, "local": null}`, some collectors another group beside it
    (`module`).
    """
    found: dict[str, str] = {}
    problems: list[Problem] = []
    groups = knobs.get("global")
    if not isinstance(groups, Mapping):
        return {}, [Problem("knobs.global", f"{groups!r} is not an object", "settings are expected there")]
    for group, settings in groups.items():
        if not isinstance(settings, Mapping):
            problems.append(Problem(f"knobs.global.{group}", f"{settings!r} is not an object", "it is not read"))
            continue
        for name, value in settings.items():
            if isinstance(value, bool):
                found[str(name)] = "on" if value else "off"
            elif isinstance(value, str | int | float):
                found[str(name)] = str(value)
            else:
                problems.append(Problem(f"knobs.{name}", f"{value!r} is not a text", "settings are texts"))
    if knobs.get("local"):
        problems.append(Problem("knobs.local", f"{knobs['local']!r}", "PostgreSQL has no settings there; not read"))
    return found, problems


def read_settings(texts: Mapping[str, str], catalog: KnobCatalog, version: ServerVersion) -> KnobValues:
    """Canonical values of the catalog's knobs among `texts`; whatever cannot be read is a problem of the result."""
    tunable = catalog.tunable(version.in_catalog)
    found = KnobValues()
    for name, text in texts.items():
        knob = tunable.get(name.lower())
        if knob is not None:
            try:
                found.values[knob.name] = read_value(knob, text, version)
            except InvalidInput as error:
                found.problems.extend(Problem(f"knobs.{name}", p.found, p.advice) for p in error.problems)
            continue
        found.texts[name] = text
        if name in REMOVED:
            found.problems.append(Problem(f"knobs.{name}", repr(text), REMOVED[name]))
        elif name not in RENAMED and "." not in name and catalog.untuned_family(name, version.in_catalog) is None:
            found.problems.append(Problem(f"knobs.{name}", repr(text), "the knob catalog does not know this setting"))
    _follow_renames(found, tunable)
    return found


def _follow_renames(found: KnobValues, tunable: Mapping[str, TunableKnob]) -> None:
    """Make the successors' values of old settings, where the successor is not there itself."""
    for old, new in RENAMED.items():
        if old not in found.texts or new.name in found.values or new.name not in tunable:
            continue
        knob = tunable[new.name]
        try:
            _raise_if_endless(knob, found.texts[old])
            number = spelling.read(found.texts[old], old, "integer", new.unit, ())
            value = _checked(knob, new.convert(int(number)))
        except InvalidInput as error:
            found.problems.extend(Problem(f"knobs.{old}", p.found, p.advice) for p in error.problems)
            continue
        found.values[new.name] = value
        found.renamed[new.name] = f"from {old} ({new.rule})"


def read_value(knob: TunableKnob, text: str, version: ServerVersion) -> Value:
    """The canonical value of a knob's text on a server of that version. Raises InvalidInput that says what is wrong."""
    old = OLD_VALUES.get(knob.name, {}).get(text.lower())
    if old is not None:
        return old
    values = (*knob.values, *knob.optional_values, *ENUM_VALUES.get(knob.name, ()))
    _raise_if_endless(knob, text)
    value = spelling.read(text, knob.name, var_type(knob), knob.unit, values)
    if version < SEGMENTS_UNTIL and knob.name in BARE_COUNTS and text.strip().isdigit():
        value = int(value) * BARE_COUNTS[knob.name]
    return _checked(knob, value)


def var_type(knob: TunableKnob) -> SettingType:
    """The knob's type in `pg_settings`' words."""
    return "bool" if knob.type == "boolean" else knob.type


def _checked(knob: TunableKnob, value: Value) -> Value:
    """The value, unless no server could have it in force."""
    if isinstance(value, bool | str):
        return value
    special = [s.value for s in knob.special]
    if abs(value) > (LARGEST_SETTING if knob.type == "integer" else LARGEST_REAL):
        raise _too_large(knob, value)
    if value < 0 and value not in special:
        meant = ", or ".join(["numbers from 0", *map(repr, special)])
        raise InvalidInput(Problem(knob.name, f"{value!r} is never in force", f"{meant} are expected"))
    return value


def _raise_if_endless(knob: TunableKnob, text: str) -> None:
    if _ENDLESS.search(text):
        raise _too_large(knob, text)


def _too_large(knob: TunableKnob, value: object) -> InvalidInput:
    return InvalidInput(
        Problem(knob.name, f"{str(value)[:40]} is more than a setting holds", "look where it comes from")
    )
