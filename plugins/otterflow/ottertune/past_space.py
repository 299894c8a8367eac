"""The space of an imported experiment: what varied between its sets, by the knob catalog of the sets' version.

A setting that stood still in all sets is no dimension of a search: its effect is in every measurement alike. It is kept
with the experiment's settings instead. Ranges are the catalog's on the host of then, widened to what was tried.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from otterflow.dbms.mysql_family.secrets import is_withheld
from otterflow.dbms.postgresql.rows import from_row
from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.catalog import KnobCatalog, TunableKnob
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Knob, KnobSpace, Value
from otterflow.ottertune.family_settings import live_setting
from otterflow.ottertune.knob_values import var_type
from otterflow.ottertune.names import DBMS, MAY_HOLD_SECRETS, RENAMED
from otterflow.ottertune.observation import Observation

COMMON_SHARE = 0.5
"""A knob that fewer than this share of the sets have a value for is no part of the space."""
USUAL_CONNECTIONS = 100
"""PostgreSQL's default, where `max_connections` cannot be read."""
_COUNT = re.compile(r"[1-9][0-9]{0,8}")
NOT_RECORDED = "from an import"
_SESSION = frozenset({"application_name", "client_encoding", "DateStyle", "TimeZone", "transaction_isolation"})
"""Settings of the session that asked, which say nothing of the server."""


@dataclass(frozen=True)
class Tried:
    """What the observations tried. `kept` have a value for every knob of `names`; `left_out` have not, and why.

    `varying` says whether the knobs of `names` have several values, or all stood still.
    """

    names: tuple[str, ...]
    varying: bool = True
    kept: list[Observation] = field(default_factory=list)
    left_out: dict[str, list[Problem]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def what_was_tried(observations: Sequence[Observation], catalog: KnobCatalog) -> Tried:
    """Which knobs vary, in the catalog's order, and which observations have a value for all of them.

    Where nothing varies, all knobs count that every observation has.
    """
    order = list(catalog.tunable(observations[0].version.in_catalog))
    partial = [n for n in order if 0 < _missing(observations, n) <= COMMON_SHARE * len(observations)]
    needed = [n for n in partial if len(_values(observations, n)) > 1]
    left_out: dict[str, list[Problem]] = {}
    for o in observations:
        problems = [_lacking(o, name) for name in needed if name not in o.settings.values]
        if problems:
            left_out[o.prefix] = problems
    kept = [o for o in observations if o.prefix not in left_out]
    everywhere = [n for n in order if kept and _missing(kept, n) == 0]
    varying = [n for n in everywhere if len(_values(kept, n)) > 1]
    return Tried(tuple(varying or everywhere), bool(varying), kept, left_out, _notes(kept, varying, order))


def searched_space(tried: Tried, catalog: KnobCatalog, facts: HostFacts) -> KnobSpace:
    """The space of `tried`, the first observation's values as defaults. Raises InvalidInput where it has no knob."""
    if not tried.names:
        found = "no set holds a value of a knob that the catalog can tune"
        raise InvalidInput(Problem("knobs", found, "give sets whose knobs.json is what SHOW ALL says"))
    entries = catalog.tunable(tried.kept[0].version.in_catalog)
    first = tried.kept[0].settings.values
    return KnobSpace([
        _knob(entries[name], [o.settings.values[name] for o in tried.kept], first[name], facts) for name in tried.names
    ])  # fmt: skip


def observed_settings(observation: Observation, catalog: KnobCatalog) -> dict[str, LiveSetting]:
    """The settings of one observation in the form that a live server's have; limits are not known.

    Settings that the catalog has no type for are texts; those that may hold passwords are left out.
    """
    entries = catalog.tunable(observation.version.in_catalog)
    make, is_secret = _of_dbms(observation.dbms)
    settings = [make(name, _text(value), entries[name]) for name, value in observation.settings.values.items()]
    settings += [make(name, text, None) for name, text in observation.settings.texts.items() if not is_secret(name)]
    return {setting.name: setting for setting in settings}


def _of_dbms(
    dbms: str,
) -> tuple[Callable[[str, str, TunableKnob | None], LiveSetting], Callable[[str], bool]]:
    """How a DBMS's settings are made of their texts, and which may hold passwords."""
    if dbms == DBMS:
        return _setting, MAY_HOLD_SECRETS.__contains__
    return live_setting, is_withheld


def _lacking(observation: Observation, name: str) -> Problem:
    """Why an observation cannot be used for want of a knob's value."""
    field = f"knobs.{name}"
    own = next((p for p in observation.problems if p.field == field), None)
    found = f"{own.found} ({own.advice})" if own else "is missing"
    return Problem(field, found, "the set is left out, for the knob varies between the others")


def _values(observations: Sequence[Observation], name: str) -> set[Value]:
    return {o.settings.values[name] for o in observations if name in o.settings.values}


def _missing(observations: Sequence[Observation], name: str) -> int:
    return sum(name not in o.settings.values for o in observations)


def _notes(kept: Sequence[Observation], varying: Sequence[str], order: Sequence[str]) -> list[str]:
    """What is worth knowing beside the space: nothing varied; settings that varied and are no knobs."""
    notes = []
    if kept and not varying:
        sets = "there is one set alone" if len(kept) == 1 else f"no knob varies between the {len(kept)} sets"
        notes.append(f"{sets}: which knobs matter cannot be learnt from that; import more sets under another name")
    partial = [n for n in order if 0 < _missing(kept, n) < len(kept)]
    if partial:
        notes.append(f"no part of the space, for some sets have no value of them: {', '.join(partial)}")
    names = sorted({name for o in kept for name in o.settings.texts} - _SESSION - set(RENAMED))
    hidden = [name for name in names if len({o.settings.texts.get(name) for o in kept}) > 1]
    if hidden:
        notes.append(
            f"differ between the sets, but are not tuned: {', '.join(hidden)}; their effect is in the measurements"
        )
    return notes


def _knob(entry: TunableKnob, tried: Sequence[Value], default: Value, facts: HostFacts) -> Knob:
    """One dimension: the catalog's range or values, and whatever was tried beside them."""
    if entry.type == "boolean":
        return Knob(entry.name, "boolean", default, values=(False, True))
    if entry.type == "enum":
        values: tuple[Value, ...] = (*entry.values, *(v for v in dict.fromkeys(tried) if v not in entry.values))
        return Knob(entry.name, "enum", default, values=values)
    special = {s.value for s in entry.special}
    numbers = [v for v in tried if not isinstance(v, str) and v not in special]
    low, high = entry.range_on(facts, entry.unit)
    low, high = min([low, *numbers]), max([high, *numbers])
    number = int if entry.type == "integer" else float
    return Knob(
        entry.name,
        entry.type,
        default,
        low=number(low),
        high=number(high),
        scale=entry.scale,
        special=tuple(sorted(number(s) for s in special if not low <= s <= high)),
    )


def _setting(name: str, text: str, entry: TunableKnob | None) -> LiveSetting:
    enumvals = (*entry.values, *entry.optional_values) if entry else ()
    return from_row({
        "name": name,
        "setting": text,
        "unit": entry.unit if entry else None,
        "vartype": var_type(entry) if entry else "string",
        "min_val": None,
        "max_val": None,
        "enumvals": enumvals if not entry or entry.type != "enum" or text in enumvals else (*enumvals, text),
        "context": "postmaster" if entry and entry.restart else "sighup",
        "boot_val": None,
        "reset_val": None,
        "source": NOT_RECORDED,
        "sourcefile": None,
        "pending_restart": False,
        "category": "",
        "short_desc": "",
    })  # fmt: skip


def _text(value: Value) -> str:
    """A canonical value as `pg_settings.setting` has it."""
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def assumed_facts(settings: Mapping[str, str], ram_bytes: int, cores: int, disk: str) -> HostFacts:
    """The host of then, as far as ranges depend on it. Raises InvalidInput for impossible facts."""
    connections = settings.get("max_connections", "")
    return HostFacts.from_dict({
        "ram_bytes": ram_bytes,
        "cores": cores,
        "disk": disk,
        "max_connections": int(connections) if _COUNT.fullmatch(connections) else USUAL_CONNECTIONS,
    })  # fmt: skip
