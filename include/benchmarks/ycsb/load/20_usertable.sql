-- :part of :parts of the records.
INSERT INTO usertable
SELECT key(r), value(10 * r), value(10 * r + 1), value(10 * r + 2), value(10 * r + 3), value(10 * r + 4),
       value(10 * r + 5), value(10 * r + 6), value(10 * r + 7), value(10 * r + 8), value(10 * r + 9)
FROM generate_series(1 + :part, 1000 * :scale::bigint, :parts) AS r;
