"""Which statements begin and end a transaction, so that a session's statements can be told apart into them.

Many statements commit what is open without saying so: https://dev.mysql.com/doc/refman/8.4/en/implicit-commit.html and
https://mariadb.com/kb/en/sql-statements-that-cause-an-implicit-commit/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from otterflow.dbms.mysql_family.statements.tokens import tokens
from otterflow.dbms.statements.tokens import Token
from otterflow.dbms.statements.touching import LOOKED_AT

_COMMITS = frozenset(
    "alter create drop rename truncate grant revoke lock analyze check optimize repair cache flush load reset install"
    " uninstall import".split()
)
_MAY_MATTER = re.compile(
    r"\b(?:begin|start|commit|rollback|autocommit|xa|unlock|password|" + "|".join(sorted(_COMMITS)) + r")\b",
    re.IGNORECASE,
)
_ENDS = frozenset({"commit", "rollback"})
_FIRST_WORDS = 8
_AUTOCOMMIT = re.compile(r"(?:@@)?(?:session\.|local\.)?autocommit$")
_BODIES = frozenset({"procedure", "function", "trigger", "event", "package"})
_COMPOUND = frozenset({"if", "case", "loop", "while", "repeat", "for", "declare"})
_BODILESS = frozenset("table view index database schema user role sequence server tablespace".split())


def state_after(text: str, in_block: bool) -> tuple[bool, bool]:
    """Whether the session is in a transaction after the text, and whether one ended within it.

    After `SET autocommit = 0` it is in one, which its next statement begins; that the next one begins where that one
    ends is for the caller to know, by `autocommit_after`.
    """
    if not _MAY_MATTER.search(text, 0, LOOKED_AT):
        return in_block, False
    ended = False
    for words in _beginnings(text[:LOOKED_AT]):
        if begins(words):
            in_block, ended = True, ended or in_block
        elif words[:1] == ["xa"]:
            in_block, ended = _after_xa(words, in_block, ended)
        elif _ends_block(words):
            ended, in_block = ended or in_block, _chains(words)
        else:
            switched = _autocommit(words)
            if switched is False:
                in_block = True
            elif switched or _commits(words):
                in_block, ended = False, ended or in_block
    return in_block, ended


def autocommit_after(text: str, before: bool) -> bool:
    """Whether each statement of the session is a transaction by itself after the text."""
    if "autocommit" not in text[:LOOKED_AT].lower():
        return before
    for words in _beginnings(text[:LOOKED_AT]):
        switched = _autocommit(words)
        before = before if switched is None else switched
    return before


def ends_block(text: str) -> bool:
    """Whether the text ends a transaction by its own words."""
    words = next(_beginnings(text[:200]), [])
    return _ends_block(words)


def commits_before(text: str) -> bool:
    """Whether the text commits what is open before it does anything, without saying so."""
    if not _MAY_MATTER.search(text, 0, LOOKED_AT):
        return False
    words = next(_beginnings(text[:LOOKED_AT]), [])
    return begins(words) or _commits(words) or _autocommit(words) is True


def begins(words: list[str]) -> bool:
    """Whether these are the first words of a statement that begins a transaction, and not of a body of statements."""
    return (words[:1] == ["begin"] and len(words) <= 2 and words[1:] in ([], ["work"])) or (
        words[:2] == ["start", "transaction"]
    )


def _after_xa(words: list[str], in_block: bool, ended: bool) -> tuple[bool, bool]:
    """A distributed transaction, whose parts are left out of a replay."""
    if words[1:2] in (["start"], ["begin"]):
        return True, ended
    if words[1:2] in (["prepare"], ["commit"], ["rollback"]):
        return False, ended or in_block
    return in_block, ended


def _ends_block(words: list[str]) -> bool:
    return bool(words) and words[0] in _ENDS and "to" not in words


def _chains(words: list[str]) -> bool:
    return "chain" in words and "no" not in words


def _commits(words: list[str]) -> bool:
    """Whether a statement commits what is open; temporary tables come and go within a transaction."""
    first, second = (*words[:2], "", "")[:2]
    if first in {"create", "drop", "alter"} and "temporary" in words[:4]:
        return False
    if first in {"drop", "alter"} and second == "prepare":
        return False
    if first == "analyze":
        return second in {"table", "local", "no_write_to_binlog"}
    if first == "load":
        return second == "index"
    if first == "unlock":
        return second in {"table", "tables"}
    return first in _COMMITS or words[:2] == ["set", "password"]


def _autocommit(words: list[str]) -> bool | None:
    """What a SET makes of `autocommit`; None where it says nothing of it."""
    if words[:1] != ["set"]:
        return None
    for place, word in enumerate(words[:-2]):
        if _AUTOCOMMIT.match(word) and words[place + 1] in {"=", ":="} and "global" not in words[:place]:
            return words[place + 2] in {"1", "on", "true", "default"}
    return None


def _beginnings(text: str) -> Iterator[list[str]]:
    """Of each statement of a text the first words, in lower case; what a stored program holds is none of them."""
    words: list[str] = []
    for token in islice(tokens(text), 20_000):
        if token.text == ";":
            if is_body(words):
                break
            yield words
            words = []
        elif len(words) < (40 if words[:1] == ["set"] else _FIRST_WORDS):
            words.append(_low(token))
    yield words


def is_body(words: list[str]) -> bool:
    """Whether these are the first words of a statement that holds others, which semicolons part."""
    if words[1:2] == [":"]:  # a label
        words = words[2:]
    if words[:1] == ["begin"]:  # NOT ATOMIC, or a block by sql_mode ORACLE
        return words[1:2] not in ([], ["work"])
    if words[:1] and words[0] in _COMPOUND:
        return True
    if words[:1] not in (["create"], ["alter"]):
        return False
    return next((word in _BODIES for word in words[1:] if word in _BODIES or word in _BODILESS), False)


def _low(token: Token) -> str:
    """A word, an operator or a number in lower case."""
    return token.text.lower() if len(token.text) < 64 else ""
