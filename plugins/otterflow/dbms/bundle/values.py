"""What is exported, and what comes of it. Every text of an order is cleaned when it is made: it goes into comments."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Value

_LONGEST = 300


@dataclass(frozen=True)
class ExportedKnob:
    """One knob that differs from what was in force before the experiment."""

    setting: LiveSetting
    """As the server had it before: its own value is the former one."""
    value: Value
    before: Value
    restart: bool
    because: str
    """Where the value comes from, in one line."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "because", one_line(self.because))

    @property
    def name(self) -> str:
        """The knob's name."""
        return self.setting.name


@dataclass(frozen=True)
class Order:
    """A configuration to export: what it is called, the server's major version, and the knobs that differ."""

    title: str
    group: str
    """A name that parameter groups may have: small letters, digits and single hyphens, a letter first."""
    version: int
    knobs: Sequence[ExportedKnob]

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", one_line(self.title))
        object.__setattr__(self, "group", group_name(self.group))

    @property
    def restart(self) -> bool:
        """Whether any of the knobs takes a restart."""
        return any(knob.restart for knob in self.knobs)


@dataclass
class Bundle:
    """Files by their path in the bundle, and by path what a file does not hold: knob to the reason."""

    files: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, dict[str, str]] = field(default_factory=dict)


def allowed(order: Order, refused: Mapping[str, str]) -> tuple[list[ExportedKnob], dict[str, str]]:
    """The knobs that a service takes, and those that it does not, each with the reason in `refused`."""
    taken = [knob for knob in order.knobs if knob.name not in refused]
    return taken, {knob.name: refused[knob.name] for knob in order.knobs if knob.name in refused}


def one_line(text: str) -> str:
    """A text that can stand in a comment of any file: printable, on one line, not too long.

    Nothing in it closes a comment, or stands for a value in a template.
    """
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    harmless = re.sub(r"\{(?=[{%#])|[$%](?=\{)|\*(?=/)", r"\g<0> ", printable)
    line = " ".join(harmless.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def group_name(text: str) -> str:
    """A name of small letters, digits and single hyphens that begins with a letter, at most 200 long."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:200].strip("-")
    return name if name[:1].isalpha() else f"knobs-{name}".strip("-")
