"""The character set that a session's texts are in: MariaDB's table has all in UTF-8, whatever the client sent.

So a session that said `SET NAMES latin1` is replayed in UTF-8: behind its own setting, in the same statement, its
client's character set is set to that. Those of its connection and of its results stay what it asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from otterflow.dbms.mysql_family.statements.replaying import assignments_of, statements_of
from otterflow.dbms.statements.tokens import Token, word_at

CLIENT = "character_set_client"
_MAY_MATTER = re.compile(rf"\b(?:names|charset|character\s+set|{CLIENT})\b", re.IGNORECASE)
_UTF8 = frozenset({"utf8", "utf8mb3", "utf8mb4"})


def in_utf8(text: str) -> str:
    """The text, and where it sets another character set of the client's, UTF-8 behind it."""
    return text if set(charsets_of(text)) <= _UTF8 else f"{text}\n, {CLIENT} = utf8mb4"


def charsets_of(text: str) -> Iterator[str]:
    """The character sets that a SET has the client's be."""
    if len(text) > 1_000 or not _MAY_MATTER.search(text):
        return
    for words in statements_of(text):
        if word_at(words, 0) != "set" or word_at(words, 1) == "statement":
            return
        for whose, name, value in assignments_of(words):
            if whose == "session" and name in {"names", CLIENT}:
                yield _first(value)


def _first(value: list[Token]) -> str:
    return value[0].text.strip("'\"`").lower() if value else ""
