"""Judges each statement of a recording: whether it is to be sent, and what is to be told of it."""

from __future__ import annotations

import re

from otterflow.dbms.postgresql.statements.replaying import VALUES, Judgement, judge
from otterflow.dbms.postgresql.statements.tokens import PARAMETER, tokens
from otterflow.dbms.statement import Statement

ZERO_BYTE = "a zero byte, which no server takes"
_PARAMETER = re.compile(r"\$(\d+)")
_CACHED = 10_000
_CACHED_LENGTH = 64 * 1024


class Sieve:
    """Judges statements, and knows what it thought of the texts that came before."""

    def __init__(self) -> None:
        self._judged: dict[str, tuple[Judgement, int]] = {}

    def judge(self, statement: Statement) -> Judgement:
        """Why the statement is left out, or what is to be told of it."""
        text = statement.text
        judgement, wanted = self._judged.get(text) or self._thought(text)
        if judgement.left_out is not None:
            return judgement
        if wanted > len(statement.parameters or ()):
            return Judgement(VALUES)
        if "\0" in text:
            return Judgement(ZERO_BYTE)
        return judgement

    def _thought(self, text: str) -> tuple[Judgement, int]:
        """What is thought of a text, and how many parameters it wants: both take a walk over all of it."""
        thought = judge(text), _wants(text)
        if len(self._judged) < _CACHED and len(text) < _CACHED_LENGTH:
            self._judged[text] = thought
        return thought


def _wants(text: str) -> int:
    """The highest number of a parameter in the text; one in a string or in the body of a function is none."""
    if not _PARAMETER.search(text) or text[:20].lstrip()[:7].lower() == "prepare":
        return 0
    return max((int(token.text[1:]) for token in tokens(text) if token.kind == PARAMETER), default=0)
