"""One DBMS's readings of a statement's text, side by side, for whoever works with statements of any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from otterflow.dbms.statements.judging import Judgement
from otterflow.dbms.statements.touching import Held, Touch


@dataclass(frozen=True)
class Dialect:
    """What a text says. All but `asked` take the text of a statement.

    `judge` says what is to be done with it, `wanted_values` how many values it wants that are sent apart, `comes_again`
    whether it changes the schema in a way that may be done again, and `fingerprint` is of its class. `ends_block` is
    whether it ends a transaction or takes it back to a savepoint, `commits_before` whether it commits what is open
    before it does anything, and `state_after` takes also whether the session is in a transaction, and gives that for
    the time after it, and whether one ended in it. `touch_of` is what it does to its session, `mentions` whether it may
    use what is held there, and `asked` names what a text asks for that asks for what the statement before it left.
    """

    judge: Callable[[str], Judgement]
    wanted_values: Callable[[str], int]
    comes_again: Callable[[str], bool]
    fingerprint: Callable[[str], str]
    ends_block: Callable[[str], bool]
    commits_before: Callable[[str], bool]
    state_after: Callable[[str, bool], tuple[bool, bool]]
    touch_of: Callable[[str], Touch]
    mentions: Callable[[str, Held], bool]
    asked: str
