"""What a statement does to its session beside the data: what it makes there, gives up, sets, and cannot do without."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

TEMPORARY = "temporary table"
PREPARED = "statement prepared by SQL"
ADVISORY = "advisory lock of the session"
ALL = "*"
"""Stands for every name."""
LOOKED_AT = 100_000
"""Characters at which a text is taken for one statement with values, not for several."""

Held = tuple[str, str]
"""A kind and a name, in lower case."""


class Setting(NamedTuple):
    """A setting of the session: its name, `*` for all that are reset, and the statement that sets it again."""

    name: str
    text: str | None


class Touch(NamedTuple):
    """What a text makes in its session and gives up there, what it sets, and what it cannot do without.

    `passing` is what it makes that ends with the transaction; `only_sets` is whether it does nothing else than to set.
    `reads` and `assigns` are variables of the session, the latter those whose value nobody can give again.
    `asks_sequence` is whether it asks for what the statement before it has left.
    """

    makes: frozenset[Held] = frozenset()
    passing: frozenset[Held] = frozenset()
    gives_up: frozenset[Held] = frozenset()
    settings: tuple[Setting, ...] = ()
    only_sets: bool = False
    executes: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    assigns: frozenset[str] = frozenset()
    asks_sequence: bool = False
    takes_snapshot: bool = False


NOTHING = Touch()


def joined(touches: Iterable[Touch]) -> Touch:
    """What several statements of one text do."""
    touch, only_sets = NOTHING, True
    for one in touches:
        only_sets = only_sets and bool(one.settings) and not one.assigns
        touch = Touch(
            makes=touch.makes | one.makes,
            passing=touch.passing | one.passing,
            gives_up=touch.gives_up | one.gives_up,
            settings=touch.settings + one.settings,
            executes=touch.executes | one.executes,
            reads=touch.reads | (one.reads - touch.assigns - {setting.name for setting in touch.settings}),
            assigns=touch.assigns | one.assigns,
            asks_sequence=touch.asks_sequence or one.asks_sequence,
            takes_snapshot=touch.takes_snapshot or one.takes_snapshot,
        )
    return touch._replace(only_sets=only_sets and bool(touch.settings))


def has_name(text: str, name: str) -> bool:
    """Whether a name stands in a text, quoted or not, be it in a string or as another thing's."""
    return re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", text, re.IGNORECASE) is not None
