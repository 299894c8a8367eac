"""What the tables of the products say differently, and which of MySQL's rows are no statements to send again.

MySQL (9.7) has a row for each command of the protocol, its text the command's name, which as a statement would be an
error of syntax, and such have no row; that of a Field List is empty. It hides what a statement prepares
(`PREPARE s FROM ...`) and passwords (`<secret>`); what is executed has its text with the values in it. Its texts are
the bytes that the client sent.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from otterflow.dbms.mysql_family.statements.replaying import statements_of
from otterflow.dbms.statements.tokens import word_at

BY_EXECUTE = "PREPARE and DEALLOCATE by SQL: what is executed is told with its values"
HIDDEN = "has a password, which the log hides"


class Table(NamedTuple):
    """How a product's table is to be read."""

    spans_mislead: bool
    """Whether the row of a CALL has the start of the last statement within."""
    as_sent: bool
    """Whether a text is in its client's character set; else it is in UTF-8, with `?` for what is none."""
    has_commands: bool
    """Whether it has rows of the protocol's commands, each choice of a database too, and hides what is prepared."""
    is_global: bool
    """Whether the log's switch is for all sessions: one from before the window is logged by its own idea of slow."""


TABLES = {
    "mariadb": Table(spans_mislead=True, as_sent=False, has_commands=False, is_global=False),
    "mysql": Table(spans_mislead=False, as_sent=True, has_commands=True, is_global=True),
}
"""By the name of the DBMS."""

RESETS = frozenset({"Reset Connection", "Change user"})
"""The session is as new after these: no transaction, nothing set."""
COMMANDS = RESETS | frozenset(
    {
        "", "Quit", "Init DB", "Field List", "Create DB", "Drop DB", "Refresh", "Shutdown", "Statistics", "Processlist",
        "Connect", "Kill", "Debug", "Ping", "Prepare", "Execute", "Long Data", "Close stmt", "Reset stmt", "Set option",
        "Fetch", "Query", "Query Attributes", "Sleep", "Time", "Binlog Dump", "Binlog Dump GTID", "Register Slave",
        "Register Replica",
    }
)  # fmt: skip
NO_QUESTIONS = frozenset({"Ping", "Statistics", "Prepare", "Close stmt", "Reset stmt"})
"""The counter Questions has none of these commands, and each of the others."""
_SECRET = re.compile(r"\s*(?:create|alter|set|grant|change|start)\b.*<secret>", re.IGNORECASE | re.DOTALL)


def not_told(text: str) -> str | None:
    """Why a statement of MySQL's cannot be sent again as it stands in the table."""
    if "<secret>" in text and _SECRET.match(text):
        return HIDDEN
    if len(text) > 1_000 or "prepare" not in text.lower():
        return None
    for words in statements_of(text):
        first = word_at(words, 0)
        if first == "prepare" or (first in {"deallocate", "drop"} and word_at(words, 1) == "prepare"):
            return BY_EXECUTE
    return None
