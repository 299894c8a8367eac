DROP TABLE IF EXISTS own_numbers;
CREATE TABLE own_numbers AS SELECT n FROM generate_series(1, 1000 * :scale) AS n;
