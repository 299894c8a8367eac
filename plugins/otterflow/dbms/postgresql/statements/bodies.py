"""The texts within a statement's strings that the server runs: what DO does, functions and procedures that are made.

A body is read as PL/pgSQL, as which one in SQL can be read too. Its statements are found by the word before each, so
some that are given are none. None stands for a text that cannot be known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from otterflow.dbms.postgresql.statements.tokens import tokens
from otterflow.dbms.statements.tokens import CONSTANT, WORD, Token, word_at

_BEFORE_STATEMENT = frozenset("; begin then else loop".split())
_AFTER_VARIABLE = frozenset(": = . [".split())
_READ = frozenset({"plpgsql", "sql"})
_OF_A_TRIGGER = frozenset({"function", "procedure"})
_ENDS_TEXT = frozenset("; using into loop".split())


def bodies_of(words: Sequence[Token]) -> Iterator[str | None]:
    """The bodies that a DO, a CREATE FUNCTION or a CREATE PROCEDURE holds; of other languages only DO is unknown."""
    first = word_at(words, 0)
    if first != "do" and not (first == "create" and {word_at(words, 1), word_at(words, 3)} & _OF_A_TRIGGER):
        return
    language = next((_name(words[at + 1]) for at in range(len(words) - 1) if word_at(words, at) == "language"), "")
    if language and language not in _READ:
        if first == "do":
            yield None
        return
    for place, token in enumerate(words):
        before = word_at(words, place - 1)
        if token.kind == CONSTANT and (before == "as" or (first == "do" and before != "language")):
            yield content_of(token)


def statements_in(body: str) -> Iterator[list[Token]]:
    """The statements of a body."""
    words = list(tokens(body))
    low = [token.text.lower() if token.kind == WORD else token.text for token in words]
    start_of_next = len(words)
    for place in range(len(words) - 1, -1, -1):
        if low[place] == ";":
            start_of_next = place
        elif (not place or low[place - 1] in _BEFORE_STATEMENT) and "".join(
            low[place + 1 : place + 2]
        ) not in _AFTER_VARIABLE:
            yield words[place:start_of_next]


def executed_in(body: str) -> Iterator[str | None]:
    """The texts that a body EXECUTEs."""
    words = list(tokens(body))
    for place in range(len(words)):
        if word_at(words, place) != "execute" or word_at(words, place + 1) in _OF_A_TRIGGER:
            continue
        is_whole = len(words) <= place + 2 or words[place + 2].text.lower() in _ENDS_TEXT
        yield content_of(words[place + 1]) if len(words) > place + 1 and is_whole else None


def content_of(token: Token) -> str | None:
    """What a string stands for; None where that is not sure."""
    text = token.text
    if token.kind == CONSTANT and text.startswith("$"):
        mark = text[: text.index("$", 1) + 1]
        return text[len(mark) : -len(mark)] if len(text) >= 2 * len(mark) and text.endswith(mark) else None
    if token.kind == CONSTANT and len(text) > 1 and text[0] == text[-1] == "'" and "\\" not in text:
        return text[1:-1].replace("''", "'")
    return None


def _name(token: Token) -> str:
    return token.text.strip("\"'").lower()
