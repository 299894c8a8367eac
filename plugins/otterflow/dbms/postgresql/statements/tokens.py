"""Splits the text of a statement into tokens, as PostgreSQL's scanner does, without understanding them.

Nothing is refused: of a text that is cut or wrong, the rest is a constant. So whatever is not surely a keyword, a name
or an operator never shows up as one, and what is printed of a statement holds no value of the user's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from otterflow.dbms.statements.tokens import CONSTANT, OPERATOR, Token

_COMMENT = re.compile(r"/\*|\*/")
_MARKS = re.compile(r"'+")
_STRING, _DOLLAR, _SKIPPED, _NESTED = "string", "dollar", "skipped", "nested"
_TOKEN = re.compile(
    r"(?P<skipped>(?:\s+|--[^\r\n]*)+)"
    r"|(?P<nested>/\*)"
    r"|(?P<string>(?P<prefix>[eE]|[bBxXnN]|[uU]&)?')"
    r'|(?P<quoted>(?:[uU]&)?"(?:[^"]|"")*")'
    r"|(?P<word>[^\W\d][\w$]*)"
    r"|(?P<parameter>\$\d+)"
    r"|(?P<constant>\.?\d[\w.]*(?:(?<=[eE])[+-]\d\w*)?)"
    r"|(?P<dollar>\$(?:[^\W\d]\w*)?\$)"
)
"""How a token begins, or what lies between two, by what it is; the first that fits. Nothing fits an operator."""
_PUNCTUATION = frozenset("()[],;:.")
_SYMBOLS = frozenset("+-*/<>=~!@#%^&|`?")


def tokens(text: str) -> Iterator[Token]:
    """The tokens of a text in their order, without white space and comments."""
    position, end = 0, len(text)
    while position < end:
        found = _TOKEN.match(text, position)
        if found is not None and found.lastgroup == _SKIPPED:
            position = found.end()
        elif found is not None and found.lastgroup == _NESTED:
            position = _after_comment(text, position)
        else:
            token = _operator(text, position) if found is None else _token(text, found)
            position += len(token.text)
            yield token


def _token(text: str, found: re.Match[str]) -> Token:
    start, kind = found.start(), str(found.lastgroup)
    if kind == _STRING:
        return Token(CONSTANT, text[start : _after_string(text, found.end(), found["prefix"] or "")])
    if kind == _DOLLAR:
        closing = text.find(found[0], found.end())
        return Token(CONSTANT, text[start:] if closing < 0 else text[start : closing + len(found[0])])
    return Token(kind, found[0])


def _operator(text: str, at: int) -> Token:
    first = text[at]
    if first in _PUNCTUATION:
        return Token(OPERATOR, "::" if text.startswith("::", at) else first)
    if first not in _SYMBOLS:
        return Token(CONSTANT, text[at:])  # an open quotation mark, or a character that no SQL has outside of one
    end = at + 1
    while end < len(text) and text[end] in _SYMBOLS and text[end : end + 2] not in {"--", "/*"}:
        end += 1
    # A sign before a number is not part of the operator before it: `a=-1`.
    if end - at > 1 and text[end - 1] in "+-" and not set(text[at : end - 1]) & set("~!@#%^&|`?"):
        end -= 1
    return Token(OPERATOR, text[at:end])


def _after_string(text: str, at: int, prefix: str) -> int:
    """Where a string's constant ends whose first quotation mark ends at `at`."""
    if prefix in {"e", "E"}:
        return _after_escapes(text, at)
    closing = _closing(text, at)
    # With standard_conforming_strings off a backslash hides the mark: all that follows may be the string's.
    if closing < 0 or text.find("\\'", at - 1, closing + 1) >= 0:
        return len(text)
    return closing + 1


def _closing(text: str, at: int) -> int:
    """The place of the quotation mark that ends a string, -1 for none; a doubled one ends nothing."""
    for marks in _MARKS.finditer(text, at):
        if (marks.end() - marks.start()) % 2:
            return marks.end() - 1
    return -1


def _after_escapes(text: str, at: int) -> int:
    """As `_after_string`, for a string in which a backslash hides the character after it."""
    while at < len(text):
        mark = text.find("'", at)
        escape = text.find("\\", at, mark if mark >= 0 else len(text))
        if escape >= 0:
            at = escape + 2
        elif mark < 0:
            return len(text)
        elif text.startswith("''", mark):
            at = mark + 2
        else:
            return mark + 1
    return len(text)


def _after_comment(text: str, at: int) -> int:
    """Where a comment ends, whose like may lie within one another."""
    depth = 0
    for mark in _COMMENT.finditer(text, at):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(text)
