"""Quoting for commands that a POSIX shell or bash on the host will read."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

_GLOB = re.compile(r"(\*|\?|\[[^\]/]+\])")


def quote(word: str) -> str:
    """One word, whatever is in it. Raises ValueError for a NUL byte, which no command line can carry."""
    if "\0" in word:
        raise ValueError(f"a word of a shell command holds a NUL byte: {word!r}")
    return shlex.quote(word)


def join(words: Iterable[str]) -> str:
    """A command from its words, each quoted."""
    return " ".join(quote(word) for word in words)


def quote_glob(pattern: str) -> str:
    """A file name pattern whose `*`, `?` and `[...]` stay live for the shell, and all else is quoted."""
    parts = _GLOB.split(pattern)
    return "".join(part if index % 2 else quote(part) for index, part in enumerate(parts) if part)


def has_glob(pattern: str) -> bool:
    """Whether `quote_glob` would leave anything live in it."""
    return _GLOB.search(pattern) is not None
