"""What is not sent again, with its reason; and what is sent and told."""

from __future__ import annotations

import pytest

from otterflow.dbms.mysql_family.statements import replaying
from otterflow.dbms.mysql_family.statements.replaying import judge, statements_of, wanted_values
from otterflow.dbms.mysql_family.statements.transactions import (
    autocommit_after,
    commits_before,
    ends_block,
    state_after,
)
from otterflow.dbms.statements import judging
from otterflow.dbms.statements.judging import Judgement


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("# administrator command: Quit", replaying.PROTOCOL),
        ("LOAD DATA LOCAL INFILE 'x' INTO TABLE t", replaying.FILES),
        ("/* x */ select * from t into outfile '/tmp/x'", replaying.FILES),
        ("SELECT a INTO DUMPFILE '/tmp/x' FROM t", replaying.FILES),
        ("FLUSH TABLES WITH READ LOCK", judging.ADMINISTRATION),
        ("kill query 5", judging.ADMINISTRATION),
        ("SET GLOBAL max_connections = 5", judging.ADMINISTRATION),
        ("SET PERSIST max_connections = 5", judging.ADMINISTRATION),
        ("SET @@global.max_connections = 5", judging.ADMINISTRATION),
        ("SET a = 1, GLOBAL b = 2", judging.ADMINISTRATION),
        ("SET PASSWORD FOR bob = 'x'", judging.ADMINISTRATION),
        ("SET sql_log_bin = 0", judging.ADMINISTRATION),
        ("GRANT ALL ON *.* TO bob", judging.ADMINISTRATION),
        ("create user bob identified by 'x'", judging.ADMINISTRATION),
        ("CREATE DATABASE IF NOT EXISTS x", judging.ADMINISTRATION),
        ("DROP SCHEMA x", judging.ADMINISTRATION),
        ("CREATE OR REPLACE ROLE x", judging.ADMINISTRATION),
        ("CREATE DEFINER = root@localhost EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1", judging.ADMINISTRATION),
        ("CREATE FUNCTION f RETURNS STRING SONAME 'x.so'", judging.ADMINISTRATION),
        ("ANALYZE TABLE t", judging.ADMINISTRATION),
        ("OPTIMIZE LOCAL TABLE t", judging.ADMINISTRATION),
        ("LOCK INSTANCE FOR BACKUP", judging.ADMINISTRATION),
        ("BACKUP STAGE START", judging.ADMINISTRATION),
        ("/*!50003 FLUSH LOGS */", judging.ADMINISTRATION),
        ("SELECT 1; SHUTDOWN", judging.ADMINISTRATION),
        ("CHANGE MASTER TO MASTER_HOST = 'x'", judging.REPLICATION),
        ("START SLAVE", judging.REPLICATION),
        ("STOP ALL REPLICAS", judging.REPLICATION),
        ("SELECT MASTER_POS_WAIT('x', 5)", judging.REPLICATION),
        ("XA START 'x'", judging.TWO_PHASE),
        ("USE other", replaying.OTHER_DATABASE),
        ("SELECT LOAD_FILE('/etc/passwd')", judging.OUTSIDE),
        ("SELECT `sys_exec`('mail')", judging.OUTSIDE),
        ("CREATE TABLE x (a int) ENGINE=CONNECT table_type=mysql", judging.OUTSIDE),
        ("ALTER TABLE x ENGINE = 'FEDERATED'", judging.OUTSIDE),
        ("SET SESSION max_statement_time = 0", judging.LIMITS),
        ("SET @@innodb_lock_wait_timeout = 500, sql_mode = ''", judging.LIMITS),
        ("SET LOCAL lock_wait_timeout := 5", judging.LIMITS),
        ("PREPARE s FROM 'FLUSH LOGS'", judging.ADMINISTRATION),
        ("EXECUTE IMMEDIATE 'SELECT load_file(''x'')'", judging.OUTSIDE),
        ("EXECUTE IMMEDIATE 'FLUSH LOGS' USING 1", judging.ADMINISTRATION),
        ("EXECUTE IMMEDIATE 'SHUT' 'DOWN'", judging.UNKNOWN_TEXT),
        ("EXECUTE IMMEDIATE CONCAT('SHUT', 'DOWN')", judging.UNKNOWN_TEXT),
        ("EXECUTE IMMEDIATE 'SHUT' || 'DOWN'", judging.UNKNOWN_TEXT),
        ("EXECUTE IMMEDIATE @x", judging.UNKNOWN_TEXT),
        ("PREPARE s FROM @x", judging.UNKNOWN_TEXT),
        ("PREPARE `s` FROM 'SELECT 1' 'x'", judging.UNKNOWN_TEXT),
        ("SET STATEMENT max_statement_time=1 FOR KILL 5", judging.ADMINISTRATION),
        ("SET STATEMENT a=(SELECT 1 FROM t FOR UPDATE), b=1 FOR SET GLOBAL c = 1", judging.ADMINISTRATION),
        ("SET STATEMENT max_statement_time=1 FOR BEGIN NOT ATOMIC SHUTDOWN; END", judging.ADMINISTRATION),
        ("SET STATEMENT sql_log_bin = 0 FOR DELETE FROM t", judging.ADMINISTRATION),
        ("BEGIN NOT ATOMIC SHUTDOWN; END", judging.ADMINISTRATION),
        ("BEGIN NOT ATOMIC SELECT 1; SET SESSION max_statement_time = 0; END", judging.LIMITS),
        ("BEGIN NOT ATOMIC SET STATEMENT a=1 FOR KILL 5; END", judging.ADMINISTRATION),
        ("BEGIN NOT ATOMIC PREPARE s FROM @x; END", judging.UNKNOWN_TEXT),
        ("BEGIN NOT ATOMIC DECLARE EXIT HANDLER FOR SQLEXCEPTION, NOT FOUND, 1062, SQLSTATE VALUE '23000' SHUTDOWN; "
         "SELECT 1; END", judging.ADMINISTRATION),
        ("BEGIN NOT ATOMIC DECLARE EXIT HANDLER FOR absent KILL 3; SELECT 1; END", judging.ADMINISTRATION),
        ("BEGIN FLUSH LOGS; END", judging.ADMINISTRATION),
        ("IF 1 THEN KILL 3; END IF", judging.ADMINISTRATION),
        ("IF 0 THEN SELECT 1; ELSEIF 1 THEN SELECT 2; ELSE KILL 3; END IF", judging.ADMINISTRATION),
        ("CASE 1 WHEN 1 THEN FLUSH LOGS; END CASE", judging.ADMINISTRATION),
        ("WHILE 1 DO IF 1 THEN SHUTDOWN; END IF; END WHILE", judging.ADMINISTRATION),
        ("x: LOOP KILL 3; END LOOP", judging.ADMINISTRATION),
        ("REPEAT KILL 3; UNTIL 1 END REPEAT", judging.ADMINISTRATION),
        ("FOR i IN 1..3 DO KILL 3; END FOR", judging.ADMINISTRATION),
        ("BEGIN NOT ATOMIC x: BEGIN y :LOOP FLUSH LOGS; END LOOP; END; END", judging.ADMINISTRATION),
        ("CREATE PROCEDURE p() BEGIN SELECT 1; FLUSH LOGS; END", judging.ADMINISTRATION),
        ("CREATE PROCEDURE p(a INT) COMMENT 'x' NOT DETERMINISTIC SQL SECURITY DEFINER FLUSH LOGS",
         judging.ADMINISTRATION),
        ("CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW FOLLOWS y SET GLOBAL a = 1", judging.ADMINISTRATION),
        ("SELECT gr\udcf6sse FROM other.t", replaying.UNREADABLE),
        ("SELECT a€; SHUTDOWN", judging.ADMINISTRATION),
        ("SET @@GLOBAL . max_connections=1", judging.ADMINISTRATION),
        ("SET @@global.`max_connections`=1", judging.ADMINISTRATION),
        ("SET @@global.hot.key_buffer_size=1", judging.ADMINISTRATION),
        ("SET @@PERSIST.max_connections := 1", judging.ADMINISTRATION),
        ("SET PERSIST_ONLY max_connections = 1", judging.ADMINISTRATION),
        ("SET @@`sql_log_bin`=0", judging.ADMINISTRATION),
        ("SET @@session . max_statement_time=0", judging.LIMITS),
        ("CREATE OR REPLACE DEFINER=root@localhost USER e", judging.ADMINISTRATION),
        ("CREATE OR REPLACE DEFINER = 'a'@'b' EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1", judging.ADMINISTRATION),
        ("CREATE DEFINER=CURRENT_USER() EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1", judging.ADMINISTRATION),
    ],
)  # fmt: skip
def test_left_out(text: str, reason: str) -> None:
    assert judge(text, "shop") == Judgement(left_out=reason)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "SELECT 'FLUSH TABLES; load_file(1)'",
        "SELECT flush, `load_file` FROM t -- SHUTDOWN",
        "BEGIN; SELECT 1; COMMIT",
        "START TRANSACTION READ ONLY",
        "ANALYZE FORMAT=JSON SELECT 1",
        "EXPLAIN SELECT 1",
        "SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci",
        "SET NAMES latin1",
        "set character set 'cp1251'",
        "SET @@character_set_client = sjis",
        "SET character_set_results = NULL",
        "SET @@SESSION.sql_auto_is_null = 0, @@SESSION.wait_timeout = 2147483, @@SESSION.sql_mode = 'TRADITIONAL'",
        "SET STATEMENT max_statement_time = 5 FOR SELECT 1",
        "BEGIN NOT ATOMIC SET @kill = 1; UPDATE t SET a = CASE WHEN b THEN 1 ELSE 2 END; END",
        "IF (SELECT 1) THEN SELECT 2; END IF",
        "SELECT CASE WHEN a THEN flush ELSE kill END FROM t",
        "EXECUTE IMMEDIATE 'SELECT ?' USING @a",
        "SET @`global` . x = 1",
        "SELECT 'gr\udcf6sse', `gr\udcf6sse` FROM t",
        "SET @max_statement_time = 5",
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
        "SELECT GET_LOCK('a', 5)",
        "LOCK TABLES t WRITE",
        "HANDLER t OPEN",
        "PREPARE s FROM 'SELECT ?'",
        "EXECUTE s USING @a",
        "DROP PREPARE s",
        "CALL p(1)",
        "SHOW TABLES",
        "",
    ],
)
def test_sent(text: str) -> None:
    assert judge(text, "shop") == Judgement()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("CREATE TABLE t (a int) ENGINE=InnoDB", judging.DDL),
        ("CREATE PROCEDURE p() BEGIN SELECT 1; COMMIT; END", judging.DDL),
        ("CREATE DEFINER = event@localhost SQL SECURITY INVOKER VIEW v AS SELECT 1", judging.DDL),
        ("CREATE FUNCTION f() RETURNS INT RETURN IF(1, 2, 3)", judging.DDL),
        ("SET STATEMENT max_statement_time = 5 FOR DROP TABLE t", judging.DDL),
        ("BEGIN NOT ATOMIC DROP TABLE t; END", judging.DDL),
        ("EXECUTE IMMEDIATE 'DROP TABLE t'", judging.DDL),
        ("TRUNCATE t", judging.DDL),
        ("RENAME TABLE a TO b", judging.DDL),
        ("CREATE TEMPORARY TABLE t AS SELECT 1", judging.TEMPORARY),
        ("DROP TEMPORARY TABLE IF EXISTS t", judging.TEMPORARY),
    ],
)
def test_sent_and_told(text: str, told: str) -> None:
    assert judge(text, "shop") == Judgement(None, told)


def test_a_stored_program_is_one_statement() -> None:
    body = "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW BEGIN SET NEW.a = 1; SET NEW.b = 2; END"
    assert len(list(statements_of(body))) == 1
    assert len(list(statements_of("CREATE TABLE event (a int); SELECT 1"))) == 2
    assert len(list(statements_of("BEGIN NOT ATOMIC SELECT 1; SELECT 2; END"))) == 1


def test_values_that_are_sent_apart() -> None:
    assert wanted_values("SELECT ?, '?', `?` -- ?\n, ?") == 2
    assert wanted_values("SELECT 1") == 0


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("BEGIN", False, (True, False)),
        ("BEGIN WORK", True, (True, True)),
        ("start transaction with consistent snapshot", False, (True, False)),
        ("BEGIN NOT ATOMIC SELECT 1; COMMIT; END", False, (False, False)),
        ("SELECT 1", True, (True, False)),
        ("COMMIT", True, (False, True)),
        ("COMMIT", False, (False, False)),
        ("/*! ROLLBACK */", True, (False, True)),
        ("ROLLBACK TO SAVEPOINT s", True, (True, False)),
        ("COMMIT AND CHAIN", True, (True, True)),
        ("COMMIT AND NO CHAIN RELEASE", True, (False, True)),
        ("SET autocommit = 0", False, (True, False)),
        ("SET @@session.autocommit=OFF, sql_mode=''", False, (True, False)),
        ("SET autocommit = 1", True, (False, True)),
        ("SET GLOBAL autocommit = 0", False, (False, False)),
        ("CREATE TABLE x (a int)", True, (False, True)),
        ("CREATE TEMPORARY TABLE x (a int)", True, (True, False)),
        ("DROP TEMPORARY TABLE x", True, (True, False)),
        ("TRUNCATE x", True, (False, True)),
        ("LOCK TABLES t WRITE", True, (False, True)),
        ("DROP PREPARE s", True, (True, False)),
        ("ANALYZE SELECT 1", True, (True, False)),
        ("XA START 'x'", False, (True, False)),
        ("XA COMMIT 'x'", True, (False, True)),
        ("BEGIN; SELECT 1; COMMIT", False, (False, True)),
        ("SELECT 'BEGIN'", False, (False, False)),
        ("CREATE PROCEDURE p() BEGIN START TRANSACTION; COMMIT; END", False, (False, False)),
        ("INSERT INTO t (start) VALUES ('commit')", True, (True, False)),
    ],
)  # fmt: skip
def test_transactions(text: str, before: bool, after: tuple[bool, bool]) -> None:
    assert state_after(text, before) == after


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [("SET autocommit=0", True, False), ("set @@autocommit := on", False, True), ("SELECT @@autocommit", False, False)],
)
def test_autocommit(text: str, before: bool, after: bool) -> None:
    assert autocommit_after(text, before) is after


def test_what_ends_a_transaction() -> None:
    assert ends_block("COMMIT")
    assert ends_block("/* x */ rollback work")
    assert not ends_block("ROLLBACK TO SAVEPOINT s")
    assert not ends_block("SELECT 1")
    assert not ends_block("")


def test_what_commits_before_it_does_anything() -> None:
    assert commits_before("BEGIN")
    assert commits_before("ALTER TABLE t ADD b int")
    assert commits_before("SET autocommit = 1")
    assert not commits_before("COMMIT")
    assert not commits_before("SELECT 1")
    assert not commits_before("CREATE TEMPORARY TABLE t (a int)")
