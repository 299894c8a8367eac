"""The knob catalog: what is known of a DBMS's knobs, and why each is or is not tuned.

A catalog is a YAML file under `include/knob_catalogs/`. It holds judgement (ranges worth trying, scale, risk, meaning);
the DBMS's own limits come from the live server. Where the two disagree about a knob that is tuned, `disagreements` says
so; about all others, `catalog_gaps` does, for a server may be newer than the catalog.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from otterflow import settings
from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.shared_rows import shared_files, with_shared_rows
from otterflow.knobs.space import KnobScale, KnobType
from otterflow.language.expressions import Expression
from otterflow.language.quantities import Dimension, Quantity, unit_family
from otterflow.yaml_files import read_mapping

Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.]*$")]
Sentence = Annotated[str, Field(min_length=20)]

FACTS: dict[str, Dimension] = {"ram": "size", "cores": "number", "connections": "number", "disk": "text"}
"""The names that a range's expression may use, with their dimensions."""

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
    since: int
    """The first and the last major version that it holds for; the DBMS's oldest and newest unless given."""
    until: int

    @model_validator(mode="before")
    @classmethod
    def _versions_unsaid(cls, value: object, info: ValidationInfo) -> object:
        versions = (info.context or {}).get("versions")
        if versions is None or not isinstance(value, dict):
            return value
        return {"since": versions[0], "until": versions[1], **value}

    @field_validator("since", "until")
    @classmethod
    def _one_of_the_versions(cls, value: int, info: ValidationInfo) -> int:
        oldest, newest = (info.context or {}).get("versions", (value, value))
        if not oldest <= value <= newest:
            raise ValueError(f"the versions that can be spoken of are {oldest} to {newest}")
        return value

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
    scale: KnobScale = "linear"
    values: tuple[str, ...] = Field(default=(), strict=False)
    optional_values: tuple[str, ...] = Field(default=(), strict=False)
    """Enum values that some builds lack: tuned where the server has them."""
    special: tuple[Special, ...] = Field(default=(), strict=False)
    unless: Name | None = None
    """A setting in whose presence the server ignores this one: it is tuned where the server has not got that."""
    restart: bool
    session: bool = False
    """Whether each session has a value of its own, which a new one for the server does not reach. Only read where the
    DBMS does not tell it."""
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
                bounds.append(evaluate(text or "", facts).in_unit(unit))
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

    dbms: Annotated[str, Field(min_length=1)]
    knobs: tuple[TunableKnob, ...] = Field(strict=False)
    untuned: tuple[UntunedFamily, ...] = Field(strict=False)

    @field_validator("dbms")
    @classmethod
    def _the_dbms_that_is_asked_for(cls, value: str, info: ValidationInfo) -> str:
        wanted = (info.context or {}).get("dbms", value)
        if value != wanted:
            raise ValueError(f"it is read as the catalog of {wanted}")
        return value

    @model_validator(mode="after")
    def _one_entry_a_version(self) -> KnobCatalog:
        entries: list[tuple[str, _Versioned]] = [(knob.name, knob) for knob in self.knobs]
        entries += [(name, family) for family in self.untuned for name in family.knobs]
        spans = sorted((name, entry.since, entry.until) for name, entry in entries)
        twice = sorted(
            {name for (name, _, until), (other, since, _) in pairwise(spans) if name == other and since <= until}
        )
        if twice:
            raise ValueError(f"more than one entry for the same version: {', '.join(twice)}")
        return self

    @property
    def versions(self) -> tuple[int, int]:
        """The oldest and the newest major version that it speaks of."""
        entries: list[_Versioned] = [*self.knobs, *self.untuned]
        return min(entry.since for entry in entries), max(entry.until for entry in entries)

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


def evaluate(text: str, facts: HostFacts) -> Quantity:
    """An expression's value for a host. Raises InvalidInput where it cannot be read or has none."""
    values = {
        "ram": float(facts.ram_bytes),
        "cores": float(facts.cores),
        "connections": float(facts.max_connections),
        "disk": facts.disk,
    }
    return Expression(text, FACTS).value(values)


def load_catalog(path: Path, *, dbms: str, versions: tuple[int, int]) -> KnobCatalog:
    """Read and check the catalog of a DBMS whose oldest and newest major version are `versions`.

    A file that has not changed is read and checked once a process. Raises InvalidInput that lists everything wrong in
    it, each with knob and field.
    """
    marks = tuple(_mark(file) for file in (path, *shared_files(path)))
    return _loaded(path, marks, dbms, versions)


def catalog_for(dbms: str, versions: tuple[int, int]) -> KnobCatalog:
    """The catalog that is used for a DBMS; see `load_catalog`."""
    return load_catalog(settings.include_dir() / "knob_catalogs" / f"{dbms}.yaml", dbms=dbms, versions=versions)


def _mark(path: Path) -> tuple[str, int, int, int] | None:
    """What is another once a file was written anew or replaced; None where there is none that can be asked."""
    try:
        found = path.stat()
    except OSError:
        return None
    return path.name, found.st_mtime_ns, found.st_size, found.st_ino


@lru_cache(maxsize=8)
def _loaded(path: Path, marks: tuple[object, ...], dbms: str, versions: tuple[int, int]) -> KnobCatalog:
    """The catalog as its files are now; kept until a mark of theirs is another."""
    record = read_mapping(
        path, field="knob catalog", plural="catalogs", example="include/knob_catalogs/ for an example"
    )
    record = with_shared_rows(record, path)
    try:
        return KnobCatalog.model_validate(record, context={"dbms": dbms, "versions": versions})
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


@dataclass(frozen=True)
class CatalogGaps:
    """Where a server has moved on from the catalog without harm to what is tuned. For the log; see `catalog_gaps`."""

    unknown: tuple[str, ...]
    """Settings without an entry. They are left alone."""
    absent: tuple[str, ...]
    """Knobs of the catalog that the server does not have. They cannot be tuned."""
    differing: tuple[Problem, ...]
    """Entries of knobs that are not tuned and do not fit the server, each with what differs."""

    def sentences(self) -> list[str]:
        """One line a kind, none where there is nothing to say."""
        lines = []
        if self.unknown:
            listed = ", ".join(self.unknown)
            lines.append(f"the server has settings that the catalog does not know; they are left alone: {listed}")
        if self.absent:
            lines.append(f"the server lacks knobs of the catalog; they are not tuned: {', '.join(self.absent)}")
        return lines + [f"not tuned, so it does no harm: {problem}" for problem in self.differing]


def catalog_gaps(
    catalog: KnobCatalog, live: Mapping[str, LiveSetting], version: int, tuned: Collection[str]
) -> CatalogGaps:
    """What a server has that the catalog does not know, and the reverse. A new minor release may do all of it.

    `live` holds all of the server's settings, `tuned` the names of the knobs that the experiment tunes. Settings of
    extensions (with a dot in the name) need no entry.
    """
    tunable = catalog.tunable(version)
    others = [name for name in tunable if name in live and name not in tuned]
    return CatalogGaps(
        unknown=tuple(
            name
            for name in sorted(live)
            if name not in tunable and "." not in name and catalog.untuned_family(name, version) is None
        ),
        absent=tuple(sorted(name for name in tunable if name not in live)),
        differing=tuple(problem for name in others for problem in disagreements(tunable[name], live[name])),
    )


def disagreements(knob: TunableKnob, setting: LiveSetting) -> list[Problem]:
    """Where a knob's entry and the server's setting differ so that it cannot be tuned: type, unit, enum values.

    Whether a change takes a restart is read from the server alone.
    """
    live_type = "boolean" if setting.vartype == "bool" else setting.vartype
    found = [("type", knob.type, live_type), ("unit", knob.unit, setting.unit)]
    problems = [
        Problem(f"{knob.name}.{field}", f"the catalog says {ours!r}, the server {theirs!r}", remedy(knob.name))
        for field, ours, theirs in found
        if ours != theirs and not (field == "unit" and _same_unit_family(ours, theirs))
    ]
    missing = [value for value in knob.values if setting.vartype == "enum" and value not in setting.enumvals]
    if missing:
        found_text = f"{', '.join(map(repr, missing))} {'is' if len(missing) == 1 else 'are'} not known to the server"
        advice = f"the server has {', '.join(setting.enumvals)}; {remedy(knob.name)}"
        problems.append(Problem(f"{knob.name}.values", found_text, advice))
    return problems


def remedy(name: str) -> str:
    """What a user can do at once about a knob whose entry does not fit the server."""
    return f"put {name} into excluded_knobs, or mend its entry in the catalog"


def _same_unit_family(ours: object, theirs: object) -> bool:
    """Whether two units differ in size alone: servers built with another block size report 16kB in place of 8kB."""
    if not isinstance(ours, str) or not isinstance(theirs, str):
        return False
    return ours.endswith("kB") and theirs.endswith("kB") and unit_family(ours)[0] is unit_family(theirs)[0]
