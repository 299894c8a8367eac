"""The statements within a statement: what a stored program or a compound statement does, and what follows SET ... FOR.

Such a part is found by the word before it, without understanding the rest, so some that are given are none.
"""

from __future__ import annotations

from collections.abc import Iterator

from otterflow.dbms.mysql_family.statements.transactions import is_body
from otterflow.dbms.statements.tokens import CONSTANT, PARAMETER, Token, word_at

_BEFORE_STATEMENT = frozenset("; begin atomic then else do loop repeat".split())
_CONDITIONS = frozenset("not found sqlexception sqlwarning sqlstate value ,".split())
_OF_A_PROCEDURE = frozenset(
    "comment language sql not deterministic contains no reads modifies data security definer invoker as is".split()
)


def parts_of(words: list[Token]) -> Iterator[list[Token]]:
    """The statement itself and each that it holds, however deep."""
    if is_body([token.text.lower() for token in words[:12]]):
        yield words
        for part in _inner(words):
            yield from _with_its_own(part)
    else:
        yield from _with_its_own(words)


def for_of(words: list[Token]) -> int:
    """The place of the FOR of a SET STATEMENT; the number of tokens where it has none."""
    depth = 0
    for place, token in enumerate(words):
        depth += (token.text == "(") - (token.text == ")")
        if not depth and word_at(words, place) == "for":
            return place
    return len(words)


def _with_its_own(words: list[Token]) -> Iterator[list[Token]]:
    yield words
    if (word_at(words, 0), word_at(words, 1)) == ("set", "statement"):
        within = words[for_of(words) + 1 :]
        if within:
            yield from parts_of(within)


def _inner(words: list[Token]) -> Iterator[list[Token]]:
    low = [token.text.lower().lstrip(":" if token.kind == PARAMETER else "") for token in words]
    ends = len(words)
    parts = []
    for place in range(len(words) - 1, 0, -1):
        if low[place] == ";":
            ends = place
        elif low[place - 1] in _BEFORE_STATEMENT or (low[place - 1] == "row" and low[place - 2] == "each"):
            parts += _begun(words[place:ends])
    if low[0] == "create" and "procedure" in low[:12]:
        parts.append(_only_statement(words, low))
    yield from (part for part in reversed(parts) if part)


def _begun(part: list[Token]) -> list[list[Token]]:
    """A part from where its statement begins: without a label, and without what a handler or a trigger waits for."""
    if len(part) > 2 and part[1].text == ":":
        part = part[2:]
    if word_at(part, 0) in {"follows", "precedes"}:
        return [part[2:]]
    if word_at(part, 0) == "declare" and word_at(part, 2) == "handler":
        place = 4
        while place < len(part) and (part[place].text.lower() in _CONDITIONS or part[place].kind == CONSTANT):
            place += 1
        return [part[place:], part[place + 1 :]]  # a condition may have a name of its own
    return [part]


def _only_statement(words: list[Token], low: list[str]) -> list[Token]:
    """What follows the parameters of a procedure, and what is said of it."""
    depth = 0
    for place, word in enumerate(low):
        depth += (word == "(") - (word == ")")
        if word == ")" and not depth and "procedure" in low[:place]:
            place += 1
            while place < len(words) and (low[place] in _OF_A_PROCEDURE or words[place].kind == CONSTANT):
                place += 1
            return words[place:]
    return []
