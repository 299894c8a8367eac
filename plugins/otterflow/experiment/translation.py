"""A configuration that was measured on one machine, as it is to be on another: other RAM, cores, disk, version.

Where the rules set a knob to a share of the machine, the measured value keeps its relation to what they say:

    value there = value measured x (what the rules say there) / (what they say of the measured machine)

Any other value goes over as it is. What means something else there, or nothing, is left behind and said so. Pure:
records in, records out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from otterflow.dbms.base import Dbms
from otterflow.errors import InvalidInput
from otterflow.knobs.catalog import KnobCatalog, Risk
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.knob import Knob, is_number
from otterflow.knobs.select import named_space
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Config, Value
from otterflow.language.quantities import BYTES, unit_family

AS_MEASURED = "as measured"
_TIDY_BYTES = 1024**2
_ALIKE = 0.005
"""Relations nearer to 1 than this are of two machines that are sold as the same."""


@dataclass(frozen=True)
class Machine:
    """A server and its host, as far as a value depends on them. `version` is the major version."""

    facts: HostFacts
    live: Mapping[str, LiveSetting]
    version: int


@dataclass(frozen=True)
class ToCarry:
    """What is to be carried over: the knobs that were changed, and the `machine` that they were measured on.

    `machine` is None for values that a person has given, which are taken as they are. `kind` is the kind of workload.
    """

    config: Mapping[str, Value]
    machine: Machine | None = None
    kind: str = "mixed"


@dataclass(frozen=True)
class Carried:
    """A knob's value there, in the unit of that server's, and how it came about."""

    knob: str
    value: Value
    why: str
    risk: Risk | None = None


@dataclass(frozen=True)
class LeftBehind:
    """A knob that does not carry over, with the measured value in words."""

    knob: str
    value: str
    why: str


@dataclass(frozen=True)
class Translation:
    """What of a configuration differs from what is in force there, and what does not carry over."""

    carried: tuple[Carried, ...] = ()
    left: tuple[LeftBehind, ...] = ()
    same: tuple[str, ...] = ()
    """Knobs that have their value there already."""

    @property
    def config(self) -> Config:
        """What is to be changed."""
        return {each.knob: each.value for each in self.carried}


def translate(measured: ToCarry, here: Machine, dbms: Dbms, catalog: KnobCatalog, *, restart: bool) -> Translation:
    """The configuration as it is to be `here`. Without `restart`, knobs that take one are left behind.

    Raises InvalidInput where catalog and server cannot be brought together.
    """
    work = _Work(measured, here, dbms, catalog)
    for knob, value in measured.config.items():
        why_not = work.why_not(knob, value, restart=restart)
        if why_not is not None:
            work.leave(knob, value, why_not)
        else:
            work.carry(knob, value)
    return work.result()


@dataclass
class _Work:
    measured: ToCarry
    here: Machine
    dbms: Dbms
    catalog: KnobCatalog
    carried: dict[str, Carried] = field(default_factory=dict)
    left: list[LeftBehind] = field(default_factory=list)

    def __post_init__(self) -> None:
        names = [name for name in self.measured.config if name in self.here.live]
        version = self.here.version
        self.space = named_space(names, self.catalog, self.here.live, self.here.facts, server_version=version)
        self.tunable = self.catalog.tunable(version)
        self.relations, self.of_disk = _relations(self.measured, self.here, self.dbms)

    def why_not(self, knob: str, value: Value, *, restart: bool) -> str | None:
        """Why a knob does not carry over."""
        setting = self.here.live.get(knob)
        if setting is None:
            return f"this server (version {self.here.version}) has no such setting"
        if knob not in self.space.names:
            return f"it is not tuned on this server (version {self.here.version})"
        then = self._setting_then(knob)
        if then is not None and then.vartype != setting.vartype:
            return f"it is of another type here ({setting.vartype}, and {then.vartype} where it was measured)"
        if setting.vartype == "enum" and value not in setting.enumvals:
            return f"this server does not know the value; it has {', '.join(setting.enumvals)}"
        if knob in self.of_disk and self.measured.machine is not None:
            return f"it was measured on {self.measured.machine.facts.disk}, and here the disk is {self.here.facts.disk}"
        if not setting.takes_reload and not restart:
            return "it takes a restart, which was not allowed in the form"
        return None

    def carry(self, knob: str, value: Value) -> None:
        """The value here, within the knob's range."""
        setting = self.here.live[knob]
        wanted, why = self._scaled(knob, value, setting)
        own = self.space[knob]
        used = own.quantise(wanted) if self.measured.machine is not None and is_number(wanted) else wanted
        if used != wanted:
            shown = self.dbms.spelling.display(wanted, setting)
            why = f"{why}; {shown} would be beyond the range on this host"
        self.carried[knob] = Carried(knob, used, why, self.tunable[knob].risk)

    def leave(self, knob: str, value: Value, why: str) -> None:
        """Say that the knob does not carry over."""
        then = self._setting_then(knob) or self.here.live.get(knob)
        shown = str(value) if then is None else self.dbms.spelling.display(value, then)
        self.left.append(LeftBehind(knob, shown, why))

    def result(self) -> Translation:
        """All of it within the constraints between knobs, against what is in force."""
        live = {name: setting.value for name, setting in self.here.live.items()}
        config = {name: each.value for name, each in self.carried.items()}
        space = self.space if self.measured.machine is not None else None
        repaired, repairs = self.dbms.constraints.repair(config, live, self.here.facts, space=space)
        for repair in repairs:
            if repair.knob in self.carried:
                before = self.carried[repair.knob]
                self.carried[repair.knob] = replace(before, value=repair.used, why=f"{before.why}; {repair.reason}")
        changed = {name for name, value in repaired.items() if not _alike(value, live[name])}
        return Translation(
            tuple(each for name, each in self.carried.items() if name in changed),
            tuple(self.left),
            tuple(name for name in self.carried if name not in changed),
        )

    def _setting_then(self, knob: str) -> LiveSetting | None:
        return None if self.measured.machine is None else self.measured.machine.live.get(knob)

    def _scaled(self, knob: str, value: Value, setting: LiveSetting) -> tuple[Value, str]:
        then = self._setting_then(knob)
        if then is None or isinstance(value, str | bool) or _means_something_else(value, self.space[knob]):
            return value, AS_MEASURED if self.measured.machine is not None else "as given"
        base_then, base_here = _base(then.unit), _base(setting.unit)
        if base_then is None or base_here is None:  # no sizes and times, so both count the same
            base_then = base_here = 1
        found, relation = value * base_then, self.relations.get(knob)
        if relation is None:
            return _in_unit(found, base_here, setting), AS_MEASURED
        there, ours, times = relation
        why = (
            f"{self.dbms.spelling.display(value, then)} where the rules say {there}, and here they say {ours}: "
            f"{times:.3g} times"
        )
        return _in_unit(found * times, base_here, setting), why


def _relations(measured: ToCarry, here: Machine, dbms: Dbms) -> tuple[dict[str, tuple[str, str, float]], set[str]]:
    """By knob what the rules say of both machines, and how many times as much here; and the knobs of the disk's kind.

    The room on the disks is left out: it is no share of the machine, and the constraints look after it.
    """
    then = measured.machine
    if then is None:
        return {}, set()
    facts = replace(then.facts, disk_free_bytes=None)
    own = replace(here.facts, disk=then.facts.disk, disk_free_bytes=None)
    before = dbms.rules.rule_based(facts, measured.kind, then.live, server_version=then.version).config
    after = dbms.rules.rule_based(own, measured.kind, here.live, server_version=here.version).config
    of_disk = dbms.rules.rule_based(
        replace(own, disk=here.facts.disk), measured.kind, here.live, server_version=here.version
    ).config
    found = {}
    for knob, value in measured.config.items():
        one, other = before.get(knob), after.get(knob)
        times = _times(one, other, then.live.get(knob), here.live.get(knob))
        if times is not None and abs(times - 1) > _ALIKE and not isinstance(value, str | bool):
            display = dbms.spelling.display
            found[knob] = display(one, then.live[knob]), display(other, here.live[knob]), times  # type: ignore[arg-type]
    return found, {knob for knob in measured.config if after.get(knob) != of_disk.get(knob)}


def _times(one: Value | None, other: Value | None, then: LiveSetting | None, here: LiveSetting | None) -> float | None:
    if then is None or here is None or not is_number(one) or not is_number(other):
        return None
    base_then, base_here = _base(then.unit) or 1, _base(here.unit) or 1
    size, now = float(one) * base_then, float(other) * base_here  # type: ignore[arg-type]
    return now / size if size > 0 and now > 0 else None


def _means_something_else(value: float, knob: Knob) -> bool:
    """Whether a number stands for something: off, automatic. Those are no sizes, and are not scaled."""
    return value <= 0 or knob.is_special(value)


def _base(unit: str | None) -> int | None:
    try:
        return unit_family(unit)[1] if unit else None
    except InvalidInput:
        return None


def _in_unit(size: float, base: int, setting: LiveSetting) -> Value:
    """A size in the server's own unit; from 16 MB on in whole MB, as a person would write it."""
    is_size = bool(setting.unit) and unit_family(str(setting.unit))[0] is BYTES if _base(setting.unit) else False
    if is_size and size >= 16 * _TIDY_BYTES:
        size = round(size / _TIDY_BYTES) * _TIDY_BYTES
    return round(size / base) if setting.vartype == "integer" else size / base


def _alike(value: Any, in_force: Any) -> bool:
    """Whether a server would show both as the same."""
    if is_number(value) and is_number(in_force):
        return bool(abs(value - in_force) <= 1e-6 * max(abs(value), abs(in_force)))
    return type(value) is type(in_force) and bool(value == in_force)
