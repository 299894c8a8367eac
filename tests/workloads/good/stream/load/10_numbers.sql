CREATE TABLE numbers AS SELECT n FROM generate_series(1, :scale) AS n;
