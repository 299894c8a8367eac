"""PostgreSQL's readings of a statement's text, side by side."""

from __future__ import annotations

from otterflow.dbms.postgresql.statements.classes import Classes, fingerprint
from otterflow.dbms.postgresql.statements.replaying import comes_again, judge, wanted_values
from otterflow.dbms.postgresql.statements.session_state import ASKED, mentions, touch_of
from otterflow.dbms.postgresql.statements.transactions import commits_before, ends_block, state_after
from otterflow.dbms.statements.dialect import Dialect

DIALECT = Dialect(
    judge, wanted_values, comes_again, fingerprint, ends_block, commits_before, state_after, touch_of, mentions, ASKED,
    values_apart=True, classes=Classes,
)  # fmt: skip
