"""What a statement leaves in its session, and what it needs there, beside the data.

Whoever sends a session's transactions over another connection has to know: temporary tables, settings, cursors WITH
HOLD, statements prepared by SQL and session-level advisory locks outlive the transaction that made them.
"""

from __future__ import annotations

import re

from otterflow.dbms.postgresql.statements.replaying import statements_of
from otterflow.dbms.statements.tokens import CONSTANT, QUOTED, WORD, Token
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

CURSOR = "cursor WITH HOLD"
ASKED = "the last value of a sequence"
"""What a text asks for that `asks_sequence`."""

_MAY_MATTER = re.compile(
    r"\b(?:temp|temporary|drop|discard|hold|close|prepare|deallocate|execute|set|reset|set_config"
    r"|pg_(?:try_)?advisory_(?:un)?lock\w*|currval|lastval|snapshot)\b",
    re.IGNORECASE,
)
_LOCKS = re.compile(r"pg_(?:try_)?advisory_lock(?:_shared)?$")
_UNLOCKS = re.compile(r"pg_advisory_unlock(?:_shared|_all)?$")
_TEMP = frozenset({"temp", "temporary"})
_OF_THE_TRANSACTION = frozenset({"local", "transaction", "constraints"})


def touch_of(text: str) -> Touch:
    """What the text does to its session."""
    if not _MAY_MATTER.search(text, 0, LOOKED_AT):
        return NOTHING
    return joined(_touch_of(words) for words in statements_of(text[:LOOKED_AT]))


def mentions(text: str, held: Held) -> bool:
    """Whether the text may use what is held."""
    kind, name = held
    if kind == ADVISORY:
        return "advisory" in text.lower()
    return has_name(text, name)


def _touch_of(words: list[Token]) -> Touch:
    low = [token.text.lower() if token.kind == WORD else token.text for token in words]
    first = low[0]
    if first in {"set", "reset"}:
        return _set(words, low)
    if (first == "create" and _TEMP & set(low[1:5])) or (first in {"select", "with"} and _into_temp(low)):
        return _temporary(words, low)
    if first == "drop":
        names = frozenset((TEMPORARY, _name(token)) for token in words[2:] if token.kind in {WORD, QUOTED})
        return Touch(gives_up=names)
    if first == "discard":
        return _discard(low)
    if first == "declare" and "hold" in low and low[low.index("hold") - 1] == "with":
        return Touch(makes=frozenset({(CURSOR, _name(words[1]))}))
    if first == "close":
        return Touch(gives_up=frozenset({(CURSOR, ALL if low[1:2] == ["all"] else _name(words[-1]))}))
    if first == "prepare" and low[1:2] != ["transaction"] and len(words) > 1:
        return Touch(makes=frozenset({(PREPARED, _name(words[1]))}))
    if first == "deallocate":
        return Touch(gives_up=frozenset({(PREPARED, ALL if low[-1] == "all" else _name(words[-1]))}))
    if first == "execute" and len(words) > 1:
        return Touch(executes=frozenset({_name(words[1])}))
    return _called(words, low)


def _set(words: list[Token], low: list[str]) -> Touch:
    if low[0] == "reset":
        return Touch(settings=(Setting(ALL if low[1:2] == ["all"] else _setting(low, 1), None),))
    if low[1:2] and low[1] in _OF_THE_TRANSACTION:
        return Touch(takes_snapshot="snapshot" in low)
    at = 2 if low[1:2] == ["session"] and low[2:3] not in (["authorization"], ["characteristics"]) else 1
    return Touch(settings=(Setting(_setting(low, at), " ".join(token.text for token in words)),))


def _setting(low: list[str], at: int) -> str:
    """The name of a setting, which may be of several words or parts."""
    name = low[at : at + 1]
    for word in low[at + 1 :]:
        if word in {"=", "to"} or not (word == "." or name[-1] == "." or name[0] in {"time", "session"}):
            break
        name.append(word)
    return "".join(name[:2]) if name[:1] in (["time"], ["session"]) else "".join(name)


def _temporary(words: list[Token], low: list[str]) -> Touch:
    at = next(place for place, word in enumerate(low) if word in _TEMP) + 1
    while low[at : at + 1] and low[at] in {"table", "view", "sequence", "recursive", "if", "not", "exists"}:
        at += 1
    if low[at + 1 : at + 2] == ["."]:
        at += 2
    made = frozenset((TEMPORARY, _name(token)) for token in words[at : at + 1])
    if any(low[place : place + 3] == ["on", "commit", "drop"] for place in range(len(low))):
        return Touch(passing=made)
    return Touch(makes=made)


def _into_temp(low: list[str]) -> bool:
    return any(
        word == "into" and low[place + 1 : place + 2] and low[place + 1] in _TEMP for place, word in enumerate(low)
    )


def _discard(low: list[str]) -> Touch:
    what = low[1] if len(low) > 1 else ""
    if what == "all":
        kinds = (TEMPORARY, CURSOR, PREPARED, ADVISORY)
        return Touch(gives_up=frozenset((kind, ALL) for kind in kinds), settings=(Setting(ALL, None),))
    return Touch(gives_up=frozenset({(TEMPORARY, ALL)})) if what in _TEMP else NOTHING


def _called(words: list[Token], low: list[str]) -> Touch:
    touch = NOTHING
    for place, token in enumerate(words[:-1]):
        if token.kind not in {WORD, QUOTED} or low[place + 1] != "(":
            continue
        name = _name(token)
        if _LOCKS.match(name):
            touch = touch._replace(makes=touch.makes | {(ADVISORY, "")})
        elif _UNLOCKS.match(name):
            touch = touch._replace(gives_up=touch.gives_up | {(ADVISORY, ALL)})
        elif name == "set_config" and words[place + 2 : place + 3] and words[place + 2].kind == CONSTANT:
            if _third(low, place) == "false":
                setting = Setting(words[place + 2].text.strip("'").lower(), " ".join(each.text for each in words))
                touch = touch._replace(settings=(*touch.settings, setting))
        elif name in {"currval", "lastval"}:
            touch = touch._replace(asks_sequence=True)
    return touch


def _third(low: list[str], place: int) -> str:
    """The third argument of a call, where the arguments are of one token each or of a call without commas."""
    commas = [at for at in range(place, len(low)) if low[at] == ","]
    return low[commas[1] + 1] if len(commas) > 1 and commas[1] + 1 < len(low) else ""


def _name(token: Token) -> str:
    return token.text.strip('"').lower()
