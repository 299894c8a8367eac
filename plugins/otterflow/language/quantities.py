"""Sizes and times: their units, and numbers that carry their dimension."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from otterflow.errors import InvalidInput, Problem

Dimension = Literal["number", "size", "time", "text", "truth"]

BYTES = {"TB": 1024**4, "GB": 1024**3, "MB": 1024**2, "kB": 1024, "B": 1}
"""Units of size in bytes, largest first."""

MICROSECONDS = {"d": 86_400_000_000, "h": 3_600_000_000, "min": 60_000_000, "s": 1_000_000, "ms": 1000, "us": 1}
"""Units of time in microseconds, largest first."""

_BASE_UNIT = re.compile(r"(\d*)([A-Za-z]+)")


def unit_family(unit: str) -> tuple[dict[str, int], int]:
    """The units that a setting with base unit `unit` takes, and its base unit's size in the family's smallest.

    `"8kB"` gives the units of size and 8192, `"min"` those of time and 60,000,000. Raises InvalidInput for another.
    """
    match = _BASE_UNIT.fullmatch(unit)
    for family in (BYTES, MICROSECONDS):
        if match and match[2] in family:
            return family, int(match[1] or 1) * family[match[2]]
    known = ", ".join([*BYTES, *MICROSECONDS])
    raise InvalidInput(Problem("unit", f"{unit!r} is not a unit of size or time", f"use a multiple of one of {known}"))


def is_known(unit: str) -> bool:
    """Whether `unit` is one of size or of time, or a multiple of one."""
    match = _BASE_UNIT.fullmatch(unit)
    return match is not None and (match[2] in BYTES or match[2] in MICROSECONDS)


def unit_advice(number: str, given: str, units: Iterable[str]) -> str:
    """What is right instead of `number` with an unknown unit: `64MB` for `64M` or `64mb`, else one of the units."""
    known, lower = tuple(units), given.lower()
    meant = [unit for unit in known if unit.lower() in (lower, f"{lower}b") or unit.startswith(given)]
    return f"use {number}{meant[0]}" if len(meant) == 1 else f"use one of {', '.join(known)}"


@dataclass(frozen=True)
class Quantity:
    """A value and its dimension: a size in bytes, a time in microseconds, a bare number, a text or a truth."""

    value: float | str | bool
    dimension: Dimension

    def in_unit(self, unit: str | None) -> float:
        """The number in a setting's unit, bytes in `"8kB"` for instance. Raises InvalidInput for the wrong dimension.

        0 needs no unit.
        """
        wanted: Dimension = "number"
        base = 1
        if unit is not None:
            family, base = unit_family(unit)
            wanted = "size" if family is BYTES else "time"
        if isinstance(self.value, str | bool) or (self.dimension != wanted and self.value != 0):
            advice = f"give a {wanted}" + (f", such as 1{unit.lstrip('0123456789')}" if unit else ", without a unit")
            raise InvalidInput(Problem("dimension", f"a {self.dimension} where a {wanted} is needed", advice))
        return self.value / base
