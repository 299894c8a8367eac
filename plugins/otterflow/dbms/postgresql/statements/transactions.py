"""Which statements begin and end a transaction block, so that a session's statements can be told apart into them."""

from __future__ import annotations

import re
from itertools import islice

from otterflow.dbms.postgresql.statements.tokens import tokens
from otterflow.dbms.statements.tokens import WORD
from otterflow.dbms.statements.touching import LOOKED_AT

_MAY_MATTER = re.compile(r"\b(?:begin|start|commit|end|rollback|abort|prepare)\b", re.IGNORECASE)
_ENDS = frozenset({"commit", "end", "rollback", "abort"})


def state_after(text: str, in_block: bool) -> tuple[bool, bool]:
    """Whether the session is in a transaction block after the text, and whether a block ended within it."""
    if not _MAY_MATTER.search(text, 0, LOOKED_AT):
        return in_block, False
    ended = False
    for words in _first_words(text[:LOOKED_AT]):
        if words[:1] == ["begin"] or words[:2] == ["start", "transaction"]:
            in_block = True
        elif _ends_block(words):
            ended, in_block = ended or in_block, _chains(words)
    return in_block, ended


def ends_block(text: str) -> bool:
    """Whether the text ends a failed transaction block, or takes it back to a savepoint."""
    first = next(iter(tokens(text)), None)
    return first is not None and first.kind == WORD and first.text.lower() in _ENDS


def _ends_block(words: list[str]) -> bool:
    if words[:2] == ["prepare", "transaction"]:
        return True
    return bool(words) and words[0] in _ENDS and "to" not in words and "prepared" not in words


def _chains(words: list[str]) -> bool:
    return "chain" in words and "no" not in words


def _first_words(text: str) -> list[list[str]]:
    """Of each statement of a text the first six words."""
    found: list[list[str]] = [[]]
    for token in islice(tokens(text), 20_000):
        if token.text == ";":
            found.append([])
        elif len(found[-1]) < 6:
            found[-1].append(token.text.lower() if token.kind == WORD else "")
    return found


def commits_before(text: str) -> bool:
    """Whether the text commits what is open before it does anything, without saying so: none does."""
    return False
