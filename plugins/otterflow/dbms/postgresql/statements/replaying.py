"""Which statements are not to be sent again, and why.

A replay must do to the database what the recorded sessions did, and nothing to the server or the world outside. So
administration, copying, notification and calls that leave the database are left out. DDL is sent, and told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from otterflow.dbms.postgresql.statements.bodies import bodies_of, executed_in, statements_in
from otterflow.dbms.postgresql.statements.tokens import tokens
from otterflow.dbms.statements.judging import (
    ADMINISTRATION,
    DDL,
    LIMITS,
    OUTSIDE,
    REPLICATION,
    TEMPORARY,
    TWO_PHASE,
    UNKNOWN_TEXT,
    Judgement,
    of_all,
)
from otterflow.dbms.statements.tokens import CONSTANT, PARAMETER, QUOTED, WORD, Token, parted, word_at

COPY = "copy"
NOTIFICATION = "notification"
ENCODING = "sets the client's encoding, and the text is in the database's"
ZERO_BYTE = "a zero byte, which the server does not take"
_PARAMETER = re.compile(r"\$(\d+)")

_FIRST_WORDS = {
    "copy": COPY, "listen": NOTIFICATION, "notify": NOTIFICATION, "unlisten": NOTIFICATION,
    "vacuum": ADMINISTRATION, "analyze": ADMINISTRATION, "analyse": ADMINISTRATION, "cluster": ADMINISTRATION,
    "reindex": ADMINISTRATION, "checkpoint": ADMINISTRATION, "load": ADMINISTRATION, "grant": ADMINISTRATION,
    "revoke": ADMINISTRATION, "reassign": ADMINISTRATION, "security": ADMINISTRATION, "import": OUTSIDE,
    "start_replication": REPLICATION, "identify_system": REPLICATION, "base_backup": REPLICATION,
    "create_replication_slot": REPLICATION, "drop_replication_slot": REPLICATION,
    "read_replication_slot": REPLICATION, "timeline_history": REPLICATION,
}  # fmt: skip
_HOLD_BODIES = frozenset({"do", "create"})
_DDL_VERBS = frozenset({"create", "alter", "drop", "truncate", "comment", "refresh"})
_ADMINISTERED = frozenset(
    {
        "system", "database", "tablespace", "role", "user", "group", "extension", "subscription", "publication",
        "server", "foreign", "language", "access", "event", "owned", "default",
    }
)  # fmt: skip
_BEFORE_OBJECT = frozenset({"or", "replace", "trusted", "procedural", "unique", "global", "local", "unlogged"})
_FUNCTIONS = {
    **dict.fromkeys(
        (
            "pg_terminate_backend", "pg_cancel_backend", "pg_reload_conf", "pg_rotate_logfile", "pg_switch_wal",
            "pg_promote", "pg_wal_replay_pause", "pg_wal_replay_resume", "pg_create_restore_point", "pg_start_backup",
            "pg_stop_backup", "pg_backup_start", "pg_backup_stop", "pg_stat_reset", "pg_stat_reset_shared",
            "pg_stat_reset_single_table_counters", "pg_stat_statements_reset", "pg_log_backend_memory_contexts",
            "pg_export_snapshot", "pg_import_system_collations", "pg_stat_reset_slru",
        ),
        ADMINISTRATION,
    ),
    **dict.fromkeys(
        (
            "pg_read_file", "pg_read_binary_file", "pg_ls_dir", "pg_stat_file", "lo_import", "lo_export",
            "pg_file_write", "pg_file_read", "pg_file_rename", "pg_file_unlink", "http", "http_get", "http_post",
            "http_put", "http_delete", "query_to_xml_and_post",
        ),
        OUTSIDE,
    ),
    "pg_notify": NOTIFICATION,
}  # fmt: skip
_FUNCTION_STARTS = (("dblink", OUTSIDE), ("pg_logical_", REPLICATION), ("pg_replication_", REPLICATION))
_LIMITS = frozenset(
    {
        "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout",
        "transaction_timeout",
    }
)  # fmt: skip


def judge(text: str, database: str) -> Judgement:
    """What is to be done with a statement. A text of several statements is sent whole or not at all.

    Of which name the `database` is makes no difference: the server lets no statement name another.
    """
    return _judged_text(text)


def statements_of(text: str) -> Iterator[list[Token]]:
    """The statements of a text, each as its tokens, of which there is at least one."""
    return parted(tokens(text))


def wanted_values(text: str) -> int:
    """The highest number of a parameter in the text; one in a string or in the body of a function is none."""
    if not _PARAMETER.search(text) or text[:20].lstrip()[:7].lower() == "prepare":
        return 0
    return max((int(token.text[1:]) for token in tokens(text) if token.kind == PARAMETER), default=0)


def comes_again(text: str) -> bool:
    """Whether a change of the schema may be made at any time, and again."""
    return text.lstrip()[:7].lower() == "refresh"


def _judged_text(text: str | None) -> Judgement:
    """What is to be done with all statements of a text; None is one that is put together as it is run."""
    if text is None:
        return Judgement(UNKNOWN_TEXT)
    return Judgement(ZERO_BYTE) if "\0" in text else of_all(map(_judged, statements_of(text)))


def _judged(words: list[Token]) -> Judgement:
    reason = _why_not(words)
    if reason is not None:
        return Judgement(reason)
    own = Judgement(None, _to_tell(words))
    if word_at(words, 0) not in _HOLD_BODIES:
        return own
    return of_all(chain([own], map(_judged_body, bodies_of(words))))


def _judged_body(body: str | None) -> Judgement:
    """What is to be done with a statement that the server runs this body for, now or later."""
    if body is None:
        return Judgement(UNKNOWN_TEXT)
    return of_all(chain(map(_judged, statements_in(body)), map(_judged_text, executed_in(body))))


def _why_not(words: list[Token]) -> str | None:
    first, second = word_at(words, 0), word_at(words, 1)
    if first in _FIRST_WORDS:
        return _FIRST_WORDS[first]
    if (first == "prepare" and second == "transaction") or (first in {"commit", "rollback"} and second == "prepared"):
        return TWO_PHASE
    if first in _DDL_VERBS and _object(words) in _ADMINISTERED:
        return ADMINISTRATION
    if first in {"set", "reset"}:
        return _why_not_set(words)
    return _why_not_called(words)


def _why_not_set(words: list[Token]) -> str | None:
    at = 2 if word_at(words, 1) in {"local", "session"} else 1
    name = words[at].text.strip('"').lower() if at < len(words) else ""
    if name in _LIMITS:
        return LIMITS
    return ENCODING if name in {"client_encoding", "names"} else None


def _why_not_called(words: list[Token]) -> str | None:
    """The reason for a function that is called, wherever in the statement."""
    for place, token in enumerate(words[:-1]):
        if token.kind not in {WORD, QUOTED} or words[place + 1].text != "(":
            continue
        name = token.text.strip('"').lower()
        if name in _FUNCTIONS:
            return _FUNCTIONS[name]
        if name == "set_config" and len(words) > place + 2 and words[place + 2].kind == CONSTANT:
            setting = words[place + 2].text.strip("'").lower()
            if setting in _LIMITS:
                return LIMITS
            if setting == "client_encoding":
                return ENCODING
        for start, reason in _FUNCTION_STARTS:
            if name.startswith(start):
                return reason
    return None


def _to_tell(words: list[Token]) -> str | None:
    if word_at(words, 0) not in _DDL_VERBS:
        return None
    early = {word_at(words, place) for place in range(1, 4)}
    return TEMPORARY if word_at(words, 0) == "create" and early & {"temp", "temporary"} else DDL


def _object(words: list[Token]) -> str:
    """What CREATE, ALTER or DROP is about."""
    place = 1
    while word_at(words, place) in _BEFORE_OBJECT:
        place += 1
    return word_at(words, place)
