-- YCSB's one table. @scale is thousands of records. The number of a record is kept beside its key, so that inserts go
-- on after the newest of them.
DROP TABLE IF EXISTS usertable, ycsb_ones, ycsb_thousands;
CREATE TABLE usertable (
    ycsb_key char(14) CHARACTER SET ascii NOT NULL, record int unsigned NOT NULL,
    field0 varchar(100), field1 varchar(100), field2 varchar(100), field3 varchar(100), field4 varchar(100),
    field5 varchar(100), field6 varchar(100), field7 varchar(100), field8 varchar(100), field9 varchar(100),
    PRIMARY KEY (ycsb_key), UNIQUE KEY record (record)
) ENGINE = InnoDB CHARACTER SET latin1;

-- The numbers from 0 to 999, and those of the thousands of records, from which the load makes all others.
CREATE TABLE ycsb_ones (n int unsigned NOT NULL PRIMARY KEY) ENGINE = InnoDB;
INSERT INTO ycsb_ones
SELECT a.n + 10 * b.n + 100 * c.n
FROM (SELECT 0 AS n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6
      UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) AS a,
     (SELECT 0 AS n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6
      UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) AS b,
     (SELECT 0 AS n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6
      UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) AS c;
CREATE TABLE ycsb_thousands (n int unsigned NOT NULL PRIMARY KEY) ENGINE = InnoDB;
INSERT INTO ycsb_thousands
SELECT high.n * 1000 + low.n
FROM ycsb_ones AS high CROSS JOIN ycsb_ones AS low
WHERE high.n <= @scale / 1000 AND high.n * 1000 + low.n < @scale;
