"""What a scanner gives: the tokens of a text, each with its kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

CONSTANT, WORD, QUOTED, OPERATOR, PARAMETER = "constant", "word", "quoted", "operator", "parameter"


class Token(NamedTuple):
    """A token's kind and its spelling; of a constant the spelling may reach to the end of the text.

    `is_apart` is whether something lies between it and the token before it, where the scanner says so.
    """

    kind: str
    text: str
    is_apart: bool = False


def parted(found: Iterable[Token]) -> Iterator[list[Token]]:
    """The statements of a text, each as its tokens, of which there is at least one."""
    words: list[Token] = []
    for token in found:
        if token.text == ";":
            if words:
                yield words
            words = []
        else:
            words.append(token)
    if words:
        yield words


def spelt(words: Iterable[Token]) -> str:
    """Tokens in a row as they were written, a blank for whatever lay between two."""
    return "".join(" " * token.is_apart + token.text for token in words).lstrip()


def word_at(words: Sequence[Token], place: int) -> str:
    """The word at a place, in lower case; nothing where there is none, or something else."""
    return words[place].text.lower() if place < len(words) and words[place].kind == WORD else ""
