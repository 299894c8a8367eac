"""Judges each statement of a recording: whether it is to be sent, and what is to be told of it."""

from __future__ import annotations

from otterflow.dbms.statement import Statement
from otterflow.dbms.statements.dialect import Dialect
from otterflow.dbms.statements.judging import APART, VALUES, Judgement

_CACHED = 10_000
_CACHED_LENGTH = 64 * 1024


class Sieve:
    """Judges statements for a database, and knows what it thought of the texts that came before."""

    def __init__(self, dialect: Dialect, database: str) -> None:
        self._dialect, self._database = dialect, database
        self._judged: dict[str, tuple[Judgement, int]] = {}

    def judge(self, statement: Statement) -> Judgement:
        """Why the statement is left out, or what is to be told of it."""
        if not self._dialect.values_apart and (statement.parameters is not None or statement.prepared):
            return Judgement(APART)
        text = statement.text
        judgement, wanted = self._judged.get(text) or self._thought(text)
        if judgement.left_out is not None:
            return judgement
        if wanted > len(statement.parameters or ()):
            return Judgement(VALUES)
        return judgement

    def _thought(self, text: str) -> tuple[Judgement, int]:
        """What is thought of a text, and how many parameters it wants: both take a walk over all of it."""
        thought = self._dialect.judge(text, self._database), self._dialect.wanted_values(text)
        if len(self._judged) < _CACHED and len(text) < _CACHED_LENGTH:
            self._judged[text] = thought
        return thought
