-- 100,000 rows a warehouse (clause 4.3.3.1). :part of :parts of the warehouses.
INSERT INTO stock
SELECT s, w, draw(i, 60, 10, 100),
       substr(text, 1, 24), substr(text, 25, 24), substr(text, 49, 24), substr(text, 73, 24), substr(text, 97, 24),
       substr(text, 121, 24), substr(text, 145, 24), substr(text, 169, 24), substr(text, 193, 24),
       substr(text, 217, 24), 0, 0, 0, data(i, 61)
FROM generate_series(1 + :part, :scale, :parts) AS w, generate_series(1, 100000) AS s,
     LATERAL (SELECT w * 1000000::bigint + s AS i) AS key,
     LATERAL (SELECT letters(i, 58) || letters(i, 59) AS text OFFSET 0) AS drawn;
