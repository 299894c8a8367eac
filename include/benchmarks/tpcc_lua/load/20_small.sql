-- Items, warehouses and districts (clause 4.3.3.1).
INSERT INTO item
SELECT i, 1 + floor(crc32(concat(i, ':1')) / 4294967296 * 10000), left(sha2(concat(i, ':2'), 512), 14
    + floor(crc32(concat(i, ':3')) / 4294967296 * 11)),
       (100 + floor(crc32(concat(i, ':4')) / 4294967296 * 9901)) / 100,
       if(crc32(concat(i, ':5')) / 4294967296 < 0.1, insert(left(sha2(concat(i, ':5'), 512), 26
           + floor(crc32(concat(i, ':6')) / 4294967296 * 25)), 1 + floor(crc32(concat(i,
           ':7')) / 4294967296 * 18), 8, 'ORIGINAL'), left(sha2(concat(i, ':5'), 512), 26 + floor(crc32(concat(i,
           ':6')) / 4294967296 * 25)))
FROM (SELECT n + 1 AS i FROM tpcc_numbers) AS keyed
ORDER BY i;

INSERT INTO warehouse
SELECT w, left(sha2(concat(w, ':10'), 512), 6 + floor(crc32(concat(w, ':11')) / 4294967296 * 5)),
       left(sha2(concat(w, ':12'), 512), 10 + floor(crc32(concat(w, ':13')) / 4294967296 * 11)),
       right(sha2(concat(w, ':12'), 512), 10 + floor(crc32(concat(w, ':14')) / 4294967296 * 11)),
       left(sha2(concat(w, ':15'), 512), 10 + floor(crc32(concat(w, ':16')) / 4294967296 * 11)),
       upper(left(sha2(concat(w, ':17'), 512), 2)), concat(lpad(floor(crc32(concat(w,
           ':18')) / 4294967296 * 10000), 4, '0'), '11111'),
       (floor(crc32(concat(w, ':19')) / 4294967296 * 2001)) / 10000, 300000.00
FROM (SELECT n + 1 AS w FROM tpcc_numbers WHERE n < @scale) AS keyed;

INSERT INTO district
SELECT d, w, left(sha2(concat(i, ':20'), 512), 6 + floor(crc32(concat(i, ':21')) / 4294967296 * 5)),
       left(sha2(concat(i, ':22'), 512), 10 + floor(crc32(concat(i, ':23')) / 4294967296 * 11)),
       right(sha2(concat(i, ':22'), 512), 10 + floor(crc32(concat(i, ':24')) / 4294967296 * 11)),
       left(sha2(concat(i, ':25'), 512), 10 + floor(crc32(concat(i, ':26')) / 4294967296 * 11)),
       upper(left(sha2(concat(i, ':27'), 512), 2)), concat(lpad(floor(crc32(concat(i,
           ':28')) / 4294967296 * 10000), 4, '0'), '11111'),
       (floor(crc32(concat(i, ':29')) / 4294967296 * 2001)) / 10000, 30000.00, 3001
FROM (SELECT w, d, w * 100 + d AS i
      FROM (SELECT n + 1 AS w FROM tpcc_numbers WHERE n < @scale) AS ws
           CROSS JOIN (SELECT n + 1 AS d FROM tpcc_numbers WHERE n < 10) AS ds) AS keyed;
