"""Which lines of a server's log may be told where users' statements are in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from otterflow.dbms.mariadb.service import SERVICE as MARIADB
from otterflow.dbms.postgresql import service as postgresql
from otterflow.dbms.start_report import crashed, lines_told, reported, told_without
from tests.dbms.conftest import SERVICES, target_of

TIME = "2026-12-01 02:00:00.123 UTC [4711] "
OF_POSTGRESQL = [
    f"{TIME}LOG:  server process (PID 4712) was terminated by signal 9: Killed",
    f"{TIME}LOG:  terminating any other active server processes",
    f"{TIME}FATAL:  could not map anonymous shared memory: Cannot allocate memory",
    f"{TIME}app@shop PANIC:  could not write to file",
    f'{TIME}LOG:  invalid value for parameter "work_mem": "much"',
]
OF_CLIENTS = [
    f"{TIME}DETAIL:  Failed process was running: SELECT 'secret'",
    f"{TIME}app@shop STATEMENT:  SELECT 'secret'",
    f"{TIME}app@shop STATEMENT:  SELECT ' FATAL:  secret'",
    f"{TIME}app@shop LOG:  duration: 1.2 ms  statement: SELECT 'secret'",
    f"{TIME}app@shop LOG:  secret",
    f"{TIME}app@shop LOG:  could not charge card secret",
    f"{TIME}app@shop LOG:  received secret",
    f'{TIME}app@shop ERROR:  invalid input syntax for type integer: "secret"',
    f"{TIME}DETAIL:  Key (email)=(secret) already exists.",
    "\tFATAL:  secret, in the second line of a statement",
    f"{TIME}ANWEISUNG:  SELECT 'secret'",
    '2026-12-01 02:00:00 UTC,"app","shop",1,,,1,"SELECT",,,0,LOG,00000,"duration: 1 ms  statement: SELECT \'secret\'"',
    '{"error_severity":"LOG","message":"duration: 1 ms  statement: SELECT \'secret\'"}',
]
OF_MARIADB = [
    "2026-12-01  2:00:00 0 [ERROR] InnoDB: Cannot allocate memory for the buffer pool",
    "261201  2:00:00 [ERROR] mysqld got signal 11 ;",
    "2026-12-01T02:00:00.123456Z 0 [System] [MY-010931] [Server] ready for connections.",
]
OF_ITS_CLIENTS = [
    "Query (0x7f): SELECT 'secret'",
    "2026-12-01  2:00:00 9 [Warning] Unsafe statement written to the binary log. Statement: SELECT 'secret'",
    "SELECT 'secret' FOR UPDATE",
    "INSERT INTO app_log VALUES (7, '[ERROR] card secret refused')",
    "2026-12-01 02:00:00 [ERROR] secret, as an application's own line in a statement",
]


@pytest.mark.parametrize("line", OF_POSTGRESQL)
def test_what_postgresql_says_itself_is_told(line: str) -> None:
    assert postgresql.is_of_the_server(line)


@pytest.mark.parametrize("line", OF_CLIENTS)
def test_what_its_clients_sent_is_not(line: str) -> None:
    assert not postgresql.is_of_the_server(line)


@pytest.mark.parametrize("line", OF_MARIADB)
def test_what_mariadb_and_mysql_say_themselves_is_told(line: str) -> None:
    assert MARIADB.is_of_the_server(line)


@pytest.mark.parametrize("line", OF_ITS_CLIENTS)
def test_what_their_clients_sent_is_not(line: str) -> None:
    assert not MARIADB.is_of_the_server(line)


def test_others_are_counted() -> None:
    told = lines_told("\n".join([*OF_POSTGRESQL, *OF_CLIENTS]), postgresql.is_of_the_server)
    assert told[:-1] == OF_POSTGRESQL
    assert told[-1].startswith(f"({len(OF_CLIENTS)} lines ")
    assert lines_told("\n".join(OF_POSTGRESQL), postgresql.is_of_the_server) == OF_POSTGRESQL


def test_of_a_failed_start_the_commands_words_and_the_facts_stay() -> None:
    script = reported(target_of(service=SERVICES["pg_ctl"]), "false", "print_facts() { echo facts; }")
    begins, ends = "the server's log since then:", "(end of the server's log)"
    assert all(word.replace("'", "'\"'\"'") in script for word in (begins, ends))
    report = "\n".join(["pg_ctl: could not start server", begins, *OF_CLIENTS, *OF_POSTGRESQL, ends, "facts", ""])
    told = told_without(report, postgresql.is_of_the_server)
    assert "secret" not in told
    assert told.startswith("pg_ctl: could not start server\n")
    assert told.endswith(f"{ends}\nfacts\n")
    assert OF_POSTGRESQL[0] in told


@pytest.mark.parametrize(
    ("log", "is_complaint", "said"),
    [
        ([*OF_POSTGRESQL, *OF_CLIENTS], postgresql.is_complaint, OF_POSTGRESQL[3]),
        ([*OF_MARIADB, *OF_ITS_CLIENTS], MARIADB.is_complaint, OF_MARIADB[1]),
        (OF_CLIENTS, postgresql.is_complaint, ""),
    ],
    ids=["postgresql", "mariadb", "none"],
)
def test_who_may_not_read_logs_is_told_the_last_complaint(
    log: list[str], is_complaint: Callable[[str], bool], said: str
) -> None:
    fault = crashed("it died", "\n".join(log), is_complaint)
    assert fault.said == (f"it died; its log: {said}" if said else "it died")
    assert str(fault) == "\n".join(["it died", *log])
