"""The class of a statement: statements that differ in their constants only are of one class.

The server's own name for it is taken where the log has one. For the rest the class is a fingerprint of the normalised
text: comments dropped, each constant and parameter a `?`, lists of them collapsed, in lower case. No normalised text
holds a value of the user's.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Collection, Iterable

from otterflow.dbms.statements.tokens import CONSTANT, PARAMETER, WORD, Token

CACHED_TEXTS = 4_096
CACHED_LENGTH = 4_096
"""Longer texts are not kept: they hold their values themselves and seldom come twice."""

_ANY = "?"
_NO_SPACE_AFTER = {"(", "[", ".", "::"}
_NO_SPACE_BEFORE = {")", "]", ",", ".", "::", "["}
_ENDS_A_VALUE = {")", "]", _ANY}
_OF_NAMES = '"`_'
BEFORE_VALUES = frozenset(
    "select where and or not in between then else when case limit offset values set returning by on like is".split()
)
"""Words after which a sign belongs to a value, and an opening bracket is no call's."""
_SPACED = frozenset("from join into exists any all as using table over filter with".split())


def print_of(shape: str) -> str:
    """Sixteen characters that are the same for all statements with the same normalised text."""
    return hashlib.sha256(shape.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def shape_of(found: Iterable[Token], before_values: Collection[str] = BEFORE_VALUES) -> str:
    """The tokens without their values: of `SELECT * FROM t WHERE a IN (1, 2)`, `select * from t where a in (?)`."""
    return _spelt(_collapsed(_without_values(found, before_values)), before_values)


class Classes(ABC):
    """Gives each statement the name of its class, and knows each class's normalised text.

    A statement without a name of the server's whose like came with one before is of that class. `texts` has at most
    `most` entries; the classes that come later are counted, not shown.
    """

    def __init__(self, most: int = 10_000) -> None:
        self.texts: dict[str, str] = {}
        self._most = most
        self._names: dict[str, str] = {}
        self._cache: OrderedDict[str, tuple[str, str]] = OrderedDict()

    def of(self, text: str, query_id: str | None = None) -> str:
        """The name of the statement's class."""
        shape, print_ = self._known(text)
        if query_id:
            name = query_id
            if len(self._names) < self._most:
                self._names.setdefault(print_, query_id)
        else:
            name = self._names.get(print_, print_)
        if name not in self.texts and len(self.texts) < self._most:
            self.texts[name] = shape
        return name

    @abstractmethod
    def _shape(self, text: str) -> str:
        """The normalised text."""

    def _known(self, text: str) -> tuple[str, str]:
        known = self._cache.get(text)
        if known is not None:
            self._cache.move_to_end(text)
            return known
        shape = self._shape(text)
        known = shape, print_of(shape)
        if len(text) <= CACHED_LENGTH:
            self._cache[text] = known
            if len(self._cache) > CACHED_TEXTS:
                self._cache.popitem(last=False)
        return known


def _without_values(found: Iterable[Token], before_values: Collection[str]) -> list[str]:
    """Each token's normal spelling; a value, with its sign, is `?`. Semicolons at the end are dropped."""
    out: list[str] = []
    for token in found:
        if token.kind in {CONSTANT, PARAMETER}:
            if out and out[-1] in {"+", "-"} and _is_sign(out, before_values):
                out.pop()
            # Two strings side by side are one, and the name of a type before one belongs to it.
            if not (out and out[-1] == _ANY):
                out.append(_ANY)
        elif token.kind == WORD:
            out.append(token.text.lower())
        else:
            out.append(token.text)
    while out and out[-1] == ";":
        out.pop()
    return out


def _is_sign(out: list[str], before_values: Collection[str]) -> bool:
    """Whether the last token is a sign, which follows no value and no name, and not an operator between two."""
    if len(out) == 1:
        return True
    before = out[-2]
    return before in before_values or not (before in _ENDS_A_VALUE or before[0] in _OF_NAMES or before[0].isalpha())


def _collapsed(words: list[str]) -> list[str]:
    """Lists of values as one value: `? , ?` in brackets, and rows of such lists after VALUES."""
    out: list[str] = []
    for word in words:
        out.append(word)
        if word == _ANY and out[-3:] == [_ANY, ",", _ANY]:
            del out[-2:]
        elif word == ")" and out[-7:] == ["(", _ANY, ")", ",", "(", _ANY, ")"]:
            del out[-4:]
    return out


def _spelt(words: list[str], before_values: Collection[str]) -> str:
    parts: list[str] = []
    before = ""
    for word in words:
        call = (
            word == "("
            and before
            and (before[-1].isalnum() or before[-1] in _OF_NAMES)
            and before not in before_values
            and before not in _SPACED
        )
        if parts and before not in _NO_SPACE_AFTER and word not in _NO_SPACE_BEFORE and not call and word != ";":
            parts.append(" ")
        parts.append(word)
        before = word
    return "".join(parts)
