"""Settings of MySQL 5.6 and newer, or of MariaDB, as `SHOW VARIABLES` spells them, to the knob catalog's values.

The catalog speaks of MySQL 8.0 and newer, and MariaDB 10.6; of an older server its oldest entries are used. What was
removed since is kept as text, and listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from otterflow.dbms.mysql_family import spelling
from otterflow.dbms.mysql_family.members import MEMBERS
from otterflow.dbms.mysql_family.rows import COLUMNS, from_row
from otterflow.dbms.mysql_family.versions import number_of, shown
from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.catalog import KnobCatalog, TunableKnob
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Value
from otterflow.ottertune.files import SUMMARY
from otterflow.ottertune.knob_values import KnobValues, ServerVersion, var_type

OLDEST_READ = 506
LARGEST = 2**64 - 1
"""What an integer setting can hold."""
_TYPES = {"integer": "BIGINT", "real": "DOUBLE", "enum": "ENUM", "boolean": "BOOLEAN"}


@dataclass(frozen=True, order=True)
class FamilyVersion(ServerVersion):
    """A version of MySQL or MariaDB; `covered` are the oldest and the newest that the catalog speaks of."""

    covered: tuple[int, int] = (0, 0)

    @property
    def major(self) -> str:
        """The release as people say it: "5.7", "10.11"."""
        return shown(self.release)

    @property
    def release(self) -> int:
        """507, 1011."""
        return self.number // 100

    @property
    def in_catalog(self) -> int:
        """The version whose catalog entries are used."""
        return min(self.covered[1], max(self.covered[0], self.release))

    @property
    def number(self) -> int:
        """50744, 101119."""
        return (self.family * 100 + self.minor) * 100 + self.patch


def version_of(
    summary: Mapping[str, Any], texts: Mapping[str, str], catalog: KnobCatalog, problems: list[Problem]
) -> tuple[FamilyVersion | None, str]:
    """The server's version: what it says in its settings, else what the summary says; a problem where none."""
    own, said = texts.get("version", ""), str(summary.get("database_version", ""))
    text = own or said
    where = "knobs.version" if own else f"{SUMMARY}.database_version"
    try:
        number = number_of(text if text.count(".") > 1 else f"{text}.0")
    except InvalidInput:
        problems.append(Problem(where, f"{text!r} is no version", "such as 5.7.44 is expected"))
        return None, text
    if not OLDEST_READ <= number // 100 <= catalog.versions[1]:
        advice = f"versions {shown(OLDEST_READ)} to {shown(catalog.versions[1])} are read"
        problems.append(Problem(where, f"{text!r} is not known", advice))
        return None, text
    return FamilyVersion(number // 10_000, number // 100 % 100, number % 100, catalog.versions), text.split("-")[0]


def read_settings(texts: Mapping[str, str], catalog: KnobCatalog, version: FamilyVersion) -> KnobValues:
    """Canonical values of the catalog's knobs among `texts`; whatever cannot be read is a problem of the result."""
    tunable = catalog.tunable(version.in_catalog)
    found = KnobValues()
    for name, text in texts.items():
        knob = tunable.get(name.lower())
        if knob is None:
            found.texts[name] = text
            if catalog.untuned_family(name.lower(), version.in_catalog) is None:
                found.problems.append(Problem(f"knobs.{name}", repr(text), "the knob catalog does not know this"))
            continue
        try:
            found.values[knob.name] = _value(knob, text)
        except InvalidInput as error:
            found.problems.extend(Problem(f"knobs.{name}", p.found, p.advice) for p in error.problems)
    return found


def _value(knob: TunableKnob, text: str) -> Value:
    if len(text) > 40:
        raise InvalidInput(Problem(knob.name, f"{text[:40]!r}...", "is longer than a setting's value"))
    value = spelling.read(text, knob.name, var_type(knob), _members(knob))
    if not isinstance(value, bool | str) and not -1 <= value <= LARGEST:
        raise InvalidInput(Problem(knob.name, f"{value!r} is never in force", "look where it comes from"))
    return value


def _members(knob: TunableKnob) -> tuple[str, ...]:
    return MEMBERS.get(knob.name, (*knob.values, *knob.optional_values))


def live_setting(name: str, text: str, knob: TunableKnob | None) -> LiveSetting:
    """A setting in the form that a live server's have; limits are not known, and without a `knob` it is a text."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    members = _members(knob) if knob is not None and knob.type == "enum" else ()
    row |= {
        "name": name,
        "value": text,
        "origin": "from an import",
        "type": _TYPES[knob.type] if knob is not None else "VARCHAR",
        "members": ",".join(dict.fromkeys([*members, text])) if members else None,
        "read_only": knob is not None and knob.restart,
    }
    return from_row(row)
