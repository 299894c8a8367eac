"""The statements that read the server's counters. Columns have names of their own: products differ in upper and lower.

Sources: https://mariadb.com/kb/en/information-schema-innodb_metrics-table/,
https://dev.mysql.com/doc/refman/8.4/en/performance-schema-statement-summary-tables.html
"""

from __future__ import annotations

OBJECTS_READ = 50
"""Of statements and of tables, so many are read one by one: the busiest ever."""

CLOCK_SQL = """
SELECT DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%dT%H:%i:%s.%fZ') AS taken_at, UNIX_TIMESTAMP(SYSDATE(6)) AS epoch_s,
       VERSION() AS version, DATABASE() AS `database`
"""
STATUS_SQL = "SHOW GLOBAL STATUS"
"""Any user may; session values, which is what the statement gives without the word GLOBAL, are none of the server's."""

ENGINE_SQL = """
SELECT NAME AS name, COUNT AS value,
       TYPE IN ('value', 'set_owner') AND NAME NOT IN ('lock_deadlocks', 'lock_timeouts') AS is_gauge
  FROM information_schema.INNODB_METRICS WHERE TIME_ENABLED IS NOT NULL AND TIME_DISABLED IS NULL
"""
"""Those that are on as they are: turning more on costs what is measured. Needs the privilege PROCESS. MariaDB
calls two counters values."""

DIGESTS_SQL = f"""
SELECT DIGEST AS `key`, DIGEST_TEXT AS text, COUNT_STAR AS calls, SUM_TIMER_WAIT DIV 1000 AS total_ns,
       SUM_LOCK_TIME DIV 1000 AS lock_ns, SUM_ROWS_SENT AS rows_sent, SUM_ROWS_EXAMINED AS rows_examined,
       SUM_ROWS_AFFECTED AS rows_affected, SUM_ERRORS AS errors, SUM_CREATED_TMP_DISK_TABLES AS tmp_disk_tables,
       SUM_SORT_MERGE_PASSES AS sort_merge_passes
  FROM performance_schema.events_statements_summary_by_digest
 WHERE SCHEMA_NAME = DATABASE() AND DIGEST IS NOT NULL AND DIGEST_TEXT NOT LIKE '%performance_schema%'
   AND DIGEST_TEXT NOT LIKE '%information_schema%' AND DIGEST_TEXT NOT LIKE 'SHOW %'
 ORDER BY SUM_TIMER_WAIT DESC LIMIT {OBJECTS_READ}
"""  # noqa: S608 a number
"""Of the database that is connected to, and not those by which servers are watched.

No row where the performance schema is off.
"""

TABLES_SQL = f"""
SELECT CONCAT(OBJECT_SCHEMA, '.', OBJECT_NAME) AS `key`, SUM_TIMER_WAIT DIV 1000 AS total_ns, COUNT_READ AS row_reads,
       COUNT_WRITE AS row_writes, COUNT_FETCH AS fetches, COUNT_INSERT AS inserts, COUNT_UPDATE AS updates,
       COUNT_DELETE AS deletes
  FROM performance_schema.table_io_waits_summary_by_table
 WHERE OBJECT_SCHEMA = DATABASE() ORDER BY SUM_TIMER_WAIT DESC LIMIT {OBJECTS_READ}
"""  # noqa: S608 a number
