"""YAML with comments: mappings of knobs, each with a line above it that says where its value comes from."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from otterflow.dbms.bundle.values import ExportedKnob, Order

Spell = Callable[[ExportedKnob], str]
"""How a knob's value reads in a file."""


def head(order: Order, *lines: str) -> str:
    """The comment on top: what it is of, and how it is used."""
    return "".join(f"# {line}".rstrip() + "\n" for line in (order.title, *lines))


def mapping(knobs: Sequence[ExportedKnob], spell: Spell, indent: int) -> str:
    """Name and value of each knob, as texts, by name; `{}` on the line before where there are none."""
    space = " " * indent
    return "".join(
        f"{space}# {knob.because}\n{space}{knob.name}: {json.dumps(spell(knob))}\n" for knob in by_name(knobs)
    )


def by_name(knobs: Sequence[ExportedKnob]) -> list[ExportedKnob]:
    """In the order of their names, as a person looks them up."""
    return sorted(knobs, key=lambda knob: knob.name)
