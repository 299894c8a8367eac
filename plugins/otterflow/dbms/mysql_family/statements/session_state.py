"""What a statement leaves in its session, and what it needs there, beside the data.

Whoever sends a session's transactions over another connection has to know: temporary tables, settings, variables,
statements prepared by SQL, locks by GET_LOCK and LOCK TABLES, and tables that HANDLER opened outlive the transaction.
"""

from __future__ import annotations

import re

from otterflow.dbms.mysql_family.statements.replaying import assignments_of, statements_of
from otterflow.dbms.mysql_family.statements.tokens import name_of
from otterflow.dbms.statements.tokens import QUOTED, WORD, Token, spelt, word_at
from otterflow.dbms.statements.touching import (
    ADVISORY,
    ALL,
    LOOKED_AT,
    NOTHING,
    PREPARED,
    TEMPORARY,
    Held,
    Setting,
    Touch,
    has_name,
    joined,
)

LOCKED = "lock by LOCK TABLES"
HANDLER = "table that HANDLER opened"
ASKED = "the key that was generated last, or how many rows there were"
"""What a text asks for that `asks_sequence`."""

_MAY_MATTER = re.compile(
    r"@|\b(?:begin|start|temporary|drop|prepare|deallocate|execute|set|get_lock|release_lock|release_all_locks|last_insert_id"
    r"|found_rows|row_count|lock|unlock|handler|lastval)\b",
    re.IGNORECASE,
)
_ASKS = frozenset({"last_insert_id", "found_rows", "row_count", "lastval"})
_OF_LOCKS = re.compile(r"get_lock|release_lock|release_all_locks|is_free_lock|is_used_lock", re.IGNORECASE)
_VARIABLE = re.compile(r"@(?!@)")
_LEVEL = ["isolation", "level"]
_LOCKED = frozenset({(LOCKED, "")})
_UNLOCKS = {("unlock", "table"), ("unlock", "tables"), ("start", "transaction"), ("begin", ""), ("begin", "work")}


def touch_of(text: str) -> Touch:
    """What the text does to its session."""
    if not _MAY_MATTER.search(text, 0, LOOKED_AT):
        return NOTHING
    return joined(_touch_of(words) for words in statements_of(text[:LOOKED_AT]))


def mentions(text: str, held: Held) -> bool:
    """Whether the text may use what is held."""
    kind, name = held
    if kind == ADVISORY:
        return _OF_LOCKS.search(text) is not None
    if kind == LOCKED:
        return "unlock" in text.lower()
    return has_name(text, name)


def _touch_of(words: list[Token]) -> Touch:
    first, second = word_at(words, 0), word_at(words, 1)
    if first == "set" and second != "statement":
        return _set(words)
    touch = _called(words)
    if first == "create" and "temporary" in {word_at(words, place) for place in range(1, 4)}:
        return touch._replace(makes=touch.makes | _temporary(words))
    if (first == "drop" and second == "prepare") or first == "deallocate":
        return touch._replace(gives_up=frozenset({(PREPARED, name_of(words[-1]))}))
    if first == "drop":
        names = frozenset((TEMPORARY, name_of(token)) for token in words[2:] if token.kind in {WORD, QUOTED})
        return touch._replace(gives_up=names)
    if first == "prepare" and len(words) > 1:
        return touch._replace(makes=frozenset({(PREPARED, name_of(words[1]))}))
    if first == "execute" and second != "immediate" and len(words) > 1:
        return touch._replace(executes=frozenset({name_of(words[1])}))
    if first == "lock" and second in {"table", "tables"}:
        return touch._replace(makes=_LOCKED)
    if (first, second) in _UNLOCKS:
        return touch._replace(gives_up=_LOCKED)
    if first == "handler" and len(words) > 2:
        return _handler(words, touch)
    return touch


def _set(words: list[Token]) -> Touch:
    """What a SET sets, each setting with a statement of its own; a variable that nobody can set again is assigned."""
    return joined(_assigned(words, *each) for each in assignments_of(words))


def _assigned(words: list[Token], whose: str, name: str, value: list[Token]) -> Touch:
    touch = _called(value)
    asks_data = "select" in {token.text.lower() for token in value}
    if whose == "@" and (touch.asks_sequence or touch.makes or asks_data):
        return touch._replace(assigns=touch.assigns | {name})
    return touch._replace(settings=_setting(words, whose, name, value))


def _setting(words: list[Token], whose: str, name: str, value: list[Token]) -> tuple[Setting, ...]:
    # As it was written: NOW() is a function of the server's own, and NOW () is not, without sql_mode IGNORE_SPACE.
    written = spelt(value)
    if name == "names":
        return (Setting(name, f"SET NAMES {written}"),)
    if name == "read":  # READ ONLY and READ WRITE, of the next transaction
        return ()
    if name == "transaction":
        # Without SESSION it is for the next transaction only, which is another statement than this one.
        if [token.text.lower() for token in value[:2]] != _LEVEL:
            return ()
        return (Setting(name, f"SET SESSION TRANSACTION {written}"),)
    if name == "role" or not value:
        return (Setting(name, spelt(words)),)
    if whose != "@" and written.lower() == "default":
        return (Setting(name, None),)
    return (Setting(name, f"SET {name} = {written}"),)


def _temporary(words: list[Token]) -> frozenset[Held]:
    at = next(place for place in range(1, 4) if word_at(words, place) == "temporary") + 1
    while word_at(words, at) in {"table", "sequence", "if", "not", "exists"}:
        at += 1
    if at + 2 < len(words) and words[at + 1].text == ".":
        at += 2
    return frozenset((TEMPORARY, name_of(token)) for token in words[at : at + 1])


def _handler(words: list[Token], touch: Touch) -> Touch:
    at = 3 if words[2].text == "." else 1
    if word_at(words, at + 1) == "open":
        named = words[-1] if len(words) > at + 2 else words[at]
        return touch._replace(makes=frozenset({(HANDLER, name_of(named))}))
    if word_at(words, at + 1) == "close":
        return touch._replace(gives_up=frozenset({(HANDLER, name_of(words[at]))}))
    return touch


def _called(words: list[Token]) -> Touch:
    """The variables, and the functions whose answer is of the session."""
    makes: set[Held] = set()
    gives_up: set[Held] = set()
    reads: set[str] = set()
    assigns: set[str] = set()
    asks = False
    into = False
    for place, token in enumerate(words):
        following = words[place + 1].text if place + 1 < len(words) else ""
        is_variable = token.kind in {WORD, QUOTED} and _VARIABLE.match(token.text) is not None
        if is_variable:
            name = token.text.replace("`", "").lower()
            if following == ":=" or into:
                assigns.add(name)
            elif name not in assigns:
                reads.add(name)
        elif following == "(" and token.kind in {WORD, QUOTED}:
            called = name_of(token)
            asks = asks or called in _ASKS
            if called == "get_lock":
                makes.add((ADVISORY, ""))
            elif called in {"release_lock", "release_all_locks"}:
                gives_up.add((ADVISORY, ALL))
        into = token.text.lower() == "into" or (into and (is_variable or token.text == ","))
    if not (makes or gives_up or reads or assigns or asks):
        return NOTHING
    return Touch(
        makes=frozenset(makes), gives_up=frozenset(gives_up), reads=frozenset(reads), assigns=frozenset(assigns),
        asks_sequence=asks,
    )  # fmt: skip
