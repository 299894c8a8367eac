"""What is not sent again, with its reason; and what is sent and told."""

from __future__ import annotations

import pytest

from otterflow.dbms.postgresql.statements import replaying
from otterflow.dbms.postgresql.statements.replaying import judge
from otterflow.dbms.postgresql.statements.transactions import ends_block, state_after
from otterflow.dbms.statements import judging
from otterflow.dbms.statements.judging import Judgement


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("COPY t FROM STDIN", replaying.COPY),
        ("/* x */ copy (SELECT 1) TO PROGRAM 'mail me'", replaying.COPY),
        ("LISTEN channel", replaying.NOTIFICATION),
        ("SELECT pg_notify('a', 'b')", replaying.NOTIFICATION),
        ("VACUUM (ANALYZE) t", judging.ADMINISTRATION),
        ("ALTER SYSTEM SET work_mem = '1GB'", judging.ADMINISTRATION),
        ("CREATE DATABASE x", judging.ADMINISTRATION),
        ("create user bob password 'x'", judging.ADMINISTRATION),
        ("DROP EXTENSION IF EXISTS x", judging.ADMINISTRATION),
        ("SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_stat_activity", judging.ADMINISTRATION),
        ("SELECT 1; SELECT \"pg_reload_conf\"()", judging.ADMINISTRATION),
        ("SELECT * FROM dblink('host=x', 'SELECT 1') AS t(a int)", judging.OUTSIDE),
        ("SELECT pg_read_file('/etc/passwd')", judging.OUTSIDE),
        ("SELECT * FROM pg_logical_slot_get_changes('s', NULL, NULL)", judging.REPLICATION),
        ("PREPARE TRANSACTION 'x'", judging.TWO_PHASE),
        ("COMMIT PREPARED 'x'", judging.TWO_PHASE),
        ("SET statement_timeout = 0", judging.LIMITS),
        ("SET LOCAL lock_timeout TO '1h'", judging.LIMITS),
        ("SELECT set_config('statement_timeout', '0', false)", judging.LIMITS),
        ("SET client_encoding TO 'LATIN1'", replaying.ENCODING),
        ("SET NAMES 'LATIN1'", replaying.ENCODING),
        ('SET SESSION "statement_timeout" = 0', judging.LIMITS),
        ("DO $$ BEGIN PERFORM pg_reload_conf(); END $$", judging.ADMINISTRATION),
        ("DO LANGUAGE plpgsql $x$ BEGIN IF true THEN CREATE ROLE bob; END IF; END $x$", judging.ADMINISTRATION),
        ("DO 'BEGIN SET LOCAL statement_timeout = 0; END'", judging.LIMITS),
        ("DO $$ BEGIN COPY t TO '/tmp/x'; END $$", replaying.COPY),
        ("DO $$ BEGIN EXECUTE 'GRANT ALL ON t TO bob'; END $$", judging.ADMINISTRATION),
        ("DO $$ BEGIN EXECUTE format('DROP %s', 'ROLE bob'); END $$", judging.UNKNOWN_TEXT),
        ("DO $$ BEGIN EXECUTE 'DROP ' || 'ROLE bob'; END $$", judging.UNKNOWN_TEXT),
        ("DO $$ BEGIN DO $x$ BEGIN ANALYZE t; END $x$; END $$", judging.ADMINISTRATION),
        ("DO $$ import os $$ LANGUAGE plpython3u", judging.UNKNOWN_TEXT),
        ("DO E'BEGIN PERFORM pg_reload_conf(); END'", judging.UNKNOWN_TEXT),
        ("CREATE OR REPLACE FUNCTION f() RETURNS bool LANGUAGE sql AS 'SELECT pg_reload_conf()'",
         judging.ADMINISTRATION),
        ("CREATE PROCEDURE p() AS $$ BEGIN SELECT 1; DROP USER bob; END $$ LANGUAGE plpgsql", judging.ADMINISTRATION),
    ],
)  # fmt: skip
def test_left_out(text: str, reason: str) -> None:
    assert judge(text, "shop") == Judgement(left_out=reason)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "SELECT 'COPY t FROM STDIN; pg_terminate_backend(1)'",
        "SELECT listen, vacuum FROM t -- pg_reload_conf()",
        "UPDATE t SET copy = 1",
        "BEGIN; SELECT 1; COMMIT",
        "PREPARE x AS SELECT 1",
        "SET search_path TO a, b",
        "SET work_mem = '64MB'",
        "DECLARE c CURSOR FOR SELECT 1",
        "DISCARD ALL",
        "EXPLAIN ANALYZE SELECT 1",
        "DO $$ DECLARE n int; BEGIN copy := 5; UPDATE t SET a = n; EXECUTE 'SELECT $1' INTO n USING 1; END $$",
        "DO $$ BEGIN FOR r IN EXECUTE 'SELECT 1' LOOP RAISE NOTICE 'vacuum; analyze'; END LOOP; END $$",
        "",
    ],
)
def test_sent(text: str) -> None:
    assert judge(text, "shop") == Judgement()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("CREATE TABLE t (a int)", judging.DDL),
        ("create unique index i on t (a)", judging.DDL),
        ("TRUNCATE t", judging.DDL),
        ("DO $$ BEGIN CREATE TABLE t (a int); END $$", judging.DDL),
        ("DO $$ BEGIN CREATE TRIGGER x AFTER INSERT ON t EXECUTE FUNCTION f(); END $$", judging.DDL),
        ("CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT $1 + 1'", judging.DDL),
        ("CREATE TEMP TABLE t AS SELECT 1", judging.TEMPORARY),
        ("CREATE LOCAL TEMPORARY TABLE t (a int)", judging.TEMPORARY),
    ],
)
def test_sent_and_told(text: str, told: str) -> None:
    assert judge(text, "shop") == Judgement(None, told)


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("BEGIN", False, (True, False)),
        ("start transaction isolation level serializable", False, (True, False)),
        ("SELECT 1", True, (True, False)),
        ("COMMIT", True, (False, True)),
        ("/* a */ End", True, (False, True)),
        ("ROLLBACK", True, (False, True)),
        ("ROLLBACK TO SAVEPOINT s", True, (True, False)),
        ("ROLLBACK WORK TO s", True, (True, False)),
        ("COMMIT AND CHAIN", True, (True, True)),
        ("COMMIT AND NO CHAIN", True, (False, True)),
        ("BEGIN; SELECT 1", False, (True, False)),
        ("BEGIN; SELECT 1; COMMIT", False, (False, True)),
        ("SELECT 'BEGIN'", False, (False, False)),
        ("SELECT start FROM begin", False, (False, False)),
    ],
)
def test_transaction_blocks(text: str, before: bool, after: tuple[bool, bool]) -> None:
    assert state_after(text, before) == after


def test_what_a_failed_block_still_takes() -> None:
    assert ends_block("rollback to savepoint s")
    assert ends_block("COMMIT")
    assert not ends_block("SELECT 1")
    assert not ends_block("")
