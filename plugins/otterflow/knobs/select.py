"""From the catalog, a live server and a host to the space that one experiment searches."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.catalog import KnobCatalog, KnobSetName, Risk, TunableKnob, disagreements, remedy
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Config, Knob, KnobSpace, Value


def build_space(
    catalog: KnobCatalog,
    live: Mapping[str, LiveSetting],
    facts: HostFacts,
    *,
    server_version: int,
    knob_set: str,
    extra: Sequence[str] = (),
    excluded: Sequence[str] = (),
    risks_allowed: Sequence[str] = (),
    reload_only: bool = False,
) -> KnobSpace:
    """The knobs of a set, with `extra` and without `excluded`, as this server and host allow them.

    `server_version` is the major version. Each knob's default is the value in force; its range is the catalog's,
    clipped to the server's limits and widened where the value in force lies outside. Knobs of a risk class that is not
    allowed are left out of a set, and refused in `extra`; so are, with `reload_only`, knobs that take a restart. Raises
    InvalidInput that lists every wrong field.
    """
    oldest, newest = catalog.versions
    if not oldest <= server_version <= newest:
        advice = f"the catalog speaks of {oldest} to {newest}"
        raise InvalidInput(Problem("server_version", f"{server_version} is not known", advice))
    problems = _word_problems("knob_set", [knob_set], list(KnobSetName))
    problems += _word_problems("risks_allowed", risks_allowed, list(Risk))
    problems += [
        Problem("extra_knobs and excluded_knobs", f"{name!r} is in both", "leave it in one of them")
        for name in sorted(set(extra) & set(excluded))
    ]
    tunable = catalog.tunable(server_version)
    allowed = {Risk(risk) for risk in risks_allowed if risk in list(Risk)}
    problems += [p for name in extra if (p := _extra_problem(name, catalog, live, server_version, allowed))]
    if reload_only:
        problems += [_restart_problem(name) for name in extra if name in live and not live[name].takes_reload]
    problems += [p for name in excluded if (p := _unknown_problem("excluded_knobs", name, live, tunable))]
    if problems:
        raise InvalidInput(problems)
    chosen = [
        knob
        for name, knob in tunable.items()
        if name in live
        and knob.unless not in live
        and name not in excluded
        and (live[name].takes_reload or not reload_only)
        and (name in extra or (KnobSetName(knob_set).holds(knob.set) and (knob.risk is None or knob.risk in allowed)))
    ]
    if reload_only and not chosen:
        found = f"{knob_set!r} has no knob here that the SQL user may change while the server runs"
        advice = "choose a larger set, or grant what the log of check_target names"
        raise InvalidInput(Problem("knob_set", found, advice))
    return _space_of(chosen, live, facts)


def named_space(
    names: Sequence[str],
    catalog: KnobCatalog,
    live: Mapping[str, LiveSetting],
    facts: HostFacts,
    *,
    server_version: int,
) -> KnobSpace:
    """These knobs as this server and host allow them, whatever their set and risk; what is not tunable is left out.

    Raises InvalidInput where the catalog and the server cannot be brought together.
    """
    tunable = catalog.tunable(server_version)
    chosen = [tunable[name] for name in names if name in tunable and name in live and tunable[name].unless not in live]
    return _space_of(chosen, live, facts)


def _space_of(chosen: Sequence[TunableKnob], live: Mapping[str, LiveSetting], facts: HostFacts) -> KnobSpace:
    knobs, problems = [], []
    for entry in chosen:
        try:
            knobs.append(_knob(entry, live[entry.name], facts))
        except InvalidInput as error:
            problems += error.problems
    if problems:
        raise InvalidInput(problems)
    return KnobSpace(knobs)


def _word_problems(field: str, words: Sequence[str], known: Sequence[str]) -> list[Problem]:
    return [
        Problem(field, f"{word!r} is unknown", f"use {'one' if field == 'knob_set' else 'some'} of {', '.join(known)}")
        for word in words
        if word not in list(known)
    ]


def _unknown_problem(
    field: str, name: str, live: Mapping[str, LiveSetting], tunable: Mapping[str, TunableKnob]
) -> Problem | None:
    if name in live or name in tunable:
        return None
    near = difflib.get_close_matches(name, [*tunable], n=3) or difflib.get_close_matches(name, [*live], n=3)
    advice = f"did you mean {' or '.join(near)}?" if near else "see the knob catalog for the names"
    return Problem(field, f"the server has no knob {name!r}", advice)


def _extra_problem(
    name: str, catalog: KnobCatalog, live: Mapping[str, LiveSetting], version: int, allowed: set[Risk]
) -> Problem | None:
    """Why a knob asked for by name cannot be tuned, or None."""
    tunable = catalog.tunable(version)
    if problem := _unknown_problem("extra_knobs", name, live, tunable):
        return problem
    if name not in live:
        return Problem("extra_knobs", f"{name!r} is not a setting of this server (version {version})", "leave it out")
    if name not in tunable:
        family = catalog.untuned_family(name, version)
        reason = family.reason if family else "the catalog has no tuning range for it"
        return Problem("extra_knobs", f"{name!r} is not tuned: {reason}", "leave it out")
    if (other := tunable[name].unless) in live:
        return Problem("extra_knobs", f"the server has {other!r}, and ignores {name!r}", f"use {other!r}")
    risk = tunable[name].risk
    if risk is None or risk in allowed:
        return None
    found = f"{name!r} is locked, it is of the risk class {risk.value!r}"
    return Problem("extra_knobs", found, f"add {risk.value!r} to risks_allowed, or leave the knob out")


def _restart_problem(name: str) -> Problem:
    found = f"{name!r} comes into force by a restart, and a live server is never restarted"
    return Problem("extra_knobs", found, "leave it out, or tune a copy of the server with a benchmark")


def _knob(entry: TunableKnob, setting: LiveSetting, facts: HostFacts) -> Knob:
    """One dimension of the space. Raises InvalidInput where the catalog and the server cannot be brought together."""
    if problems := disagreements(entry, setting):
        raise InvalidInput(problems)
    if entry.type == "boolean":
        return Knob(entry.name, "boolean", setting.value, values=(False, True))
    if entry.type == "enum":
        return _enum(entry, setting)
    return _number(entry, setting, facts)


def _enum(entry: TunableKnob, setting: LiveSetting) -> Knob:
    values: list[Any] = [*entry.values, *(v for v in entry.optional_values if v in setting.enumvals)]
    if setting.value not in values:
        values.append(setting.value)
    return Knob(entry.name, "enum", setting.value, values=tuple(values))


def _number(entry: TunableKnob, setting: LiveSetting, facts: HostFacts) -> Knob:
    low, high = entry.range_on(facts, setting.unit)
    least, most = setting.minimum, setting.maximum
    current = setting.value
    if least is None or most is None or isinstance(current, str | bool):
        raise InvalidInput(Problem(entry.name, "the server gives no limits for it", remedy(entry.name)))
    if low > high:
        found = f"its range on this host is upside down, {low:g} to {high:g}"
        raise InvalidInput(Problem(f"{entry.name}.min", found, remedy(entry.name)))
    if high < least or low > most:
        found = f"the catalog's range {low:g} to {high:g} lies wholly outside the server's {least:g} to {most:g}"
        raise InvalidInput(Problem(entry.name, found, remedy(entry.name)))
    special = {s.value for s in entry.special if least <= s.value <= most}
    low, high = max(low, least), min(high, most)
    if current not in special:
        low, high = min(low, current), max(high, current)
    special = {value for value in special if not low <= value <= high}
    number = int if entry.type == "integer" else float
    return Knob(
        entry.name,
        entry.type,
        number(current),
        low=number(low),
        high=number(high),
        scale=entry.scale,
        special=tuple(number(value) for value in sorted(special)),
    )


def restrict(config: Mapping[str, Value], space: KnobSpace) -> Config:
    """A configuration of exactly the space's knobs: others dropped, missing ones at their default, all within range."""
    restricted: Config = {}
    for knob in space:
        value = config.get(knob.name, knob.baseline)
        if knob.is_numeric and not isinstance(value, str):
            restricted[knob.name] = knob.quantise(value)
        else:
            restricted[knob.name] = knob.baseline if knob.problem_with(value) else value
    return restricted
