"""Which statements are not to be sent again, and why.

A replay must do to the database what the recorded sessions did, and nothing to the server, its other databases or the
world outside. So administration, files of the server's host, what names another database and calls that leave it are
left out: when in doubt, too. DDL is sent, and told.
SET NAMES is sent, whatever the character set: the servers' logs have each text in the bytes that its client sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from otterflow.dbms.mysql_family.statements.parts import for_of, parts_of
from otterflow.dbms.mysql_family.statements.places import names_another
from otterflow.dbms.mysql_family.statements.tokens import content_of, name_of, tokens
from otterflow.dbms.mysql_family.statements.transactions import is_body
from otterflow.dbms.statements.judging import (
    ADMINISTRATION,
    DDL,
    LIMITS,
    OUTSIDE,
    REPLICATION,
    SENT,
    TEMPORARY,
    TWO_PHASE,
    UNKNOWN_TEXT,
    Judgement,
    of_all,
)
from otterflow.dbms.statements.tokens import CONSTANT, OPERATOR, PARAMETER, QUOTED, WORD, Token, parted, word_at

FILES = "reads or writes a file"
PROTOCOL = "a command of the protocol, and no SQL"
OTHER_DATABASE = "goes to another database, and the replay has but one"
UNREADABLE = "a name in another character set than UTF-8, without quotation marks"
NAMES_ANOTHER = "names another database"

_COMMAND = re.compile(r"\s*#\s*administrator command:")
_FIRST_WORDS = {
    "flush": ADMINISTRATION, "kill": ADMINISTRATION, "grant": ADMINISTRATION, "revoke": ADMINISTRATION,
    "optimize": ADMINISTRATION, "check": ADMINISTRATION, "checksum": ADMINISTRATION, "repair": ADMINISTRATION,
    "purge": ADMINISTRATION, "reset": ADMINISTRATION, "shutdown": ADMINISTRATION, "restart": ADMINISTRATION,
    "install": ADMINISTRATION, "uninstall": ADMINISTRATION, "backup": ADMINISTRATION, "cache": ADMINISTRATION,
    "clone": ADMINISTRATION, "binlog": REPLICATION, "change": REPLICATION, "stop": REPLICATION, "xa": TWO_PHASE,
    "use": OTHER_DATABASE, "import": FILES,
}  # fmt: skip
_DDL_VERBS = frozenset({"create", "alter", "drop", "truncate", "rename"})
_ADMINISTERED = frozenset(
    "database schema user role server tablespace logfile undo instance event resource library reference".split()
)
_BEFORE_OBJECT = frozenset("or replace aggregate unique fulltext spatial online offline ignore".split())
_ENGINES = frozenset({"connect", "federated", "federatedx", "spider", "s3"})
_FUNCTIONS = {
    **dict.fromkeys(
        (
            "load_file", "sys_exec", "sys_eval", "sys_get", "sys_set", "http_get", "http_post", "http_put",
            "http_delete", "spider_direct_sql", "spider_bg_direct_sql", "spider_copy_tables",
        ),
        OUTSIDE,
    ),
    **dict.fromkeys(
        (
            "master_pos_wait", "source_pos_wait", "master_gtid_wait", "wait_for_executed_gtid_set",
            "wait_until_sql_thread_after_gtids", "asynchronous_connection_failover_add_source",
            "group_replication_set_as_primary",
        ),
        REPLICATION,
    ),
    **dict.fromkeys(("spider_flush_table_mon_cache", "keyring_key_generate", "set_firewall_mode"), ADMINISTRATION),
}  # fmt: skip
_OF_THE_SERVER = frozenset({"global", "persist", "persist_only"})
_OF_THE_SESSION = frozenset({"session", "local"})
_LIMITS = frozenset(
    {
        "max_statement_time", "max_execution_time", "lock_wait_timeout", "innodb_lock_wait_timeout",
        "idle_transaction_timeout", "idle_readonly_transaction_timeout", "idle_write_transaction_timeout",
    }
)  # fmt: skip
"""`wait_timeout` is none of them: it ends an idle session, and drivers set it in one statement with `sql_mode`."""
_PRIVILEGED = frozenset({"sql_log_bin", "sql_log_off", "gtid_next", "gtid_domain_id", "gtid_seq_no", "server_id"})
_TABLES = frozenset({"table", "tables", "local", "no_write_to_binlog"})


def judge(text: str, database: str) -> Judgement:
    """What is to be done with a statement in a database of that name.

    A text of several statements is sent whole or not at all.
    """
    if _COMMAND.match(text):
        return Judgement(PROTOCOL)
    return of_all(_judged_whole(words, database) for words in statements_of(text))


def _judged_whole(words: list[Token], database: str) -> Judgement:
    """What is to be done with one statement, and with those that it holds."""
    judgement = of_all(_judged(part, database) for part in parts_of(words))
    if judgement.left_out is not None:
        return judgement
    if words[-1].kind == CONSTANT and "\ud800" <= words[-1].text[0] <= "\udfff":
        return Judgement(UNREADABLE)
    return Judgement(NAMES_ANOTHER) if names_another(words, database) else judgement


def statements_of(text: str) -> Iterator[list[Token]]:
    """The statements of a text, each as its tokens, of which there is at least one.

    A stored program is one, with its semicolons.
    """
    whole: list[Token] = []
    for words in parted(tokens(text)):
        if whole or is_body([token.text.lower() for token in words[:12]]):
            whole += [Token(OPERATOR, ";"), *words] if whole else words
        else:
            yield words
    if whole:
        yield whole


def wanted_values(text: str) -> int:
    """How many values the text wants that are sent apart."""
    if "?" not in text:
        return 0
    return sum(token.kind == PARAMETER and token.text == "?" for token in tokens(text))


def comes_again(text: str) -> bool:
    """Whether a change of the schema may be made at any time, and again: none is."""
    return False


def assignments_of(words: list[Token]) -> Iterator[tuple[str, str, list[Token]]]:
    """Of a SET each part: whose variable it is (`session`, `global`, `@` for the user's own), its name, and its value.

    `SET NAMES` and its like have the words for a name.
    """
    part: list[Token] = []
    depth = 0
    for token in [*words[1:], Token(OPERATOR, ",")]:
        depth += (token.text == "(") - (token.text == ")")
        if token.text == "," and not depth:
            if part:
                yield _assignment(part)
            part = []
        else:
            part.append(token)


def _assignment(part: list[Token]) -> tuple[str, str, list[Token]]:
    whose, first = "session", part[0].text.lower()
    if first in _OF_THE_SERVER or first in _OF_THE_SESSION:
        whose, part = (first if first in _OF_THE_SERVER else whose), part[1:]
        first = part[0].text.lower() if part else ""
    if first in {"names", "charset"} or (first, word_at(part, 1)) == ("character", "set"):
        return whose, "names", part[1:] if first != "character" else part[2:]
    if first == "transaction":
        return whose, "transaction", part[1:]
    at = next((place for place, token in enumerate(part) if token.text in {"=", ":="}), 0)
    if not at:  # SET ROLE someone
        return whose, name_of(part[0]) if part else "", part[2:]
    return _variable(whose, "".join(token.text for token in part[:at]).replace("`", "").lower(), part[at + 1 :])


def _variable(whose: str, spelt: str, value: list[Token]) -> tuple[str, str, list[Token]]:
    """A variable by its name with all that is before it: `@@global.x`, blanks and backticks left away."""
    if spelt.startswith("@@"):
        parts = spelt[2:].split(".")
        return parts[0] if parts[0] in _OF_THE_SERVER else "session", parts[-1], value
    return "@" if spelt.startswith("@") else whose, spelt, value


def _judged(words: list[Token], database: str) -> Judgement:
    """What is to be done with one statement, whatever is in it apart."""
    reason = _why_not(words)
    if reason is None and word_at(words, 0) in {"prepare", "execute"}:
        return _judged_by_string(words, database)
    return Judgement(reason) if reason else Judgement(None, _to_tell(words))


def _why_not(words: list[Token]) -> str | None:
    first, second = word_at(words, 0), word_at(words, 1)
    if first in _FIRST_WORDS:
        return _FIRST_WORDS[first]
    if first in {"lock", "unlock"} and second == "instance":
        return ADMINISTRATION
    if first == "analyze" and second in _TABLES:
        return ADMINISTRATION
    if first == "load":
        return ADMINISTRATION if second == "index" else FILES
    if first == "start" and second != "transaction":
        return REPLICATION
    if first == "rename" and second == "user":
        return ADMINISTRATION
    if first in _DDL_VERBS:
        return _why_not_changed(words) or _why_not_called(words)
    if first == "set":
        return _why_not_set(words)
    return _why_not_called(words)


def _why_not_changed(words: list[Token]) -> str | None:
    """The reason for a statement that changes what there is: the server itself, or a table that is elsewhere."""
    if _object(words) in _ADMINISTERED:
        return ADMINISTRATION
    low = [token.text.lower() for token in words]
    if "soname" in low[:16]:
        return ADMINISTRATION
    for place, word in enumerate(low):
        if word == "engine":
            named = words[place + 1 + (low[place + 1 : place + 2] == ["="]) :][:1]
            if named and (content_of(named[0]).lower() or name_of(named[0])) in _ENGINES:
                return OUTSIDE
    return None


def _why_not_set(words: list[Token]) -> str | None:
    if word_at(words, 1) in {"password", "default", "resource"}:
        return ADMINISTRATION
    if word_at(words, 1) == "statement":
        # What it sets ends with it, limits too.
        is_privileged = any(name in _PRIVILEGED for _, name, _ in assignments_of(words[1 : for_of(words)]))
        return ADMINISTRATION if is_privileged else _why_not_called(words)
    for whose, name, _ in assignments_of(words):
        if whose in _OF_THE_SERVER or name in _PRIVILEGED:
            return ADMINISTRATION
        if whose == "@":
            continue
        if name in _LIMITS:
            return LIMITS
    return _why_not_called(words)


def _judged_by_string(words: list[Token], database: str) -> Judgement:
    """Judges `PREPARE s FROM '...'` and `EXECUTE IMMEDIATE '...'` by the text, which has to be in one string."""
    prepares = word_at(words, 0) == "prepare"
    if not prepares and word_at(words, 1) != "immediate":
        return SENT
    at = 3 if prepares else 2
    within = content_of(words[at]) if len(words) > at else ""
    is_whole = len(words) == at + 1 or (not prepares and word_at(words, at + 1) == "using")
    return judge(within, database) if within and is_whole else Judgement(UNKNOWN_TEXT)


def _why_not_called(words: list[Token]) -> str | None:
    """The reason for a file that is written, or a function that is called, wherever in the statement."""
    for place, token in enumerate(words[:-1]):
        if token.kind not in {WORD, QUOTED}:
            continue
        following = words[place + 1].text
        if following == "(" and name_of(token) in _FUNCTIONS:
            return _FUNCTIONS[name_of(token)]
        if following.lower() in {"outfile", "dumpfile"} and token.text.lower() == "into":
            return FILES
    return None


def _to_tell(words: list[Token]) -> str | None:
    if word_at(words, 0) not in _DDL_VERBS or word_at(words, 1) == "prepare":
        return None
    return TEMPORARY if "temporary" in {word_at(words, place) for place in range(1, 4)} else DDL


def _object(words: list[Token]) -> str:
    """What CREATE, ALTER, DROP or RENAME is about: DEFINER and its like come before it."""
    place = 1
    while True:
        word = word_at(words, place)
        if word in _BEFORE_OBJECT:
            place += 1
        elif word in {"algorithm", "sql"}:  # ALGORITHM = MERGE, SQL SECURITY INVOKER
            place += 3
        elif word == "definer":
            place = _after_account(words, place + 2)
        else:
            return word


def _after_account(words: list[Token], place: int) -> int:
    """Where an account ends that begins at a place: `root@localhost`, `'root' @ '%'`, `CURRENT_USER()`, a role."""
    after = words[place + 1].text if place + 1 < len(words) else ""
    if after in {"@", "("}:
        return place + 3
    return place + 2 if after.startswith("@") else place + 1
