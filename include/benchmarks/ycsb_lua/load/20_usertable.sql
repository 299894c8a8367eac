-- @part of @parts of the records. Keys are hashes, as in YCSB
-- ("hashed" insert order), so that neighbours by number are none in the table. `common.lua` makes the same keys.
INSERT INTO usertable
SELECT concat('user', lpad((r * 2654435761) % 4294967296, 10, '0')), r,
       left(sha2(concat(r, ':0'), 512), 100), left(sha2(concat(r, ':1'), 512), 100),
       left(sha2(concat(r, ':2'), 512), 100), left(sha2(concat(r, ':3'), 512), 100),
       left(sha2(concat(r, ':4'), 512), 100), left(sha2(concat(r, ':5'), 512), 100),
       left(sha2(concat(r, ':6'), 512), 100), left(sha2(concat(r, ':7'), 512), 100),
       left(sha2(concat(r, ':8'), 512), 100), left(sha2(concat(r, ':9'), 512), 100)
FROM (SELECT 1 + thousands.n * 1000 + ones.n AS r
      FROM (SELECT n FROM ycsb_thousands WHERE n % @parts = @part) AS thousands
           CROSS JOIN ycsb_ones AS ones) AS records;
