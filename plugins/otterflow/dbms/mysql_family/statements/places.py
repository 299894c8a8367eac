"""Which databases a statement names: what stands before a dot where a table's, a view's or a program's name stands.

A dot elsewhere parts an alias from its column (`FROM t a WHERE a.x = 1`) and says nothing of databases, but for a
stored function that is called (`SELECT other.f(1)`). Nothing is parsed: the words that a name follows are known, and
lists of tables, which go on after a comma at the same depth of brackets. What may be a database is taken for one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from otterflow.dbms.mysql_family.statements.tokens import content_of
from otterflow.dbms.statements.tokens import CONSTANT, OPERATOR, QUOTED, WORD, Token

_TO_READ = frozenset({"information_schema", "performance_schema"})
"""Every server has these, with the same in them. Their names are the same in capitals."""
_OPENS_LIST = frozenset("from join straight_join update delete table tables using".split())
_BEFORE_NAME = _OPENS_LIST | frozenset(
    "into truncate references call insert replace view trigger procedure function event sequence package library union"
    " rename describe desc explain handler".split()
)
_MANY_AFTER_DROP = frozenset({"view", "sequence"})
_READS = frozenset("from join straight_join describe desc explain".split())
_PASSED_OVER = frozenset(
    "low_priority high_priority delayed quick ignore history if not exists lateral body oj {".split()
)
_ENDS_LIST = frozenset(
    "where set group order having limit values window duplicate union except intersect returning begin then do".split()
)
_SEQUENCES = frozenset({"nextval", "setval", "lastval"})
_BEFORE_TABLES = frozenset({"lock", "drop", "temporary", "rename"})
_TOGETHER = frozenset({("value", "for"), ("union", "="), ("rename", "as"), ("rename", "=")})
_MADE = frozenset({"create", "temporary", "replace"})


def names_another(words: Sequence[Token], database: str) -> bool:
    """Whether the tokens name a database that is not this one, but to read what every server has. `;` may be one."""
    if not any("." in token.text and token.kind in {OPERATOR, CONSTANT} for token in words):
        return False
    return any(
        name != database and not (is_read and name.lower() in _TO_READ) for name, is_read in _Walk(words).databases()
    )


@dataclass
class _Level:
    """What holds between two brackets: whether a table follows a comma, whether it SELECTs, and whether it changes."""

    lists: bool = False
    selects: bool = False
    writes: bool = False


class _Walk:
    """One walk over a statement's tokens."""

    def __init__(self, words: Sequence[Token]) -> None:
        self._words = words
        self._low = [token.text.lower() if token.kind in {WORD, OPERATOR} else "" for token in words]
        self._begin()

    def _begin(self) -> None:
        self._levels = [_Level()]
        self._stands = self._reads = self._goes_deeper = False
        """Whether a name stands at the next token, is but read there, and may stand behind a bracket."""
        self._awaits_on = self._awaits_like = self._renames = False

    def databases(self) -> Iterator[tuple[str, bool]]:
        """Each database that is named, and whether it is but read."""
        for at, word in enumerate(self._low):
            if word == ";":
                self._begin()
            elif word in {"(", ")"}:
                self._pass_bracket(word, self._at(at - 1))
            elif not (self._stands and word in _PASSED_OVER and self._at(at + 1) != "."):
                name = self._database(at) if self._stands else self._of_function(at)
                is_read = self._stands and self._reads and not self._levels[-1].writes
                self._stands = False
                if name is not None:
                    yield name, is_read
                else:
                    self._heed(at, word)

    def _at(self, place: int) -> str:
        return self._low[place] if 0 <= place < len(self._low) else ""

    def _pass_bracket(self, bracket: str, before: str) -> None:
        level = self._levels[-1]
        if bracket == "(":
            self._stands = (self._stands and self._goes_deeper) or before in _SEQUENCES
            self._levels.append(_Level(lists=self._stands, writes=level.writes and self._stands))
        else:
            self._stands = False
            if len(self._levels) > 1:
                self._levels.pop()

    def _heed(self, at: int, word: str) -> None:
        """What a word says of the names after it; one beside a dot is a name itself."""
        before, level = self._at(at - 1), self._levels[-1]
        if word == ",":
            if level.lists:
                self._expect(reads=True, goes_deeper=True)
        elif "." in {before, self._at(at + 1)}:
            return
        elif word == "select":
            level.lists, level.selects, level.writes = False, True, False
            self._awaits_like = False
        elif word in _ENDS_LIST and not (before == "for" and word in {"order", "group"}):  # USE INDEX FOR ORDER BY
            level.lists = False
        if word in _BEFORE_NAME and self._is_meant(word, before):
            self._open(word, before)
        elif self._continues(at, word, before):
            self._expect(reads=word == "like", goes_deeper=word == "=")

    def _is_meant(self, word: str, before: str) -> bool:
        """Whether a word that a name may follow is that word here."""
        if word == "from":  # EXTRACT(YEAR FROM a.x), IS DISTINCT FROM a.x
            return before != "distinct" and (len(self._levels) == 1 or self._levels[-1].selects)
        if word == "straight_join":  # SELECT STRAIGHT_JOIN a.x
            return self._levels[-1].lists
        if word == "update":  # ON DUPLICATE KEY UPDATE a.x = 1
            return before != "key"
        return word != "tables" or before in _BEFORE_TABLES

    def _open(self, word: str, before: str) -> None:
        level = self._levels[-1]
        level.lists = word in _OPENS_LIST or (word in _MANY_AFTER_DROP and before in _BEFORE_TABLES) or level.lists
        level.writes = level.writes or word in {"update", "delete"}
        self._awaits_on = self._awaits_on or word == "trigger"
        self._awaits_like = self._awaits_like or (word == "table" and before in _MADE)
        self._renames = self._renames or word == "rename"
        is_shown = self._low[0] == "show"
        self._expect(reads=word in _READS or is_shown, goes_deeper=word in _OPENS_LIST or word == "union")

    def _continues(self, at: int, word: str, before: str) -> bool:
        """Whether a name follows a word by what came before it."""
        if word == "index" and self._at(at + 1) not in {"(", "for"}:  # USE INDEX (i)
            self._awaits_on = True
        elif word == "on" and self._awaits_on and len(self._levels) == 1:
            self._awaits_on = False
            return True
        elif word == "like":  # CREATE TABLE a LIKE b, CREATE TABLE a (LIKE b)
            return self._awaits_like and (len(self._levels) == 1 or before == "(")
        return (self._renames and word == "to") or (before, word) in _TOGETHER

    def _expect(self, *, reads: bool, goes_deeper: bool) -> None:
        self._stands, self._reads, self._goes_deeper = True, reads, goes_deeper

    def _database(self, at: int) -> str | None:
        """The database of the name that stands at a token; None where no database is named."""
        token, following = self._words[at], self._words[at + 1 : at + 3]
        if token.kind == CONSTANT and token.text[:1].isdigit() and "." in token.text:
            return token.text.partition(".")[0]
        if not (_is_name(token) or token.text[:1].isdigit()) or not following:
            return None
        if following[0].kind == CONSTANT and following[0].text.startswith("."):
            return _exactly(token)
        is_qualified = following[0].text == "." and len(following) > 1 and _is_name(following[1])
        return _exactly(token) if is_qualified else None

    def _of_function(self, at: int) -> str | None:
        """The database of a stored function that is called, or of a sequence that is asked, at a token."""
        if self._at(at + 1) != "." or self._at(at - 1) == "." or not _is_name(self._words[at]):
            return None
        is_called = self._at(at + 3) == "(" or (self._at(at + 3) == "." and self._at(at + 5) == "(")
        is_asked = self._at(at + 3) == "." and self._at(at + 4) in {"nextval", "currval"}
        return _exactly(self._words[at]) if is_called or is_asked else None


def _is_name(token: Token) -> bool:
    """Whether a token may be a name: a string in `"` is one by the sql_mode ANSI_QUOTES."""
    return (token.kind in {WORD, QUOTED} and not token.text.startswith("@")) or token.text.startswith('"')


def _exactly(token: Token) -> str:
    """A name without its quotation marks."""
    if token.kind == QUOTED:
        return token.text[1:-1].replace("``", "`")
    return content_of(token) if token.kind == CONSTANT and token.text.startswith('"') else token.text
