"""Which statements name a database other than the one that they are sent to."""

from __future__ import annotations

import pytest

from otterflow.dbms.mysql_family.statements.replaying import NAMES_ANOTHER, judge
from otterflow.dbms.statements import judging
from otterflow.dbms.statements.judging import Judgement


@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM other.t",
        "DELETE LOW_PRIORITY QUICK IGNORE FROM other.t",
        "DELETE a, other.t FROM a JOIN other.t",
        "DELETE other.t.* FROM t a",
        "DELETE FROM a USING a JOIN other.t",
        "DELETE HISTORY FROM other.t",
        "SELECT * FROM shop_live.orders",
        "SELECT * FROM SHOP.orders",
        "select * from `other` . `t`",
        "SELECT * FROM\tother /* x */ .t",
        "SELECT * FROM a, other.t",
        "SELECT * FROM a x JOIN b y ON x.a = y.a AND f(x.a, y.b), other.t",
        "SELECT * FROM a USE INDEX FOR ORDER BY (i), other.t",
        "SELECT * FROM (a, other.t)",
        "SELECT * FROM ((a JOIN other.t))",
        "SELECT * FROM {OJ other.t LEFT JOIN b ON 1}",
        "SELECT * FROM (SELECT a.x, a.y FROM t a) q, other.t",
        "SELECT a.x, (SELECT max(b.y) FROM other.b) FROM a",
        "SELECT * FROM a LEFT JOIN other.t ON a.x = t.x",
        "SELECT * FROM a STRAIGHT_JOIN other.t",
        "SELECT * FROM other.1t",
        "SELECT * FROM 2other.t",
        'SELECT * FROM "other"."t"',
        "WITH q AS (SELECT * FROM other.t) SELECT q.x, q.y FROM q",
        "SELECT 1; DELETE FROM other.t",
        "INSERT INTO mysql.user VALUES (1)",
        "INSERT other.t (a, b) VALUES (1, 2)",
        "INSERT IGNORE INTO other.t SELECT * FROM t",
        "REPLACE DELAYED other.t VALUES (1)",
        "INSERT INTO t SELECT * FROM other.t",
        "UPDATE LOW_PRIORITY other.t SET a = 1",
        "UPDATE t a, other.t b SET a.x = b.x",
        "TRUNCATE other.t",
        "TRUNCATE TABLE other.t",
        "DROP TABLE IF EXISTS other.t",
        "DROP TABLE t, other.t",
        "DROP TEMPORARY TABLE other.t",
        "CREATE TABLE IF NOT EXISTS other.t (a INT)",
        "CREATE TABLE t LIKE other.t",
        "CREATE TABLE t (LIKE other.t)",
        "CREATE TABLE t (a INT, FOREIGN KEY (a) REFERENCES other.u (a))",
        "CREATE TABLE t (a INT) ENGINE=MERGE UNION=(u, other.v)",
        "ALTER TABLE other.t ADD b INT",
        "ALTER TABLE t RENAME TO other.t",
        "ALTER TABLE t RENAME other.t",
        "ALTER TABLE t RENAME = other.t",
        "SELECT a€ FROM other.t",
        "DELETE FROM ☃.t",
        "ALTER TABLE t EXCHANGE PARTITION p WITH TABLE other.t",
        "RENAME TABLE t TO other.t",
        "RENAME TABLE a TO b, other.c TO d",
        "CREATE OR REPLACE VIEW other.v AS SELECT 1",
        "DROP VIEW IF EXISTS v, other.v",
        "CREATE TRIGGER x BEFORE UPDATE ON other.t FOR EACH ROW SET NEW.a = 1",
        "DROP TRIGGER other.x",
        "CREATE PROCEDURE other.p() SELECT 1",
        "CREATE PROCEDURE p() BEGIN SELECT 1; DELETE FROM other.t; END",
        "DROP FUNCTION IF EXISTS other.f",
        "CREATE UNIQUE INDEX i ON other.t (a)",
        "DROP INDEX i ON other.t",
        "CALL other.p(1)",
        "CALL sys.execute_prepared_stmt('SELECT 1')",
        "SELECT other.f(1)",
        "SELECT a.x FROM t a WHERE a.x = other.f(a.x)",
        "SELECT NEXT VALUE FOR other.s",
        "SELECT SETVAL(other.s, 5)",
        "LOCK TABLES t READ, other.t AS u WRITE",
        "HANDLER other.t OPEN",
        "DESCRIBE other.t",
        "UPDATE performance_schema.setup_consumers SET enabled = 'NO'",
        "TRUNCATE performance_schema.events_waits_history",
        "DELETE FROM information_schema.x",
        "PREPARE s FROM 'DELETE FROM other.t'",
    ],
)
def test_another_database_is_left_out(text: str) -> None:
    assert judge(text, "shop") == Judgement(NAMES_ANOTHER)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM shop.orders",
        "SELECT * FROM `shop`.`orders` o JOIN shop.lines l ON o.id = l.id, shop.t",
        "SELECT a.x, a.y FROM t a WHERE a.x = 1 AND a.y IN (a.z, 2) ORDER BY a.x DESC, a.y LIMIT 1, 2",
        "SELECT other.x FROM other",
        "SELECT shop.orders.id FROM shop.orders WHERE shop.orders.id = 1",
        "SELECT a.x FROM t a JOIN u b ON a.x = b.x AND (a.y, a.z) = (b.y, b.z) GROUP BY a.x, b.y HAVING max(a.z), b.x",
        "SELECT EXTRACT(YEAR FROM a.day), TRIM(LEADING 'x' FROM a.name), SUBSTRING(a.b FROM a.c) FROM t a",
        "SELECT REPLACE(a.x, 'a', a.y), TRUNCATE(a.x, 2), INSERT(a.x, 1, 2, a.y), IF(a.x, a.y, a.z) FROM t a",
        "SELECT STRAIGHT_JOIN a.x, b.y FROM t a, u b",
        "SELECT a.x FROM t a UNION SELECT b.x FROM u b UNION (SELECT c.x, c.y FROM v c)",
        "SELECT * FROM t a, JSON_TABLE(a.doc, '$' COLUMNS (x INT PATH '$.y')) j, LATERAL (SELECT a.x, a.y) l",
        "SELECT * FROM t a USE INDEX (i) JOIN u b USING (x, y) WHERE a.x > 1.5",
        "SELECT * FROM t a FORCE INDEX (i) JOIN u b ON a.x = b.x",
        "SELECT CONVERT(a.x USING utf8mb4), a.y FROM t a FOR UPDATE",
        "SELECT 'FROM other.t', `other.t`.x FROM `other.t` -- FROM other.t",
        "SELECT a.`from`, a.x FROM t a",
        "INSERT INTO t SELECT a.x, a.y FROM u a, v b ON DUPLICATE KEY UPDATE t.x = a.x, t.y = VALUES(y)",
        "INSERT INTO t (t.x, t.y) VALUES (1.5, 2)",
        "DELETE a, b FROM t a JOIN u b ON a.x = b.x WHERE a.y = 1",
        "DELETE a.*, b.* FROM t a JOIN u b ON a.x = b.x",
        "DELETE FROM t WHERE x = 1 RETURNING t.x, t.y",
        "UPDATE t a JOIN u b ON a.x = b.x SET a.x = 1, b.y = a.y WHERE a.z = 3",
        "SELECT table_name FROM INFORMATION_SCHEMA.TABLES t, information_schema.columns c WHERE t.x = c.x",
        "SELECT * FROM t WHERE x IN (SELECT a FROM performance_schema.threads)",
        "SHOW CREATE TABLE shop.orders",
        "CALL shop.p(1)",
        "SELECT shop.f(a.x) FROM t a",
        "LOCK TABLES shop.t READ, u WRITE",
    ],
)
def test_this_database_and_aliases_are_sent(text: str) -> None:
    assert judge(text, "shop") == Judgement()


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE t (a INT CHECK (a > 1.5), KEY (a)) ENGINE=InnoDB",
        "CREATE TABLE t AS SELECT a.x, a.y FROM u a WHERE a.x LIKE a.y",
        "CREATE VIEW v AS SELECT a.x, b.y FROM t a, u b",
        "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET NEW.a = NEW.b, NEW.c = 1",
        "CREATE TRIGGER x AFTER UPDATE ON t FOR EACH ROW BEGIN IF NEW.a LIKE OLD.a THEN SET @a = NEW.b; END IF; END",
        "ALTER TABLE t ADD INDEX i (a), ADD FOREIGN KEY (a) REFERENCES u (a) ON DELETE CASCADE",
        "RENAME TABLE shop.t TO shop.u",
    ],
)
def test_ddl_of_this_database_is_sent(text: str) -> None:
    assert judge(text, "shop") == Judgement(None, judging.DDL)
