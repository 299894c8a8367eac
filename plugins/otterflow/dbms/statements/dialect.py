"""One DBMS's readings of a statement's text, side by side, for whoever works with statements of any."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from otterflow.dbms.statements.classes import Classes
from otterflow.dbms.statements.judging import Judgement
from otterflow.dbms.statements.touching import Held, Touch
from otterflow.errors import InvalidInput, Problem

ROOMS: Mapping[str, str] = {"postgresql": "postgresql", "mariadb": "mysql_family", "mysql": "mysql_family"}
"""By the DBMS's name the room that reads its statements."""


@dataclass(frozen=True)
class Dialect:
    """What a text says. All that is no word or a yes or no takes the text of a statement.

    `judge` takes also the name of the database that it is to be sent to, and says what is to be done with it,
    `wanted_values` how many values it wants that are sent apart, `comes_again` whether it changes the schema in a way
    that may be done again, and `fingerprint` is of its class. `ends_block` is whether it ends a transaction or brings a
    failed one back, `commits_before` whether it commits what is open before it does anything, and `state_after` takes
    also whether the session is in a transaction, and gives that for the time after it, and whether one ended in it.
    `touch_of` is what it does to its session, `mentions` whether it may use what is held there, and `asked` names what
    a text asks for that asks for what the statement before it left. `values_apart` is whether a statement can be sent
    with its values apart from its text, and `classes` makes what names the classes of a recording.
    """

    judge: Callable[[str, str], Judgement]
    wanted_values: Callable[[str], int]
    comes_again: Callable[[str], bool]
    fingerprint: Callable[[str], str]
    ends_block: Callable[[str], bool]
    commits_before: Callable[[str], bool]
    state_after: Callable[[str, bool], tuple[bool, bool]]
    touch_of: Callable[[str], Touch]
    mentions: Callable[[str, Held], bool]
    asked: str
    values_apart: bool
    classes: Callable[[], Classes]

    def chains(self, text: str) -> bool:
        """Whether the text ends a transaction and begins another, as COMMIT AND CHAIN does."""
        return "chain" in text[:200].lower() and self.ends_block(text) and self.state_after(text, True) == (True, True)


def dialect_of(dbms: str) -> Dialect:
    """The dialect of a DBMS. Raises InvalidInput for one whose statements nobody reads."""
    room = ROOMS.get(dbms)
    if room is None:
        raise InvalidInput(Problem("dbms", f"{dbms!r} has no recordings", f"use one of {', '.join(ROOMS)}"))
    dialect: Dialect = importlib.import_module(f"otterflow.dbms.{room}.statements.dialect").DIALECT
    return dialect
