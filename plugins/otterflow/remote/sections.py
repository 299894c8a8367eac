"""Many facts in one round trip: a command prints named sections of raw text, and this takes them apart again."""

from __future__ import annotations

from collections.abc import Iterable

Section = tuple[str, str]

_MARK = "@@otterflow "

SECTION = f"section() {{ printf '\\n{_MARK}%s\\n' \"$1\"; }}"
"""A bash function: `section NAME` begins a section; what is printed after it belongs to it."""


def sections(text: str) -> list[Section]:
    """Name and text of each section, in order; names may repeat. What stands before the first is dropped."""
    parts = f"\n{text}".split(f"\n{_MARK}")[1:]
    return [(name, body) for name, _, body in (part.partition("\n") for part in parts)]


def texts_of(found: Iterable[Section]) -> dict[str, str]:
    """Name to text; the last of a name counts."""
    return dict(found)


def colon_fields(text: str) -> dict[str, str]:
    """`Name: value` lines, as /proc has them."""
    pairs = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}
