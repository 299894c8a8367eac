"""The knob catalog: what is known of a DBMS's knobs, and why each is or is not tuned.

A catalog is a YAML file under `include/knob_catalogs/`. It holds judgement (ranges worth trying, scale, risk, meaning);
the DBMS's own limits come from the live server, and `check_against_live` says where the two disagree.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.expressions import Expression
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.live import LiveSetting
from otterflow.knobs.space import KnobType, Scale
from otterflow.knobs.units import unit_family
from otterflow.yaml_files import read_mapping

OLDEST, NEWEST = 12, 18
"""The major versions of PostgreSQL that a catalog speaks of."""

Version = Annotated[int, Field(ge=OLDEST, le=NEWEST)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.]*$")]
Sentence = Annotated[str, Field(min_length=20)]

_NOMINAL_HOST = HostFacts(ram_bytes=16 * 1024**3, cores=8, disk="ssd", max_connections=100)
"""A host that ranges are tried on when a catalog is loaded."""


class Risk(StrEnum):
    """What else a knob may cost. A knob with a risk is locked unless the experiment allows the class by name."""

    durability = "durability"
    security = "security"
    replication = "replication"
    logging = "logging"
    planner_switch = "planner_switch"


class KnobSetName(StrEnum):
    """How much is tuned. Each set holds the one before."""

    core = "core"
    extended = "extended"
    all = "all"

    def holds(self, other: KnobSetName) -> bool:
        """Whether a knob filed under `other` belongs to this set."""
        order = list(KnobSetName)
        return order.index(other) <= order.index(self)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Versioned(_Strict):
    since: Version = OLDEST
    until: Version = NEWEST

    @model_validator(mode="after")
    def _in_order(self) -> _Versioned:
        if self.since > self.until:
            raise ValueError(f"since {self.since} is above until {self.until}")
        return self

    def covers(self, version: int) -> bool:
        """Whether the entry holds for a major version."""
        return self.since <= version <= self.until


class Special(_Strict):
    """A value outside the range that means something else, and what it means."""

    value: int | float
    means: Annotated[str, Field(min_length=3)]


class TunableKnob(_Versioned):
    """One knob that may be tuned. `min` and `max` are expressions; `unit` and `type` are checked against the server."""

    name: Name
    set: Annotated[KnobSetName, Field(strict=False)]
    type: KnobType
    unit: str | None = None
    min: str | None = None
    max: str | None = None
    scale: Scale = "linear"
    values: tuple[str, ...] = Field(default=(), strict=False)
    optional_values: tuple[str, ...] = Field(default=(), strict=False)
    """Enum values that some builds lack: tuned where the server has them."""
    special: tuple[Special, ...] = Field(default=(), strict=False)
    restart: bool
    risk: Annotated[Risk | None, Field(strict=False)] = None
    does: Sentence

    @field_validator("min", "max", mode="before")
    @classmethod
    def _number_as_text(cls, value: object) -> object:
        return repr(value) if isinstance(value, int | float) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _fields_fit_the_type(self) -> TunableKnob:
        numeric = self.type in ("integer", "real")
        wrong = {
            "min and max": numeric in (self.min is None, self.max is None),
            "values": (self.type == "enum") != bool(self.values),
            "optional_values": bool(self.optional_values) and self.type != "enum",
            "special": bool(self.special) and not numeric,
            "unit": self.unit is not None and not numeric,
        }
        for field, is_wrong in wrong.items():
            if is_wrong:
                raise ValueError(f"type {self.type!r} and {field} do not go together: {_FIELDS_BY_TYPE[self.type]}")
        return self

    @model_validator(mode="after")
    def _range_can_be_computed(self) -> TunableKnob:
        if self.min is not None:
            try:
                low, high = self.range_on(_NOMINAL_HOST, self.unit)
            except InvalidInput as error:
                raise ValueError(str(error)) from None
            if low > high:
                raise ValueError(f"min {self.min!r} is above max {self.max!r} on a host of 16 GB and 8 cores")
        return self

    def range_on(self, facts: HostFacts, unit: str | None) -> tuple[float, float]:
        """The tuning range on a host, in the server's `unit`. Raises InvalidInput that names knob and bound."""
        bounds = []
        for bound, text in (("min", self.min), ("max", self.max)):
            try:
                bounds.append(Expression(text or "").evaluate(facts).in_unit(unit))
            except InvalidInput as error:
                raise InvalidInput(
                    [Problem(f"{self.name}.{bound}", str(p), "mend it") for p in error.problems]
                ) from None
        return bounds[0], bounds[1]


class UntunedFamily(_Versioned):
    """Settings that are not tuned, and why."""

    family: str
    reason: Sentence
    risk: Annotated[Risk | None, Field(strict=False)] = None
    knobs: Annotated[tuple[Name, ...], Field(min_length=1, strict=False)]


_FIELDS_BY_TYPE = {
    "integer": "it takes min and max",
    "real": "it takes min and max",
    "enum": "it takes values",
    "boolean": "it takes no range and no values",
}


class KnobCatalog(_Strict):
    """All entries of one DBMS."""

    dbms: Literal["postgresql"]
    knobs: tuple[TunableKnob, ...] = Field(strict=False)
    untuned: tuple[UntunedFamily, ...] = Field(strict=False)

    @model_validator(mode="after")
    def _one_entry_a_version(self) -> KnobCatalog:
        entries: list[tuple[str, _Versioned]] = [(knob.name, knob) for knob in self.knobs]
        entries += [(name, family) for family in self.untuned for name in family.knobs]
        count = Counter((name, version) for name, e in entries for version in range(e.since, e.until + 1))
        twice = sorted({name for (name, _), times in count.items() if times > 1})
        if twice:
            raise ValueError(f"more than one entry for the same version: {', '.join(twice)}")
        return self

    @property
    def content_hash(self) -> str:
        """SHA-256 of what the catalog says; comments and layout do not count."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def tunable(self, version: int) -> dict[str, TunableKnob]:
        """The knobs that may be tuned on a major version, by name, in the catalog's order."""
        return {knob.name: knob for knob in self.knobs if knob.covers(version)}

    def untuned_family(self, name: str, version: int) -> UntunedFamily | None:
        """The family with the reason why a setting is not tuned, if it is listed as such."""
        return next((f for f in self.untuned if name in f.knobs and f.covers(version)), None)


def load_catalog(path: Path) -> KnobCatalog:
    """Read and check a catalog. Raises InvalidInput that lists everything wrong in it, each with knob and field."""
    record = read_mapping(
        path, field="knob catalog", plural="catalogs", example="include/knob_catalogs/postgresql.yaml"
    )
    try:
        return KnobCatalog.model_validate(record)
    except ValidationError as error:
        raise InvalidInput(_problems_of(error, path.name, record)) from None


def _problems_of(error: ValidationError, file: str, record: Mapping[str, Any]) -> list[Problem]:
    """Pydantic's findings, each with the knob's name in place of its position in the list."""
    problems = []
    for item in error.errors():
        location = [str(part) for part in item["loc"]]
        if len(item["loc"]) > 1:
            entry = record[location[0]][item["loc"][1]]
            name = entry.get("name") or entry.get("family") if isinstance(entry, dict) else None
            location[1] = str(name or location[1])
        value = item.get("input")
        found = "is not valid" if isinstance(value, dict | list | BaseModel) else f"value {value!r} is not valid"
        problems.append(Problem(f"{file}: {'.'.join(location) or 'whole file'}", found, item["msg"]))
    return problems


def check_against_live(catalog: KnobCatalog, live: Mapping[str, LiveSetting], version: int) -> list[Problem]:
    """Where the catalog and a server disagree: type, unit, restart, enum values, and settings without an entry.

    `live` holds all of `pg_settings`; settings of extensions (with a dot in the name) need no entry.
    """
    tunable = catalog.tunable(version)
    problems = []
    for name, setting in live.items():
        if name in tunable:
            problems += _disagreements(tunable[name], setting)
        elif "." not in name and catalog.untuned_family(name, version) is None:
            problems.append(Problem(name, "has no entry in the catalog", "add one: tuned, or untuned with its reason"))
    return problems


def _disagreements(knob: TunableKnob, setting: LiveSetting) -> list[Problem]:
    live_type = "boolean" if setting.vartype == "bool" else setting.vartype
    found = [
        ("type", knob.type, live_type),
        ("unit", knob.unit, setting.unit),
        ("restart", knob.restart, setting.needs_restart),
    ]
    problems = [
        Problem(f"{knob.name}.{field}", f"the catalog says {ours!r}, the server {theirs!r}", "mend the catalog")
        for field, ours, theirs in found
        if ours != theirs and not (field == "unit" and _same_unit_family(ours, theirs))
    ]
    missing = [value for value in knob.values if setting.vartype == "enum" and value not in setting.enumvals]
    return problems + [
        Problem(f"{knob.name}.values", f"{v!r} is not a value on this server", f"use {', '.join(setting.enumvals)}")
        for v in missing
    ]


def _same_unit_family(ours: object, theirs: object) -> bool:
    """Whether two units differ in size alone: servers built with another block size report 16kB in place of 8kB."""
    if not isinstance(ours, str) or not isinstance(theirs, str):
        return False
    return ours.endswith("kB") and theirs.endswith("kB") and unit_family(ours)[0] is unit_family(theirs)[0]
