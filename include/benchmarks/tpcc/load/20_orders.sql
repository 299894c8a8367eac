-- 3,000 orders a district (clause 4.3.3.1), one of each customer, of 5 to 15 lines each. The last 900 are not
-- delivered yet. :part of :parts of the warehouses.
INSERT INTO orders
SELECT o, d, w, row_number() OVER (PARTITION BY w, d ORDER BY uniform(i, 50)), timestamp '2020-01-01',
       CASE WHEN o <= 2100 THEN draw(i, 51, 1, 10) END, draw(i, 52, 5, 15), 1
FROM generate_series(1 + :part, :scale, :parts) AS w, generate_series(1, 10) AS d, generate_series(1, 3000) AS o,
     LATERAL (SELECT (w * 100::bigint + d) * 10000 + o AS i) AS key
ORDER BY w, d, o;

INSERT INTO order_line
SELECT o, d, w, line, draw(l, 53, 1, 100000), w, CASE WHEN o <= 2100 THEN timestamp '2020-01-01' END, 5,
       CASE WHEN o <= 2100 THEN 0 ELSE draw(l, 54, 1, 999999) / 100.0 END, left(md5(l::text), 24)
FROM generate_series(1 + :part, :scale, :parts) AS w, generate_series(1, 10) AS d, generate_series(1, 3000) AS o,
     LATERAL (SELECT (w * 100::bigint + d) * 10000 + o AS i) AS key, generate_series(1, draw(i, 52, 5, 15)) AS line,
     LATERAL (SELECT i * 100 + line AS l) AS line_key;

INSERT INTO new_order
SELECT o, d, w
FROM generate_series(1 + :part, :scale, :parts) AS w, generate_series(1, 10) AS d, generate_series(2101, 3000) AS o;
