"""Splits the text of a statement into tokens, as the servers' scanner does, without understanding them.

Nothing is refused: of a text that is cut or wrong, the rest is a constant. So whatever is not surely a keyword, a name
or an operator never shows up as one, and what is printed of a statement holds no value of the user's. What stands in
`/*! ... */` and `/*M! ... */` is code, whatever version it is for. `"..."` is taken for a string, and a backslash for
an escape, as with every `sql_mode` but ANSI_QUOTES and NO_BACKSLASH_ESCAPES.

Sources: https://dev.mysql.com/doc/refman/8.4/en/language-structure.html and
https://mariadb.com/kb/en/comment-syntax/
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from otterflow.dbms.statements.tokens import CONSTANT, Token

_STRING, _SKIPPED, _COMMENT, _CODE = "string", "skipped", "comment", "code"
_TOKEN = re.compile(
    r"(?P<skipped>(?:[ \t-\r]+|#[^\n]*|--(?=[\s\x00-\x1f]|$)[^\n]*)+)"
    r"|(?P<code>/\*M?!(?:\d{5,6})?)"
    r"|(?P<comment>/\*)"
    r"|(?P<string>(?:_[A-Za-z0-9]+\s*)?(?:[nNxXbB](?='))?(?P<mark>['\"]))"
    r"|(?P<quoted>@?`[^`]*(?:``[^`]*)*`)"
    r"|(?P<constant>(?:_[A-Za-z0-9]+\s+)?0[xXbB][0-9a-fA-F]+\b|\.?\d[\w.]*(?:(?<=[eE])[+-]\d\w*)?)"
    r"|(?P<word>@@?[\w$.\x80-\ud7ff\ue000-\uffff]+|(?:[^\W\d]|[\x80-\ud7ff\ue000-\uffff])[\w$\x80-\ud7ff\ue000-\uffff]*|\$[\w$]+)"
    r"|(?P<parameter>\?|(?<![\w:]):[^\W\d]\w*)"
    r"|(?P<operator>:=|<=>|->>|->|<=|>=|<>|!=|<<|>>|\|\||&&|[()\[\]{},;:.+\-*/%<>=!~^&|@])"
)
"""How a token begins, or what lies between two, by what it is; the first that fits. A name needs no quotation marks for
any character from U+0080 to U+FFFF; of bytes that are no UTF-8 it is not known what they are."""
_ENDS_STRING = {mark: re.compile(rf"\\.|{mark}{mark}|{mark}", re.DOTALL) for mark in "'\""}


def tokens(text: str) -> Iterator[Token]:
    """The tokens of a text in their order, without white space and comments. Each says whether it stands apart."""
    position, end, in_code, after_token = 0, len(text), False, 0
    while position < end:
        if in_code and text.startswith("*/", position):
            position, in_code = position + 2, False
            continue
        found = _TOKEN.match(text, position)
        kind = None if found is None else found.lastgroup
        if found is None:
            # An open quotation mark, or a character that no SQL has outside of one.
            yield Token(CONSTANT, text[position:], position > after_token)
            return
        if kind == _SKIPPED:
            position = found.end()
        elif kind == _CODE:
            position, in_code = found.end(), True
        elif kind == _COMMENT:
            closing = text.find("*/", found.end())
            position = end if closing < 0 else closing + 2
        else:
            kind, spelling = _token(text, found)
            yield Token(kind, spelling, position > after_token)
            position = after_token = position + len(spelling)


def _token(text: str, found: re.Match[str]) -> tuple[str, str]:
    """A token's kind and spelling."""
    if found.lastgroup == _STRING:
        return CONSTANT, text[found.start() : _after_string(text, found.end(), found["mark"])]
    return str(found.lastgroup), found[0]


def _after_string(text: str, at: int, mark: str) -> int:
    """Where a string ends whose first quotation mark ends at `at`."""
    for found in _ENDS_STRING[mark].finditer(text, at):
        if found[0] == mark:
            return found.end()
    return len(text)


def name_of(token: Token) -> str:
    """A name without its quotation marks, in lower case."""
    return token.text.strip("`").replace("``", "`").lower()


def content_of(token: Token) -> str:
    """What a string stands for; nothing for another constant, and for a string that does not end."""
    text = token.text
    if len(text) < 2 or text[0] not in "'\"" or text[-1] != text[0]:
        return ""
    return re.sub(rf"\\(.)|{text[0]}{text[0]}", lambda found: _meant(found[1], text[0]), text[1:-1], flags=re.DOTALL)


def _meant(escaped: str | None, mark: str) -> str:
    return mark if escaped is None else _ESCAPES.get(escaped, escaped)


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "Z": "\x1a"}
