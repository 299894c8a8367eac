"""The class of a statement in MariaDB's and MySQL's spelling. A plain name is the same with and without backticks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from otterflow.dbms.mysql_family.statements.tokens import tokens
from otterflow.dbms.statements import classes
from otterflow.dbms.statements.tokens import CONSTANT, OPERATOR, QUOTED, WORD, Token

_PLAIN = re.compile(r"`[^\W\d][\w$]*`")
_BEFORE_NULL = frozenset({"is", "not"})
_BEFORE_VALUES = classes.BEFORE_VALUES | frozenset("div mod xor rlike regexp interval".split())


def normalised(text: str) -> str:
    """The text without comments and values: `SELECT * FROM t WHERE a IN (1, 2)` is `select * from t where a in (?)`."""
    return classes.shape_of(_plain(text), _BEFORE_VALUES)


def fingerprint(text: str) -> str:
    """Sixteen characters that are the same for all statements with the same normalised text."""
    return classes.print_of(normalised(text))


class Classes(classes.Classes):
    """The classes of statements in MariaDB's and MySQL's spelling."""

    def _shape(self, text: str) -> str:
        return normalised(text)


def _plain(text: str) -> Iterator[Token]:
    """The tokens as the servers' own digests have them: plain names bare, one spelling of `<>`, and NULL as a value."""
    before = ""
    for token in tokens(text):
        word = token.text.lower()
        if token.kind == QUOTED and _PLAIN.fullmatch(token.text) is not None:
            yield Token(WORD, token.text[1:-1])
        elif word == "null" and before not in _BEFORE_NULL:
            yield Token(CONSTANT, word)
        else:
            yield Token(OPERATOR, "<>") if word == "!=" else token
        before = word
