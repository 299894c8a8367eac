DROP TABLE IF EXISTS own_orders;
CREATE TABLE own_orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, good integer, amount integer);
INSERT INTO own_orders (good, amount) SELECT n % :goods, n % 7 FROM generate_series(1, 1000 * :scale) AS n;
VACUUM (ANALYZE) own_orders;
