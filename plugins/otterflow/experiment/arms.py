"""Configurations that the user gives to be compared: an experiment with arms makes no trials and installs nothing.

A value is the server's own number, or a text as the DBMS's users write it (`256MB`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otterflow.dbms.base import Spelling
from otterflow.errors import InvalidInput, Problem
from otterflow.experiment.comparison import BASELINE
from otterflow.knobs.setting import LiveSetting

Arms = Mapping[str, Mapping[str, Any]]


def knobs_of(arms: Arms) -> tuple[str, ...]:
    """Every knob that an arm names, once."""
    return tuple(dict.fromkeys(name for config in arms.values() for name in config))


def compared(arms: Arms) -> tuple[str, ...]:
    """The arms' names, the baseline first, which is always one of them."""
    return tuple(dict.fromkeys((BASELINE, *arms)))


def configurations(
    arms: Arms, in_force: Mapping[str, Any], live: Mapping[str, LiveSetting], spelling: Spelling
) -> dict[str, dict[str, Any]]:
    """Each arm's whole configuration: what is in force, and over it what the arm says; the baseline as it is, or said.

    Raises InvalidInput for a value that the server's setting does not have.
    """
    return {
        name: dict(in_force) | {knob: _value(value, live[knob], spelling) for knob, value in arms.get(name, {}).items()}
        for name in compared(arms)
    }


def problems(arms: Arms, live: Mapping[str, LiveSetting], spelling: Spelling) -> list[Problem]:
    """What the server would refuse: values of another type, and beyond its limits."""
    found = []
    for name, config in arms.items():
        for knob, value in config.items():
            field = f"arms: {name}.{knob}"
            try:
                number = _value(value, live[knob], spelling)
            except InvalidInput as error:
                found += [Problem(field, problem.found, problem.advice) for problem in error.problems]
                continue
            least, most = live[knob].minimum, live[knob].maximum
            if least is not None and most is not None and not (least <= number <= most):
                advice = f"the server takes {least:g} to {most:g}"
                found.append(Problem(field, f"{value!r} is beyond its limits", advice))
    return found


def _value(value: Any, setting: LiveSetting, spelling: Spelling) -> Any:
    """The canonical value; whole numbers and booleans come in JSON's spelling as well as in the DBMS's."""
    if setting.vartype == "bool" and isinstance(value, bool):
        return value
    if setting.vartype in ("integer", "real") and isinstance(value, int | float) and not isinstance(value, bool):
        return round(value) if setting.vartype == "integer" else float(value)
    return spelling.parse(str(value), setting)
