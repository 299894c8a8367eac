-- 3,000 customers a district (clause 4.3.3.1) and a payment of each. The first 1,000 have one last name each, the
-- others' are drawn by NURand(255, 0, 999) with C = 157. :part of :parts of the warehouses.
INSERT INTO customer
SELECT c, d, w, left(text, draw(i, 30, 8, 16)), 'OE',
       last_name(CASE WHEN c <= 1000 THEN c - 1
                 ELSE ((draw(i, 31, 0, 255) | draw(i, 32, 0, 999)) + 157) % 1000 END),
       substr(text, 17, draw(i, 33, 10, 20)), substr(text, 37, draw(i, 34, 10, 20)),
       substr(text, 57, draw(i, 35, 10, 20)), upper(substr(text, 77, 2)),
       lpad(draw(i, 36, 0, 9999)::text, 4, '0') || '11111',
       lpad(floor(uniform(i, 37) * 1e16)::bigint::text, 16, '0'), timestamp '2020-01-01',
       CASE WHEN uniform(i, 38) < 0.1 THEN 'BC' ELSE 'GC' END, 50000.00, draw(i, 39, 0, 5000) / 10000.0, -10.00,
       10.00, 1, 0, left(text || letters(i, 40) || letters(i, 41) || letters(i, 42), draw(i, 43, 300, 500))
FROM generate_series(1 + :part, :scale, :parts) AS w, generate_series(1, 10) AS d, generate_series(1, 3000) AS c,
     LATERAL (SELECT (w * 100::bigint + d) * 10000 + c AS i) AS key,
     LATERAL (SELECT letters(i, 44) AS text OFFSET 0) AS drawn;

INSERT INTO history
SELECT c, d, w, d, w, timestamp '2020-01-01', 10.00, left(letters(i, 45), draw(i, 46, 12, 24))
FROM generate_series(1 + :part, :scale, :parts) AS w, generate_series(1, 10) AS d, generate_series(1, 3000) AS c,
     LATERAL (SELECT (w * 100::bigint + d) * 10000 + c AS i) AS key;
