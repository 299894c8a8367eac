-- 100,000 rows a warehouse (clause 4.3.3.1). @part of @parts of the warehouses.
INSERT INTO stock
SELECT s, w, 10 + floor(crc32(concat(i, ':60')) / 4294967296 * 91),
       substr(text, 1, 24), substr(text, 25, 24), substr(text, 49, 24), substr(text, 73, 24), substr(text, 97, 24),
       substr(text, 121, 24), substr(text, 145, 24), substr(text, 169, 24), substr(text, 193, 24), substr(text,
           217, 24), 0, 0, 0,
       if(crc32(concat(i, ':61')) / 4294967296 < 0.1, insert(left(sha2(concat(i, ':61'), 512), 26
           + floor(crc32(concat(i, ':62')) / 4294967296 * 25)), 1 + floor(crc32(concat(i,
           ':63')) / 4294967296 * 18), 8, 'ORIGINAL'), left(sha2(concat(i, ':61'), 512), 26
           + floor(crc32(concat(i, ':62')) / 4294967296 * 25)))
FROM (SELECT s, w, i, concat(sha2(concat(i, ':58'), 512), sha2(concat(i, ':59'), 512)) AS text
      FROM (SELECT w, s, w * 1000000 + s AS i
            FROM (SELECT w.n + 1 AS w FROM tpcc_numbers AS w WHERE w.n < @scale AND w.n % @parts = @part) AS ws
                 CROSS JOIN (SELECT n + 1 AS s FROM tpcc_numbers) AS ss) AS keyed) AS drawn
ORDER BY w, s;
