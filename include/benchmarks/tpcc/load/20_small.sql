-- Items, warehouses and districts (clause 4.3.3.1).
INSERT INTO item
SELECT i, draw(i, 1, 1, 10000), left(letters(i, 2), draw(i, 3, 14, 24)),
       (draw(i, 4, 100, 10000) / 100.0)::numeric(5, 2), data(i, 5)
FROM generate_series(1, 100000) AS i;

INSERT INTO warehouse
SELECT w, left(letters(w, 10), draw(w, 11, 6, 10)), left(letters(w, 12), draw(w, 13, 10, 20)),
       right(letters(w, 12), draw(w, 14, 10, 20)), left(letters(w, 15), draw(w, 16, 10, 20)),
       upper(left(letters(w, 17), 2)), lpad(draw(w, 18, 0, 9999)::text, 4, '0') || '11111',
       draw(w, 19, 0, 2000) / 10000.0, 300000.00
FROM generate_series(1, :scale) AS w;

INSERT INTO district
SELECT d, w, left(letters(i, 20), draw(i, 21, 6, 10)), left(letters(i, 22), draw(i, 23, 10, 20)),
       right(letters(i, 22), draw(i, 24, 10, 20)), left(letters(i, 25), draw(i, 26, 10, 20)),
       upper(left(letters(i, 27), 2)), lpad(draw(i, 28, 0, 9999)::text, 4, '0') || '11111',
       draw(i, 29, 0, 2000) / 10000.0, 30000.00, 3001
FROM generate_series(1, :scale) AS w, generate_series(1, 10) AS d, LATERAL (SELECT w * 100::bigint + d AS i) AS key;

ALTER TABLE item ADD PRIMARY KEY (i_id);
ALTER TABLE warehouse ADD PRIMARY KEY (w_id);
ALTER TABLE district ADD PRIMARY KEY (d_w_id, d_id);
VACUUM (ANALYZE) item, warehouse, district;
